// MobileNetV2 and V3 of any width multiplier as timm builds them (timm/models/{efficientnet,mobilenetv3}.py): other
// names than torchvision's, and batch norms of V3 with another eps. Sandler et al. 2018 (1801.04381), Howard et al.
// 2019 (1905.02244).
#include <array>
#include <string>

#include "architectures/architectures.h"
#include "architectures/timm_blocks.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

using enum TimmStage::Kind;

constexpr Activation kRelu = &GraphBuilder::relu;

TimmMobile mobilenet_v2(const std::array<std::size_t, 7>& depths) {
  constexpr std::array<std::int64_t, 7> kStrides = {1, 2, 2, 2, 1, 2, 1};
  TimmMobile network;
  for (std::size_t i = 0; i < depths.size(); ++i) {
    network.stages.push_back({i == 0 ? separable : inverted, depths[i], 3, kStrides[i], false});
  }
  network.activation = &GraphBuilder::relu6;
  return network;
}

TimmMobile mobilenet_v3(bool large, bool tensorflow) {
  TimmMobile network;
  if (large) {
    network.stages = {{separable, 1, 3, 1, false, kRelu},
                      {inverted, 2, 3, 2, false, kRelu},
                      {inverted, 3, 5, 2, true, kRelu},
                      {inverted, 4, 3, 2, false},
                      {inverted, 2, 3, 1, true},
                      {inverted, 3, 5, 2, true},
                      {conv, 1, 1, 1, false}};
  } else {
    network.stages = {{separable, 1, 3, 2, true, kRelu}, {inverted, 2, 3, 2, false, kRelu}, {inverted, 3, 5, 2, true},
                      {inverted, 2, 5, 1, true},         {inverted, 3, 5, 2, true},         {conv, 1, 1, 1, false}};
  }
  network.activation = &GraphBuilder::hardswish;
  network.reduced = kRelu;
  network.gate = &GraphBuilder::hardsigmoid;
  network.pools_first = true;
  network.same = tensorflow;
  if (tensorflow) network.eps = 1e-3;
  return network;
}

struct VariantV2 {
  std::string_view name;
  std::array<std::size_t, 7> depths;
  std::int64_t last;  // channels of the last block
};

constexpr std::array kVariantsV2 = {
    VariantV2{"timm/mobilenetv2_035", {1, 2, 3, 4, 3, 3, 1}, 112},
    VariantV2{"timm/mobilenetv2_050", {1, 2, 3, 4, 3, 3, 1}, 160},
    VariantV2{"timm/mobilenetv2_075", {1, 2, 3, 4, 3, 3, 1}, 240},
    VariantV2{"timm/mobilenetv2_100", {1, 2, 3, 4, 3, 3, 1}, 320},
    VariantV2{"timm/mobilenetv2_140", {1, 2, 3, 4, 3, 3, 1}, 448},
    VariantV2{"timm/mobilenetv2_110d", {1, 3, 4, 5, 4, 4, 1}, 352},
    VariantV2{"timm/mobilenetv2_120d", {1, 3, 5, 6, 5, 5, 1}, 384},
};
// The name of one of another width.
constexpr std::string_view kOtherV2 = "timm/mobilenetv2";

const VariantV2* shape_v2(const Weights& w) {
  const VariantV2* found = nullptr;
  for (const VariantV2& variant : kVariantsV2) {
    if ((found != nullptr && found->depths == variant.depths) || !fits(w, mobilenet_v2(variant.depths))) continue;
    found = &variant;
  }
  return found;
}

std::optional<ArchitectureMatch> recognise_v2(const Weights& w) {
  const VariantV2* shape = shape_v2(w);
  if (shape == nullptr) return std::nullopt;
  ArchitectureMatch match{std::string(kOtherV2), Task::classify, linear_size(w, "classifier")};
  for (const VariantV2& variant : kVariantsV2) {
    const bool wide = w.size("blocks.6.0.conv_pwl.weight", 0) == variant.last;
    if (wide && variant.depths == shape->depths) match.name = variant.name;
  }
  return match;
}

