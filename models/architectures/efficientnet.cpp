// EfficientNet B0 to B7 and V2 small to large as torchvision builds them (torchvision/models/efficientnet.py). Tan and
// Le 2019 (1905.11946), 2021 (2104.00298).
#include <array>
#include <string>

#include "architectures/architectures.h"
#include "architectures/blocks.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

// Stride of each stage's first block; V2 small has no seventh stage.
constexpr std::array<std::int64_t, 7> kStrides = {1, 2, 2, 2, 1, 2, 1};

struct Variant {
  std::string_view name;
  std::array<std::size_t, 7> depths;  // of features.1 to features.7
  std::int64_t stem;                  // channels
  std::int64_t last;                  // channels of the last convolution
  double eps;                         // of the batch norms; not in the file, so other sizes are not taken
};

constexpr std::array kVariants = {
    Variant{"efficientnet_b0", {1, 2, 2, 3, 3, 4, 1}, 32, 1280, 1e-5},
    Variant{"efficientnet_b1", {2, 3, 3, 4, 4, 5, 2}, 32, 1280, 1e-5},
    Variant{"efficientnet_b2", {2, 3, 3, 4, 4, 5, 2}, 32, 1408, 1e-5},
    Variant{"efficientnet_b3", {2, 3, 3, 5, 5, 6, 2}, 40, 1536, 1e-5},
    Variant{"efficientnet_b4", {2, 4, 4, 6, 6, 8, 2}, 48, 1792, 1e-5},
    Variant{"efficientnet_b5", {3, 5, 5, 7, 7, 9, 3}, 48, 2048, 1e-3},
    Variant{"efficientnet_b6", {3, 6, 6, 8, 8, 11, 3}, 56, 2304, 1e-3},
    Variant{"efficientnet_b7", {4, 7, 7, 10, 10, 13, 4}, 64, 2560, 1e-3},
    Variant{"efficientnet_v2_s", {2, 4, 4, 6, 9, 15, 0}, 24, 1280, 1e-3},
    Variant{"efficientnet_v2_m", {3, 5, 5, 7, 14, 18, 5}, 24, 1280, 1e-3},
    Variant{"efficientnet_v2_l", {4, 7, 7, 10, 19, 25, 7}, 32, 1280, 1e-3},
};

const Variant* variant_of(const Weights& w) {
  const Weights features = w / "features";
  const std::size_t count = features.count();
  if (count < 2 || count > kStrides.size() + 2 || !is_conv(features, "0.0.weight", 3)) return nullptr;
  const std::size_t stages = count - 2;
  std::array<std::size_t, 7> depths{};
  for (std::size_t stage = 0; stage < stages; ++stage) {
    const Weights blocks = features / std::to_string(stage + 1);
    if (!blocks.has("0.block.0.0.weight")) return nullptr;
    depths[stage] = blocks.count();
  }
  for (const Variant& variant : kVariants) {
    if (variant.depths == depths && features.size("0.0.weight", 0) == variant.stem &&
        features.size(std::to_string(count - 1) + ".0.weight", 0) == variant.last) {
      return &variant;
    }
  }
  return nullptr;
}

std::optional<ArchitectureMatch> recognise(const Weights& w) {
  const std::int64_t classes = linear_size(w, "classifier.1");
  const Variant* variant = variant_of(w);
  if (classes == 0 || variant == nullptr) return std::nullopt;
  return ArchitectureMatch{std::string(variant->name), Task::classify, classes};
}

// MBConv has a squeeze and excitation before its projection; FusedMBConv has none and one convolution for two, and
// only that one where it does not expand.
Value block_of(GraphBuilder& g, const Weights& w, Value x, std::int64_t stride, double eps) {
  constexpr Activation kSilu = &GraphBuilder::silu;
  const std::size_t parts = w.count();
  const std::int64_t in = w.size("0.0.weight", 1) == 1 ? w.size("0.0.weight", 0) : w.size("0.0.weight", 1);
  Value y = x;
  for (std::size_t i = 0; i < parts; ++i) {
    const Weights part = w / std::to_string(i);
    if (part.has("fc1.weight")) {
      y = squeeze_excitation(g, part / "fc1", part / "fc2", y, kSilu, &GraphBuilder::sigmoid);
      continue;
    }
    const std::int64_t kernel = part.size("0.weight", 2);
    const bool projects = i > 0 && i + 1 == parts;
    y = conv_norm(g, part, y,
                  {.stride = kernel > 1 ? stride : 1,
                   .groups = part.size("0.weight", 1) == 1 ? 0 : 1,
                   .activation = projects ? nullptr : kSilu,
                   .eps = eps});
  }
  const std::int64_t out = w.size(std::to_string(parts - 1) + ".0.weight", 0);
  return stride == 1 && in == out ? g.add(y, x) : y;
}

Value build(GraphBuilder& g, const Weights& w, Value x) {
  const Variant* variant = variant_of(w);
  const Variant& shape = variant == nullptr ? kVariants.front() : *variant;
  const Weights features = w / "features";
  const ConvNormOptions ends = {.activation = &GraphBuilder::silu, .eps = shape.eps};
  ConvNormOptions stem = ends;
  stem.stride = 2;
  x = conv_norm(g, features / "0", x, stem);
  std::size_t stage = 0;
  for (; stage < shape.depths.size() && shape.depths[stage] > 0; ++stage) {
    const Weights blocks = features / std::to_string(stage + 1);
    for (std::size_t i = 0; i < shape.depths[stage]; ++i) {
      x = block_of(g, blocks / std::to_string(i) / "block", x, i == 0 ? kStrides[stage] : 1, shape.eps);
    }
  }
  x = conv_norm(g, features / std::to_string(stage + 1), x, ends);
  return pool_and_classify(g, w / "classifier.1", x);
}

}  // namespace

Architecture efficientnet_family() {
  Architecture family;
  family.family = "efficientnet";
  family.source = "torchvision EfficientNet; arXiv 1905.11946, 2104.00298";
  for (const Variant& variant : kVariants) family.variants.push_back(variant.name);
  family.recognise = recognise;
  family.build = build;
  family.module_classes = {"torchvision.models.efficientnet.EfficientNet"};
  family.assumed_preset = imagenet_preset(256);
  return family;
}

}  // namespace ptrun::models
