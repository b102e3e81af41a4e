// MNASNet of any width as torchvision builds it (torchvision/models/mnasnet.py), also the files of its first version,
// whose stem has the widths of mnasnet1_0. Tan et al. 2018 (1807.11626).
#include <array>
#include <string>

#include "architectures/architectures.h"
#include "architectures/blocks.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

// A stack of inverted residuals, layers.8 to layers.13.
struct Stack {
  std::size_t depth;
  std::int64_t kernel;
  std::int64_t stride;  // of its first block
};
constexpr std::size_t kFirst = 8;
constexpr std::array kStacks = {Stack{3, 3, 2}, Stack{3, 5, 2}, Stack{3, 5, 2},
                                Stack{2, 3, 1}, Stack{4, 5, 2}, Stack{1, 3, 1}};

struct Variant {
  std::string_view name;
  std::int64_t width;  // channels of the last stack
};
constexpr std::array kVariants = {Variant{"mnasnet0_5", 160}, Variant{"mnasnet0_75", 240}, Variant{"mnasnet1_0", 320},
                                  Variant{"mnasnet1_3", 416}};
// The name of an MNASNet of another width.
constexpr std::string_view kOther = "mnasnet";

std::optional<ArchitectureMatch> recognise(const Weights& w) {
  const Weights layers = w / "layers";
  const std::int64_t classes = linear_size(w, "classifier.1");
  if (classes == 0 || !is_conv(layers, "0.weight", 3) || !is_conv(layers, "3.weight", 3) ||
      layers.size("3.weight", 1) != 1 || !is_conv(layers, "6.weight", 1) || !is_conv(layers, "14.weight", 1)) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < kStacks.size(); ++i) {
    const Weights stack = layers / std::to_string(kFirst + i);
    if (stack.count() != kStacks[i].depth || !is_conv(stack, "0.layers.3.weight", kStacks[i].kernel)) {
      return std::nullopt;
    }
  }
  ArchitectureMatch match{std::string(kOther), Task::classify, classes};
  for (const Variant& variant : kVariants) {
    if (layers.size("13.0.layers.6.weight", 0) == variant.width) match.name = variant.name;
  }
  return match;
}

Value conv(GraphBuilder& g, const Weights& w, int number, Value x, const ConvNormOptions& options) {
  return conv_norm(g, w / std::to_string(number), w / std::to_string(number + 1), x, options);
}

Value inverted_residual(GraphBuilder& g, const Weights& w, Value x, std::int64_t stride) {
  constexpr Activation kRelu = &GraphBuilder::relu;
  Value y = conv(g, w, 0, x, {.activation = kRelu});
  y = conv(g, w, 3, y, {.stride = stride, .groups = 0, .activation = kRelu});
  y = conv(g, w, 6, y, {});
  return stride == 1 && w.size("0.weight", 1) == w.size("6.weight", 0) ? g.add(y, x) : y;
}

Value build(GraphBuilder& g, const Weights& w, Value x) {
  constexpr Activation kRelu = &GraphBuilder::relu;
  const Weights layers = w / "layers";
  x = conv(g, layers, 0, x, {.stride = 2, .activation = kRelu});
  x = conv(g, layers, 3, x, {.groups = 0, .activation = kRelu});
  x = conv(g, layers, 6, x, {});
  for (std::size_t i = 0; i < kStacks.size(); ++i) {
    const Weights stack = layers / std::to_string(kFirst + i);
    for (std::size_t j = 0; j < kStacks[i].depth; ++j) {
      const Weights block = stack / std::to_string(j) / "layers";
      x = inverted_residual(g, block, x, j == 0 ? kStacks[i].stride : 1);
    }
  }
  x = conv(g, layers, 14, x, {.activation = kRelu});
  return biased_linear(g, w / "classifier.1", g.mean(x, {2, 3}));
}

}  // namespace

Architecture mnasnet_family() {
  Architecture family;
  family.family = "mnasnet";
  family.source = "torchvision MNASNet; arXiv 1807.11626";
  for (const Variant& variant : kVariants) family.variants.push_back(variant.name);
  family.variants.push_back(kOther);
  family.recognise = recognise;
  family.build = build;
  family.module_classes = {"torchvision.models.mnasnet.MNASNet"};
  family.assumed_preset = imagenet_preset(256);
  return family;
}

}  // namespace ptrun::models
