// ConvNeXt tiny to large as torchvision builds them (torchvision/models/convnext.py, layer norms with eps 1e-6). Liu et
// al. 2022 (2201.03545).
#include <array>
#include <string>

#include "architectures/architectures.h"
#include "architectures/blocks.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

constexpr double kEps = 1e-6;

struct Variant {
  std::string_view name;
  std::array<std::size_t, 4> depths;  // of features.1, 3, 5 and 7
  std::int64_t width;                 // channels of the stem
};

constexpr std::array kVariants = {
    Variant{"convnext_tiny", {3, 3, 9, 3}, 96},
    Variant{"convnext_small", {3, 3, 27, 3}, 96},
    Variant{"convnext_base", {3, 3, 27, 3}, 128},
    Variant{"convnext_large", {3, 3, 27, 3}, 192},
};
// The name of a ConvNeXt of another depth or width.
constexpr std::string_view kOther = "convnext";

std::string stage_name(std::size_t stage) { return std::to_string(2 * stage + 1); }

std::optional<ArchitectureMatch> recognise(const Weights& w) {
  const Weights features = w / "features";
  const std::int64_t classes = linear_size(w, "classifier.2");
  if (classes == 0 || !w.has("classifier.0.weight") || features.count() != 8 || !is_conv(features, "0.0.weight", 4)) {
    return std::nullopt;
  }
  std::array<std::size_t, 4> depths{};
  for (std::size_t stage = 0; stage < depths.size(); ++stage) {
    const Weights blocks = features / stage_name(stage);
    depths[stage] = blocks.count();
    if (!is_conv(blocks, "0.block.0.weight", 7) || !blocks.has("0.layer_scale") ||
        linear_size(blocks, "0.block.5") == 0) {
      return std::nullopt;
    }
    if (stage > 0 && !is_conv(features, std::to_string(2 * stage) + ".1.weight", 2)) return std::nullopt;
  }
  ArchitectureMatch match{std::string(kOther), Task::classify, classes};
  for (const Variant& variant : kVariants) {
    if (variant.depths == depths && features.size("0.0.weight", 0) == variant.width) match.name = variant.name;
  }
  return match;
}

// LayerNorm2d: over the channels of [N, C, H, W].
Value layer_norm_2d(GraphBuilder& g, const Weights& w, Value x) {
  return g.permute(biased_norm(g, w, g.permute(x, {0, 2, 3, 1}), kEps), {0, 3, 1, 2});
}

Value block_of(GraphBuilder& g, const Weights& w, Value x) {
  const Weights block = w / "block";
  Value y = biased_conv(g, block / "0", x, {.padding = 3, .groups = block.size("0.weight", 0)});
  y = biased_norm(g, block / "2", g.permute(y, {0, 2, 3, 1}), kEps);
  y = g.permute(mlp(g, block / "3", block / "5", y), {0, 3, 1, 2});
  return g.add(g.mul(y, g.weight(w, "layer_scale", {block.size("0.weight", 0), 1, 1})), x);
}

Value build(GraphBuilder& g, const Weights& w, Value x) {
  const Weights features = w / "features";
  x = layer_norm_2d(g, features / "0.1", biased_conv(g, features / "0.0", x, {.stride = 4, .groups = 1}));
  for (std::size_t stage = 0; stage < 4; ++stage) {
    if (stage > 0) {
      const Weights downsample = features / std::to_string(2 * stage);
      x = biased_conv(g, downsample / "1", layer_norm_2d(g, downsample / "0", x), {.stride = 2, .groups = 1});
    }
    const Weights blocks = features / stage_name(stage);
    const std::size_t count = blocks.count();
    for (std::size_t i = 0; i < count; ++i) x = block_of(g, blocks / std::to_string(i), x);
  }
  x = layer_norm_2d(g, w / "classifier.0", g.adaptive_avg_pool2d(x, 1, 1));
  return biased_linear(g, w / "classifier.2", g.flatten(x));
}

}  // namespace

Architecture convnext_family() {
  Architecture family;
  family.family = "convnext";
  family.source = "torchvision ConvNeXt; arXiv 2201.03545";
  for (const Variant& variant : kVariants) family.variants.push_back(variant.name);
  family.variants.push_back(kOther);
  family.recognise = recognise;
  family.build = build;
  family.module_classes = {"torchvision.models.convnext.ConvNeXt"};
  family.assumed_preset = imagenet_preset(236);
  return family;
}

}  // namespace ptrun::models