Value build_v2(GraphBuilder& g, const Weights& w, Value x) {
  const VariantV2* shape = shape_v2(w);
  return timm_mobile(g, w, mobilenet_v2((shape == nullptr ? kVariantsV2.front() : *shape).depths), x);
}

struct VariantV3 {
  std::string_view name;
  std::string_view tensorflow;  // the same with TensorFlow's padding and eps
  bool large;
  std::int64_t last;  // channels of the last block
};

constexpr std::array kVariantsV3 = {
    VariantV3{"timm/mobilenetv3_large_075", "timm/tf_mobilenetv3_large_075", true, 720},
    VariantV3{"timm/mobilenetv3_large_100", "timm/tf_mobilenetv3_large_100", true, 960},
    VariantV3{"timm/mobilenetv3_large_150", "timm/tf_mobilenetv3_large_150", true, 1440},
    VariantV3{"timm/mobilenetv3_small_050", "timm/tf_mobilenetv3_small_050", false, 288},
    VariantV3{"timm/mobilenetv3_small_075", "timm/tf_mobilenetv3_small_075", false, 432},
    VariantV3{"timm/mobilenetv3_small_100", "timm/tf_mobilenetv3_small_100", false, 576},
};

std::optional<ArchitectureMatch> recognise_v3(const Weights& w, bool tensorflow) {
  const bool large = fits(w, mobilenet_v3(true, tensorflow));
  if (!large && !fits(w, mobilenet_v3(false, tensorflow))) return std::nullopt;
  ArchitectureMatch match{tensorflow ? "timm/tf_mobilenetv3" : "timm/mobilenetv3", Task::classify,
                          linear_size(w, "classifier")};
  for (const VariantV3& variant : kVariantsV3) {
    if (variant.large != large || variant.last != w.size("conv_head.weight", 1)) continue;
    match.name = tensorflow ? variant.tensorflow : variant.name;
  }
  return match;
}

template <bool kTensorflow>
std::optional<ArchitectureMatch> recognise_v3(const Weights& w) {
  return recognise_v3(w, kTensorflow);
}

template <bool kTensorflow>
Value build_v3(GraphBuilder& g, const Weights& w, Value x) {
  return timm_mobile(g, w, mobilenet_v3((w / "blocks").count() == 7, kTensorflow), x);
}

}  // namespace

Architecture timm_mobilenet_v2_family() {
  Architecture family;
  family.family = "timm_mobilenetv2";
  family.source = "timm EfficientNet (mobilenetv2); arXiv 1801.04381";
  for (const VariantV2& variant : kVariantsV2) family.variants.push_back(variant.name);
  family.variants.push_back(kOtherV2);
  family.recognise = recognise_v2;
  family.build = build_v2;
  family.assumed_preset = timm_preset();
  return family;
}

Architecture timm_mobilenet_v3_family() {
  Architecture family;
  family.family = "timm_mobilenetv3";
  family.source = "timm MobileNetV3; arXiv 1905.02244";
  for (const VariantV3& variant : kVariantsV3) family.variants.push_back(variant.name);
  family.variants.emplace_back("timm/mobilenetv3");
  family.recognise = recognise_v3<false>;
  family.build = build_v3<false>;
  family.assumed_preset = timm_preset();
  family.same_keys =
      "timm's tf_mobilenetv3 have the same names and shapes: for those these results are wrong, name them with --arch "
      "timm/tf_mobilenetv3_large_100";
  return family;
}

Architecture timm_tf_mobilenet_v3_family() {
  Architecture family = timm_mobilenet_v3_family();
  family.family = "timm_tf_mobilenetv3";
  family.variants.clear();
  for (const VariantV3& variant : kVariantsV3) family.variants.push_back(variant.tensorflow);
  family.variants.emplace_back("timm/tf_mobilenetv3");
  family.recognise = recognise_v3<true>;
  family.build = build_v3<true>;
  family.same_keys = {};
  family.by_name = true;
  return family;
}

}  // namespace ptrun::models
