// ShuffleNetV2 of any width as torchvision builds it (torchvision/models/shufflenetv2.py). Ma et al. 2018 (1807.11164).
#include <array>
#include <string>

#include "architectures/architectures.h"
#include "architectures/blocks.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

struct Variant {
  std::string_view name;
  std::int64_t width;  // channels of stage2
  std::int64_t last;   // channels of conv5
};

constexpr std::array kVariants = {
    Variant{"shufflenet_v2_x0_5", 48, 1024},
    Variant{"shufflenet_v2_x1_0", 116, 1024},
    Variant{"shufflenet_v2_x1_5", 176, 1024},
    Variant{"shufflenet_v2_x2_0", 244, 2048},
};
// The name of a ShuffleNetV2 of another depth or width.
constexpr std::string_view kOther = "shufflenet_v2";
constexpr std::array<std::size_t, 3> kDepths = {4, 8, 4};
constexpr std::array kStages = {"stage2", "stage3", "stage4"};

std::optional<ArchitectureMatch> recognise(const Weights& w) {
  const std::int64_t classes = linear_size(w, "fc");
  if (classes == 0 || !is_conv(w, "conv1.0.weight", 3) || !is_conv(w, "conv5.0.weight", 1)) return std::nullopt;
  bool usual = true;
  for (std::size_t i = 0; i < kStages.size(); ++i) {
    const Weights stage = w / kStages[i];
    // The first block halves the image, so that both its branches have weights; the others pass one half through.
    if (!is_conv(stage, "0.branch1.0.weight", 3) || !is_conv(stage, "0.branch2.3.weight", 3) ||
        stage.has("1.branch1")) {
      return std::nullopt;
    }
    usual = usual && stage.count() == kDepths[i];
  }
  ArchitectureMatch match{std::string(kOther), Task::classify, classes};
  for (const Variant& variant : kVariants) {
    if (usual && variant.width == 2 * w.size("stage2.0.branch1.2.weight", 0) &&
        variant.last == w.size("conv5.0.weight", 0)) {
      match.name = variant.name;
    }
  }
  return match;
}

Value conv(GraphBuilder& g, const Weights& w, int number, Value x, const ConvNormOptions& options) {
  return conv_norm(g, w / std::to_string(number), w / std::to_string(number + 1), x, options);
}

// Channels of two halves a0 a1 .. b0 b1 .. in the order a0 b0 a1 b1 ..
Value shuffle(GraphBuilder& g, Value x, std::int64_t half) {
  const Value height = g.size(x, 2);
  const Value width = g.size(x, 3);
  x = g.transpose(g.reshape(x, {-1, 2, half, height, width}), 1, 2);
  return g.reshape(x, {-1, 2 * half, height, width});
}

Value block_of(GraphBuilder& g, const Weights& w, Value x) {
  constexpr Activation kRelu = &GraphBuilder::relu;
  const Weights right = w / "branch2";
  const Weights left = w / "branch1";
  const std::int64_t half = right.size("5.weight", 0);
  const bool halves = left.has("0.weight");
  Value a = halves ? x : g.slice(x, 1, 0, half);
  Value b = halves ? x : g.slice(x, 1, half, 2 * half);
  if (halves) a = conv(g, left, 2, conv(g, left, 0, a, {.stride = 2, .groups = 0}), {.activation = kRelu});
  b = conv(g, right, 0, b, {.activation = kRelu});
  b = conv(g, right, 3, b, {.stride = halves ? 2 : 1, .groups = 0});
  b = conv(g, right, 5, b, {.activation = kRelu});
  return shuffle(g, g.cat({a, b}, 1), half);
}

Value build(GraphBuilder& g, const Weights& w, Value x) {
  x = conv_norm(g, w / "conv1", x, {.stride = 2, .activation = &GraphBuilder::relu});
  x = g.max_pool2d(x, {.kernel = 3, .stride = 2, .padding = 1});
  for (const char* name : kStages) {
    const Weights stage = w / name;
    const std::size_t count = stage.count();
    for (std::size_t i = 0; i < count; ++i) x = block_of(g, stage / std::to_string(i), x);
  }
  x = conv_norm(g, w / "conv5", x, {.activation = &GraphBuilder::relu});
  return biased_linear(g, w / "fc", g.mean(x, {2, 3}));
}

}  // namespace

Architecture shufflenet_v2_family() {
  Architecture family;
  family.family = "shufflenet_v2";
  family.source = "torchvision ShuffleNetV2; arXiv 1807.11164";
  for (const Variant& variant : kVariants) family.variants.push_back(variant.name);
  family.variants.push_back(kOther);
  family.recognise = recognise;
  family.build = build;
  family.module_classes = {"torchvision.models.shufflenetv2.ShuffleNetV2"};
  family.assumed_preset = imagenet_preset(256);
  return family;
}

}  // namespace ptrun::models
