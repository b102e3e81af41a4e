// Swin Transformer and Swin Transformer V2 of any image size as torchvision builds them
// (torchvision/models/swin_transformer.py, layer norms with eps 1e-5). Liu et al. 2021 (2103.14030, 2111.09883). Heads
// and windows are read from the tables of relative positions.
#include <algorithm>
#include <array>
#include <string>

#include "architectures/architectures.h"
#include "architectures/blocks.h"
#include "architectures/windows.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

constexpr std::size_t kStages = 4;

struct Variant {
  std::string_view name;
  bool second;        // V2: cosine attention, norms after the layers
  std::size_t depth;  // of the third stage; the others have 2 blocks
  std::int64_t width;
};

constexpr std::array kVariants = {
    Variant{"swin_t", false, 6, 96},   Variant{"swin_s", false, 18, 96},   Variant{"swin_b", false, 18, 128},
    Variant{"swin_v2_t", true, 6, 96}, Variant{"swin_v2_s", true, 18, 96}, Variant{"swin_v2_b", true, 18, 128},
};
// The name of a Swin Transformer of another depth or width.
constexpr std::string_view kOther = "swin";

Weights stage_of(const Weights& w, std::size_t stage) { return w / "features" / std::to_string(2 * stage + 1); }

bool is_second(const Weights& w) { return w.has("features.1.0.attn.logit_scale"); }

// Tokens on a window's side; 0 when the tables are not of this network.
std::int64_t window_of(const Weights& attention) {
  const std::int64_t side = attention.has("logit_scale")
                                ? attention.size("relative_coords_table", 1)
                                : exact_root(attention.size("relative_position_bias_table", 0));
  const std::int64_t window = (side + 1) / 2;
  std::int64_t positions = 1;
  for (const std::int64_t size : attention.shape("relative_position_index").value_or(std::vector<std::int64_t>{0})) {
    positions *= size;
  }
  return side > 0 && side % 2 == 1 && positions == window * window * window * window ? window : 0;
}

std::optional<ArchitectureMatch> recognise(const Weights& w) {
  const std::int64_t classes = linear_size(w, "head");
  const std::int64_t width = w.size("features.0.0.weight", 0);
  if (classes == 0 || !is_conv(w, "features.0.0.weight", 4) || !w.has("norm.weight") ||
      (w / "features").count() != 2 * kStages) {
    return std::nullopt;
  }
  std::array<std::size_t, kStages> depths{};
  for (std::size_t i = 0; i < kStages; ++i) {
    const Weights stage = stage_of(w, i);
    depths[i] = stage.count();
    if (window_of(stage / "0.attn") == 0 || linear_size(stage, "0.attn.qkv") == 0) return std::nullopt;
  }
  ArchitectureMatch match{std::string(kOther), Task::classify, classes};
  for (const Variant& variant : kVariants) {
    if (variant.second == is_second(w) && variant.width == width &&
        depths == std::array<std::size_t, kStages>{2, 2, variant.depth, 2}) {
      match.name = variant.name;
    }
  }
  return match;
}

// V1: a learned bias for each relative position. V2: a small network computes it from the positions' logarithms.
Value bias_of(GraphBuilder& g, const Weights& w, std::int64_t window, std::int64_t heads) {
  const std::int64_t tokens = window * window;
  const std::int64_t side = 2 * window - 1;
  const Value index = g.weight(w, "relative_position_index", {tokens * tokens});
  if (!w.has("logit_scale")) {
    return position_bias(g, g.weight(w, "relative_position_bias_table", {side * side, heads}), index, tokens);
  }
  Value table = g.reshape(g.weight(w, "relative_coords_table", {1, side, side, 2}), {-1, 2});
  table = g.linear(w / "cpb_mlp.2", g.relu(biased_linear(g, w / "cpb_mlp.0", table)));
  return g.mul(g.sigmoid(position_bias(g, table, index, tokens)), g.constant(16.0));
}

Value attention_of(GraphBuilder& g, const Weights& w, const WindowGrid& grid, Value x, bool shifted) {
  const bool second = w.has("logit_scale");
  const std::int64_t channels = w.size("proj.weight", 0);
  const std::int64_t heads =
      std::max<std::int64_t>(second ? w.size("cpb_mlp.2.weight", 0) : w.size("relative_position_bias_table", 1), 1);
  const Value mask = window_mask(g, grid, bias_of(g, w, grid.window, heads), heads, g.size(x, 0), shifted);
  Value y = to_windows(g, grid, x, channels, shifted);
  if (second) {
    const Value bias = without_key_bias(g, g.weight(w, "qkv.bias", {3 * channels}), channels);
    y = g.op("aten::linear", {y, g.weight(w, "qkv.weight", {3 * channels, channels}), bias});
    y = cosine_attention(g, y, g.weight(w, "logit_scale", {heads, 1, 1}), heads, channels, mask);
  } else {
    y = self_attention(g, biased_linear(g, w / "qkv", y), heads, channels, {.mask = mask, .scale = {}});
  }
  return from_windows(g, grid, biased_linear(g, w / "proj", y), channels, shifted);
}

Value block_of(GraphBuilder& g, const Weights& w, const WindowGrid& grid, Value x, bool shifted) {
  const auto perceptron = [&](Value y) { return mlp(g, w / "mlp.0", w / "mlp.3", y); };
  if (w.has("attn.logit_scale")) {
    x = g.add(x, biased_norm(g, w / "norm1", attention_of(g, w / "attn", grid, x, shifted)));
    return g.add(x, biased_norm(g, w / "norm2", perceptron(x)));
  }
  x = g.add(x, attention_of(g, w / "attn", grid, biased_norm(g, w / "norm1", x), shifted));
  return g.add(x, perceptron(biased_norm(g, w / "norm2", x)));
}

Value merge_patches(GraphBuilder& g, const Weights& w, Value x, bool second) {
  x = merge_neighbours(g, x);
  if (second) return biased_norm(g, w / "norm", g.linear(w / "reduction", x));
  return g.linear(w / "reduction", biased_norm(g, w / "norm", x));
}

Value build(GraphBuilder& g, const Weights& w, Value x) {
  const Weights features = w / "features";
  x = g.permute(biased_conv(g, features / "0.0", x, {.stride = 4, .groups = 1}), {0, 2, 3, 1});
  x = biased_norm(g, features / "0.2", x);
  for (std::size_t i = 0; i < kStages; ++i) {
    const Weights stage = stage_of(w, i);
    if (i > 0) x = merge_patches(g, features / std::to_string(2 * i), x, is_second(w));
    const WindowGrid grid = window_grid(g, x, std::max<std::int64_t>(window_of(stage / "0.attn"), 1));
    const std::size_t count = stage.count();
    for (std::size_t j = 0; j < count; ++j) {
      x = block_of(g, stage / std::to_string(j), grid, x, j % 2 == 1);
    }
  }
  return pool_and_classify(g, w / "head", g.permute(biased_norm(g, w / "norm", x), {0, 3, 1, 2}));
}

}  // namespace

Architecture swin_family() {
  Architecture family;
  family.family = "swin";
  family.source = "torchvision SwinTransformer; arXiv 2103.14030, 2111.09883";
  for (const Variant& variant : kVariants) family.variants.push_back(variant.name);
  family.variants.push_back(kOther);
  family.recognise = recognise;
  family.build = build;
  family.module_classes = {"torchvision.models.swin_transformer.SwinTransformer"};
  family.assumed_preset = imagenet_preset(232);
  return family;
}

}  // namespace ptrun::models
