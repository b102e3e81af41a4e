// EfficientNet B0 to B8 and V2 as timm builds them (timm/models/efficientnet.py): other names than torchvision's. Those
// called tf_ have TensorFlow's padding and eps, and the same names and shapes as their twins. Tan and Le 2019
// (1905.11946), 2021 (2104.00298).
#include <array>
#include <string>

#include "architectures/architectures.h"
#include "architectures/timm_blocks.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

using enum TimmStage::Kind;

struct Variant {
  std::string_view name;  // as most files of this shape are
  std::string_view twin;  // the other of the two
  bool second;            // EfficientNetV2
  TimmStage::Kind first;  // kind of the first stage of V2
  std::array<std::size_t, 7> depths;
  std::int64_t stem;  // channels
  std::int64_t head;  // channels of conv_head
};

constexpr std::array kVariants = {
    Variant{"timm/efficientnet_b0", "timm/tf_efficientnet_b0", false, separable, {1, 2, 2, 3, 3, 4, 1}, 32, 1280},
    Variant{"timm/efficientnet_b1", "timm/tf_efficientnet_b1", false, separable, {2, 3, 3, 4, 4, 5, 2}, 32, 1280},
    Variant{"timm/efficientnet_b2", "timm/tf_efficientnet_b2", false, separable, {2, 3, 3, 4, 4, 5, 2}, 32, 1408},
    Variant{"timm/efficientnet_b3", "timm/tf_efficientnet_b3", false, separable, {2, 3, 3, 5, 5, 6, 2}, 40, 1536},
    Variant{"timm/efficientnet_b4", "timm/tf_efficientnet_b4", false, separable, {2, 4, 4, 6, 6, 8, 2}, 48, 1792},
    Variant{"timm/efficientnet_b5", "timm/tf_efficientnet_b5", false, separable, {3, 5, 5, 7, 7, 9, 3}, 48, 2048},
    // No weights of these were published but the tf_ ones.
    Variant{"timm/tf_efficientnet_b6", "timm/efficientnet_b6", false, separable, {3, 6, 6, 8, 8, 11, 3}, 56, 2304},
    Variant{"timm/tf_efficientnet_b7", "timm/efficientnet_b7", false, separable, {4, 7, 7, 10, 10, 13, 4}, 64, 2560},
    Variant{"timm/tf_efficientnet_b8", "timm/efficientnet_b8", false, separable, {4, 8, 8, 11, 11, 15, 4}, 72, 2816},
    Variant{"timm/tf_efficientnetv2_s", "timm/efficientnetv2_s", true, conv, {2, 4, 4, 6, 9, 15, 0}, 24, 1280},
    Variant{"timm/tf_efficientnetv2_m", "timm/efficientnetv2_m", true, conv, {3, 5, 5, 7, 14, 18, 5}, 24, 1280},
    Variant{"timm/tf_efficientnetv2_l", "timm/efficientnetv2_l", true, conv, {4, 7, 7, 10, 19, 25, 7}, 32, 1280},
    Variant{"timm/tf_efficientnetv2_b0", {}, true, conv, {1, 2, 2, 3, 5, 8, 0}, 32, 1280},
    Variant{"timm/tf_efficientnetv2_b1", {}, true, conv, {2, 3, 3, 4, 6, 9, 0}, 32, 1280},
    Variant{"timm/tf_efficientnetv2_b2", {}, true, conv, {2, 3, 3, 4, 6, 10, 0}, 32, 1408},
    Variant{"timm/tf_efficientnetv2_b3", {}, true, conv, {2, 3, 3, 5, 7, 12, 0}, 40, 1536},
    Variant{"timm/efficientnetv2_rw_t", {}, true, conv, {2, 4, 4, 6, 9, 14, 0}, 24, 1024},
    Variant{"timm/efficientnetv2_rw_s", {}, true, edge, {2, 4, 4, 6, 9, 15, 0}, 24, 1792},
    Variant{"timm/efficientnetv2_rw_m", {}, true, edge, {3, 5, 5, 8, 15, 24, 0}, 32, 2152},
};

TimmMobile network_of(const Variant& variant, bool tensorflow) {
  constexpr std::array<std::int64_t, 7> kKernels = {3, 3, 5, 3, 5, 5, 3};
  constexpr std::array<std::int64_t, 7> kStrides = {1, 2, 2, 2, 1, 2, 1};
  TimmMobile network;
  for (std::size_t i = 0; i < variant.depths.size() && variant.depths[i] > 0; ++i) {
    if (variant.second) {
      const auto kind = i == 0 ? variant.first : i < 3 ? edge : inverted;
      network.stages.push_back({kind, variant.depths[i], 3, kStrides[i], i >= 3});
    } else {
      network.stages.push_back({i == 0 ? separable : inverted, variant.depths[i], kKernels[i], kStrides[i], true});
    }
  }
  network.activation = network.reduced = &GraphBuilder::silu;
  network.gate = &GraphBuilder::sigmoid;
  network.same = tensorflow;
  if (tensorflow) network.eps = 1e-3;
  return network;
}

bool is_tensorflow(std::string_view name) { return name.substr(0, 8) == "timm/tf_"; }

const Variant* variant_of(const Weights& w) {
  for (const Variant& variant : kVariants) {
    if (w.size("conv_stem.weight", 0) == variant.stem && w.size("conv_head.weight", 0) == variant.head &&
        fits(w, network_of(variant, false))) {
      return &variant;
    }
  }
  return nullptr;
}

template <bool kTwin>
std::optional<ArchitectureMatch> recognise(const Weights& w) {
  const Variant* variant = variant_of(w);
  if (variant == nullptr || (kTwin && variant->twin.empty())) return std::nullopt;
  const std::string_view name = kTwin ? variant->twin : variant->name;
  return ArchitectureMatch{std::string(name), Task::classify, linear_size(w, "classifier")};
}

template <bool kTwin>
Value build(GraphBuilder& g, const Weights& w, Value x) {
  const Variant* found = variant_of(w);
  const Variant& variant = found == nullptr ? kVariants.front() : *found;
  return timm_mobile(g, w, network_of(variant, is_tensorflow(kTwin ? variant.twin : variant.name)), x);
}

}  // namespace

Architecture timm_efficientnet_family() {
  Architecture family;
  family.family = "timm_efficientnet";
  family.source = "timm EfficientNet; arXiv 1905.11946, 2104.00298";
  for (const Variant& variant : kVariants) family.variants.push_back(variant.name);
  family.recognise = recognise<false>;
  family.build = build<false>;
  family.assumed_preset = timm_preset();
  family.same_keys =
      "timm's EfficientNets with and without tf_ in their names have the same names and shapes: results are wrong for "
      "the other one of the two, name it with --arch, such as timm/tf_efficientnet_b0";
  return family;
}

Architecture timm_efficientnet_twin_family() {
  Architecture family = timm_efficientnet_family();
  family.family = "timm_efficientnet_twin";
  family.variants.clear();
  for (const Variant& variant : kVariants) {
    if (!variant.twin.empty()) family.variants.push_back(variant.twin);
  }
  family.recognise = recognise<true>;
  family.build = build<true>;
  family.same_keys = {};
  family.by_name = true;
  return family;
}

}  // namespace ptrun::models
