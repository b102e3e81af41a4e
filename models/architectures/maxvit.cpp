// MaxViT-T for 224x224 as torchvision builds it (torchvision/models/maxvit.py, batch norms with eps 1e-3). Tu et al.
// 2022 (2204.01697).
#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "architectures/architectures.h"
#include "architectures/blocks.h"
#include "architectures/windows.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

constexpr double kEps = 1e-3;
constexpr std::int64_t kImage = 224;  // not in the file: the network is defined for one size
constexpr std::int64_t kWindow = 7;
constexpr std::int64_t kTokens = kWindow * kWindow;
constexpr std::int64_t kPositions = (2 * kWindow - 1) * (2 * kWindow - 1);
constexpr std::array<std::size_t, 4> kDepths = {2, 2, 5, 2};

Weights block_at(const Weights& w, std::size_t block) { return w / "blocks" / std::to_string(block) / "layers"; }

std::optional<ArchitectureMatch> recognise(const Weights& w) {
  const std::int64_t classes = linear_size(w, "classifier.5");
  if (classes == 0 || !is_conv(w, "stem.0.0.weight", 3) || !is_conv(w, "stem.1.0.weight", 3) ||
      w.size("stem.1.0.weight", 0) != 64 || (w / "blocks").count() != kDepths.size()) {
    return std::nullopt;
  }
  std::int64_t channels = 64;
  for (std::size_t i = 0; i < kDepths.size(); ++i, channels *= 2) {
    const Weights first = block_at(w, i) / "0.layers";
    const Weights grid = first / "grid_attention.attn_layer.1";
    if (block_at(w, i).count() != kDepths[i] || first.size("MBconv.layers.conv_c.weight", 0) != channels ||
        grid.size("relative_position_bias_table", 0) != kPositions ||
        !first.has("window_attention.attn_layer.1.to_qkv.weight")) {
      return std::nullopt;
    }
  }
  ArchitectureMatch match{"maxvit_t", Task::classify, classes};
  match.input_height = match.input_width = kImage;
  return match;
}

// Pre-norm MBConv; the first of a block halves the image and has a projection on its skip connection.
Value mb_conv(GraphBuilder& g, const Weights& w, Value x) {
  constexpr Activation kGelu = &GraphBuilder::gelu;
  const Weights layers = w / "layers";
  const bool halves = w.has("proj.1.weight");
  Value y = g.batch_norm(layers / "pre_norm", x, kEps);
  y = conv_norm(g, layers / "conv_a", y, {.activation = kGelu, .eps = kEps});
  y = conv_norm(g, layers / "conv_b", y, {.stride = halves ? 2 : 1, .groups = 0, .activation = kGelu, .eps = kEps});
  const Weights squeeze = layers / "squeeze_excitation";
  y = squeeze_excitation(g, squeeze / "fc1", squeeze / "fc2", y, &GraphBuilder::silu, &GraphBuilder::sigmoid);
  y = biased_conv(g, layers / "conv_c", y, {.groups = 1});
  if (halves) {
    x = biased_conv(g, w / "proj.1", g.avg_pool2d(x, {.kernel = 3, .stride = 2, .padding = 1}), {.groups = 1});
  }
  return g.add(x, y);
}

Value token_attention(GraphBuilder& g, const Weights& w, Value x, std::int64_t channels) {
  const Weights attention = w / "attn_layer.1";
  const std::int64_t heads = std::max<std::int64_t>(attention.size("relative_position_bias_table", 1), 1);
  const Value bias = position_bias(g, g.weight(attention, "relative_position_bias_table", {kPositions, heads}),
                                   g.weight(attention, "relative_position_index", {kTokens, kTokens}), kTokens);
  // The scale is of all channels, not of a head's.
  const double scale = 1.0 / std::sqrt(static_cast<double>(channels));
  Value y = biased_linear(g, attention / "to_qkv", biased_norm(g, w / "attn_layer.0", x));
  y = self_attention(g, y, heads, channels, {.mask = bias, .scale = scale});
  x = g.add(x, biased_linear(g, attention / "merge", y));
  return g.add(x, mlp(g, w / "mlp_layer.1", w / "mlp_layer.3", biased_norm(g, w / "mlp_layer.0", x)));
}

// Attention within windows of neighbours, or within grids of tokens that lie a whole part of the image apart.
Value attention_of(GraphBuilder& g, const Weights& w, Value x, std::int64_t channels, bool grid) {
  const Value height = g.size(x, 2);
  const Value width = g.size(x, 3);
  const Value rows = g.op("aten::floordiv.int", {height, kWindow});
  const Value columns = g.op("aten::floordiv.int", {width, kWindow});
  using Dims = std::vector<std::int64_t>;
  if (grid) {
    x = g.permute(g.reshape(x, {-1, channels, kWindow, rows, kWindow, columns}), Dims{0, 3, 5, 2, 4, 1});
  } else {
    x = g.permute(g.reshape(x, {-1, channels, rows, kWindow, columns, kWindow}), Dims{0, 2, 4, 3, 5, 1});
  }
  x = token_attention(g, w, g.reshape(x, {-1, kTokens, channels}), channels);
  x = g.reshape(x, {-1, rows, columns, kWindow, kWindow, channels});
  x = g.permute(x, grid ? Dims{0, 5, 3, 1, 4, 2} : Dims{0, 5, 1, 3, 2, 4});
  return g.reshape(x, {-1, channels, height, width});
}

Value build(GraphBuilder& g, const Weights& w, Value x) {
  x = conv_norm(g, w / "stem.0", x, {.stride = 2, .activation = &GraphBuilder::gelu, .eps = kEps});
  x = biased_conv(g, w / "stem.1.0", x, {.padding = 1, .groups = 1});
  for (std::size_t i = 0; i < kDepths.size(); ++i) {
    for (std::size_t j = 0; j < kDepths[i]; ++j) {
      const Weights layer = block_at(w, i) / std::to_string(j) / "layers";
      const std::int64_t channels = std::max<std::int64_t>(layer.size("MBconv.layers.conv_c.weight", 0), 1);
      x = mb_conv(g, layer / "MBconv", x);
      x = attention_of(g, layer / "window_attention", x, channels, false);
      x = attention_of(g, layer / "grid_attention", x, channels, true);
    }
  }
  x = biased_norm(g, w / "classifier.2", g.flatten(g.adaptive_avg_pool2d(x, 1, 1)));
  return g.linear(w / "classifier.5", g.tanh(biased_linear(g, w / "classifier.3", x)));
}

}  // namespace

Architecture maxvit_family() {
  Architecture family;
  family.family = "maxvit";
  family.source = "torchvision MaxVit; arXiv 2204.01697";
  family.variants = {"maxvit_t"};
  family.recognise = recognise;
  family.build = build;
  family.module_classes = {"torchvision.models.maxvit.MaxVit"};
  family.assumed_preset = imagenet_preset(224);
  return family;
}

}  // namespace ptrun::models
