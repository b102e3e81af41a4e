// MobileNetV2 of any width multiplier as torchvision builds it (torchvision/models/mobilenetv2.py).
// Sandler et al. 2018 (1801.04381).
#include <array>
#include <string>

#include "architectures/architectures.h"
#include "architectures/blocks.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

// Stride of features.1 to features.17; the paper's table 2 with its repeats written out.
constexpr std::array<std::int64_t, 17> kStrides = {1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1};
constexpr std::size_t kFeatures = kStrides.size() + 2;  // with the stem and the last 1x1 convolution

std::optional<ArchitectureMatch> recognise(const Weights& w) {
  const auto stem = w.shape("features.0.0.weight");
  const auto head = w.shape("classifier.1.weight");
  if (!stem || stem->size() != 4 || (*stem)[2] != 3 || !head || head->size() != 2) return std::nullopt;
  if ((w / "features").count() != kFeatures || !w.has("features.0.1.running_mean")) return std::nullopt;
  // The first block has no expansion: a depthwise convolution, then a projection. MobileNetV3 names it block.
  if (w.size("features.1.conv.0.0.weight", 1) != 1 || !w.has("features.1.conv.2.running_mean") ||
      !w.has("features.2.conv.3.running_mean")) {
    return std::nullopt;
  }
  return ArchitectureMatch{"mobilenet_v2", Task::classify, (*head)[0]};
}

constexpr Activation kRelu6 = &GraphBuilder::relu6;

Value inverted_residual(GraphBuilder& g, const Weights& w, Value x, std::int64_t stride) {
  const bool expands = w.has("3");
  const std::int64_t in = expands ? w.size("0.0.weight", 1) : w.size("0.0.weight", 0);
  const std::int64_t out = w.size(expands ? "2.weight" : "1.weight", 0);
  Value y = x;
  if (expands) y = conv_norm(g, w / "0", y, {.activation = kRelu6});
  y = conv_norm(g, w / (expands ? "1" : "0"), y, {.stride = stride, .groups = 0, .activation = kRelu6});
  y = conv_norm(g, w / (expands ? "2" : "1"), w / (expands ? "3" : "2"), y, {});
  return stride == 1 && in == out ? g.add(x, y) : y;
}

Value build(GraphBuilder& g, const Weights& w, Value x) {
  const Weights features = w / "features";
  x = conv_norm(g, features / "0", x, {.stride = 2, .activation = kRelu6});
  for (std::size_t i = 0; i < kStrides.size(); ++i) {
    x = inverted_residual(g, features / std::to_string(i + 1) / "conv", x, kStrides[i]);
  }
  x = conv_norm(g, features / std::to_string(kFeatures - 1), x, {.activation = kRelu6});
  return pool_and_classify(g, w / "classifier.1", x);
}

}  // namespace

Architecture mobilenet_v2_family() {
  Architecture family;
  family.family = "mobilenet_v2";
  family.source = "torchvision MobileNetV2; arXiv 1801.04381";
  family.variants = {"mobilenet_v2"};
  family.recognise = recognise;
  family.build = build;
  family.module_classes = {"torchvision.models.mobilenetv2.MobileNetV2", "torchvision.models.mobilenet.MobileNetV2"};
  family.assumed_preset = imagenet_preset(256);
  return family;
}

}  // namespace ptrun::models
