// ConvNeXt and ConvNeXt V2 as timm builds them (timm/models/convnext.py, layer norms with eps 1e-6): other names than
// torchvision's; the small ones keep their perceptrons as 1x1 convolutions, which is the same. Liu et al. 2022
// (2201.03545), Woo et al. 2023 (2301.00808).
#include <array>
#include <string>

#include "architectures/architectures.h"
#include "architectures/blocks.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

constexpr double kEps = 1e-6;

struct Variant {
  std::string_view size;
  std::array<std::size_t, 4> depths;
  std::int64_t width;  // channels of the stem
};

constexpr std::array kVariants = {
    Variant{"atto", {2, 2, 6, 2}, 40},   Variant{"femto", {2, 2, 6, 2}, 48},   Variant{"pico", {2, 2, 6, 2}, 64},
    Variant{"nano", {2, 2, 8, 2}, 80},   Variant{"tiny", {3, 3, 9, 3}, 96},    Variant{"small", {3, 3, 27, 3}, 96},
    Variant{"base", {3, 3, 27, 3}, 128}, Variant{"large", {3, 3, 27, 3}, 192}, Variant{"xlarge", {3, 3, 27, 3}, 256},
    Variant{"huge", {3, 3, 27, 3}, 352},
};

Weights stage_of(const Weights& w, std::size_t stage) { return w / "stages" / std::to_string(stage); }

bool is_second(const Weights& w) { return w.has("stages.0.blocks.0.mlp.grn.weight"); }

std::optional<ArchitectureMatch> recognise(const Weights& w) {
  const std::int64_t classes = linear_size(w, "head.fc");
  if (classes == 0 || !w.has("head.norm.weight") || !is_conv(w, "stem.0.weight", 4) || !w.has("stem.1.weight") ||
      (w / "stages").count() != 4 || is_second(w) == w.has("stages.0.blocks.0.gamma")) {
    return std::nullopt;
  }
  std::array<std::size_t, 4> depths{};
  for (std::size_t i = 0; i < depths.size(); ++i) {
    const Weights stage = stage_of(w, i);
    depths[i] = (stage / "blocks").count();
    if (!is_conv(stage, "blocks.0.conv_dw.weight", 7) || !stage.has("blocks.0.mlp.fc1.weight") ||
        (i > 0 && !is_conv(stage, "downsample.1.weight", 2))) {
      return std::nullopt;
    }
  }
  const std::string family = is_second(w) ? "timm/convnextv2" : "timm/convnext";
  ArchitectureMatch match{family, Task::classify, classes};
  for (const Variant& variant : kVariants) {
    if (variant.depths != depths || variant.width != w.size("stem.0.weight", 0)) continue;
    match.name = family + "_" + std::string(variant.size);
  }
  return match;
}

// LayerNorm2d: over the channels of [N, C, H, W].
Value layer_norm_2d(GraphBuilder& g, const Weights& w, Value x) {
  return g.permute(biased_norm(g, w, g.permute(x, {0, 2, 3, 1}), kEps), {0, 3, 1, 2});
}

// A linear layer whose weight may be that of a 1x1 convolution.
Value pointwise(GraphBuilder& g, const Weights& w, Value x, std::int64_t in, std::int64_t out) {
  std::vector<std::int64_t> shape = {out, in};
  if (w.shape("weight").value_or(shape).size() == 4) shape = {out, in, 1, 1};
  return g.op("aten::linear", {x, g.flatten(g.weight(w, "weight", shape)), g.weight(w, "bias", {out})});
}

// Global response normalisation of x [N, H, W, C].
Value response_norm(GraphBuilder& g, const Weights& w, Value x, std::int64_t channels) {
  const Value norm = g.op("aten::linalg_vector_norm", {x, 2.0, std::vector<std::int64_t>{1, 2}, true});
  const Value mean = g.op("aten::add.Scalar", {g.mean(norm, {3}, true), kEps});
  const Value scaled = g.mul(x, g.op("aten::div.Tensor", {norm, mean}));
  const Value shifted = g.add(g.mul(scaled, g.weight(w, "weight", {channels})), g.weight(w, "bias", {channels}));
  return g.add(x, shifted);
}

Value block_of(GraphBuilder& g, const Weights& w, bool second, Value x) {
  const std::int64_t channels = w.size("conv_dw.weight", 0);
  Value y = biased_conv(g, w / "conv_dw", x, {.padding = 3, .groups = channels});
  y = biased_norm(g, w / "norm", g.permute(y, {0, 2, 3, 1}), kEps);
  const std::int64_t inner = w.size("mlp.fc1.weight", 0);
  y = g.gelu(pointwise(g, w / "mlp.fc1", y, channels, inner));
  if (second) y = response_norm(g, w / "mlp.grn", y, inner);
  y = pointwise(g, w / "mlp.fc2", y, inner, channels);
  if (!second) y = g.mul(y, g.weight(w, "gamma", {channels}));
  return g.add(g.permute(y, {0, 3, 1, 2}), x);
}

Value build(GraphBuilder& g, const Weights& w, Value x) {
  x = layer_norm_2d(g, w / "stem.1", biased_conv(g, w / "stem.0", x, {.stride = 4, .groups = 1}));
  const bool second = is_second(w);
  for (std::size_t i = 0; i < 4; ++i) {
    const Weights stage = stage_of(w, i);
    if (i > 0) {
      x = layer_norm_2d(g, stage / "downsample.0", x);
      x = biased_conv(g, stage / "downsample.1", x, {.stride = 2, .groups = 1});
    }
    const std::size_t count = (stage / "blocks").count();
    for (std::size_t j = 0; j < count; ++j) x = block_of(g, stage / "blocks" / std::to_string(j), second, x);
  }
  x = layer_norm_2d(g, w / "head.norm", g.adaptive_avg_pool2d(x, 1, 1));
  return biased_linear(g, w / "head.fc", g.flatten(x));
}

}  // namespace

Architecture timm_convnext_family() {
  Architecture family;
  family.family = "timm_convnext";
  family.source = "timm ConvNeXt; arXiv 2201.03545, 2301.00808";
  family.variants = {"timm/convnext_atto",    "timm/convnext_femto",  "timm/convnext_pico",   "timm/convnext_nano",
                     "timm/convnext_tiny",    "timm/convnext_small",  "timm/convnext_base",   "timm/convnext_large",
                     "timm/convnext_xlarge",  "timm/convnext",        "timm/convnextv2_atto", "timm/convnextv2_femto",
                     "timm/convnextv2_pico",  "timm/convnextv2_nano", "timm/convnextv2_tiny", "timm/convnextv2_base",
                     "timm/convnextv2_large", "timm/convnextv2_huge", "timm/convnextv2"};
  family.recognise = recognise;
  family.build = build;
  family.assumed_preset = timm_preset();
  return family;
}

}  // namespace ptrun::models
