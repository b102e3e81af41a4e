// ResNet 18 to 152, ResNeXt and Wide ResNet as torchvision builds them (torchvision/models/resnet.py): bottlenecks
// carry their stride on the 3x3 convolution. He et al. 2015 (1512.03385), Xie et al. 2016 (1611.05431), Zagoruyko
// and Komodakis 2016 (1605.07146).
#include <array>
#include <string>

#include "architectures/architectures.h"
#include "architectures/blocks.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

// How a variant's names and shapes differ from the others'.
struct Variant {
  std::string_view name;
  bool bottleneck;
  std::array<std::size_t, 4> blocks;  // of layer1 to layer4
  std::int64_t groups;                // of the 3x3 convolutions
  std::int64_t base_width;            // channels of a group in layer1
};

constexpr std::array kVariants = {
    Variant{"resnet18", false, {2, 2, 2, 2}, 1, 64},         Variant{"resnet34", false, {3, 4, 6, 3}, 1, 64},
    Variant{"resnet50", true, {3, 4, 6, 3}, 1, 64},          Variant{"resnet101", true, {3, 4, 23, 3}, 1, 64},
    Variant{"resnet152", true, {3, 8, 36, 3}, 1, 64},        Variant{"resnext50_32x4d", true, {3, 4, 6, 3}, 32, 4},
    Variant{"resnext101_32x8d", true, {3, 4, 23, 3}, 32, 8}, Variant{"resnext101_64x4d", true, {3, 4, 23, 3}, 64, 4},
    Variant{"wide_resnet50_2", true, {3, 4, 6, 3}, 1, 128},  Variant{"wide_resnet101_2", true, {3, 4, 23, 3}, 1, 128},
};

// The name of a ResNet whose depth or width torchvision gives no name to.
constexpr std::string_view kOther = "resnet";

std::string layer_name(std::size_t stage) { return "layer" + std::to_string(stage); }

std::optional<ArchitectureMatch> recognise(const Weights& w) {
  const auto stem = w.shape("conv1.weight");
  const auto head = w.shape("fc.weight");
  // A 3x3 stem (CIFAR) has another stride and no pooling: not this network.
  if (!stem || stem->size() != 4 || (*stem)[2] != 7 || (*stem)[3] != 7) return std::nullopt;
  if (!head || head->size() != 2 || !w.has("bn1.running_mean") || w.has("layer5")) return std::nullopt;
  // timm_resnet.cpp's: squeeze and excitation, or a mean before the shortcut's convolution.
  if (w.has("layer1.0.se") || is_conv(w, "layer2.0.downsample.1.weight", 1)) return std::nullopt;

  Variant found{kOther, w.has("layer1.0.conv3.weight"), {}, 1, 64};
  for (std::size_t stage = 1; stage <= 4; ++stage) {
    const Weights layer = w / layer_name(stage);
    found.blocks[stage - 1] = layer.count();
    if (layer.count() == 0 || layer.shape("0.conv1.weight").value_or(std::vector<std::int64_t>{}).size() != 4 ||
        layer.has("0.conv3.weight") != found.bottleneck || !layer.has("0.bn2.running_mean")) {
      return std::nullopt;
    }
  }
  if (found.bottleneck) {
    const Weights block = w / "layer1.0";
    const std::int64_t width = block.size("conv2.weight", 0);
    const std::int64_t per_group = block.size("conv2.weight", 1);
    if (per_group <= 0 || width % per_group != 0) return std::nullopt;
    found.groups = width / per_group;
    found.base_width = per_group;
  }
  ArchitectureMatch match{std::string(kOther), Task::classify, (*head)[0]};
  for (const Variant& variant : kVariants) {
    if (variant.bottleneck == found.bottleneck && variant.blocks == found.blocks && variant.groups == found.groups &&
        variant.base_width == found.base_width) {
      match.name = variant.name;
    }
  }
  return match;
}

Value residual_block(GraphBuilder& g, const Weights& w, Value x, std::int64_t stride) {
  const bool bottleneck = w.has("conv3.weight");
  const std::int64_t in = w.size("conv1.weight", 1);
  const std::int64_t out = w.size(bottleneck ? "conv3.weight" : "conv2.weight", 0);
  Value y;
  if (bottleneck) {
    y = g.relu(g.batch_norm(w / "bn1", g.conv2d(w / "conv1", x)));
    y = g.relu(g.batch_norm(w / "bn2", g.conv2d(w / "conv2", y, {.stride = stride, .padding = 1})));
    y = g.batch_norm(w / "bn3", g.conv2d(w / "conv3", y));
  } else {
    y = g.relu(g.batch_norm(w / "bn1", g.conv2d(w / "conv1", x, {.stride = stride, .padding = 1, .groups = 1})));
    y = g.batch_norm(w / "bn2", g.conv2d(w / "conv2", y, {.padding = 1, .groups = 1}));
  }
  if (stride != 1 || in != out) {
    const Weights downsample = w / "downsample";
    x = g.batch_norm(downsample / "1", g.conv2d(downsample / "0", x, {.stride = stride}));
  }
  return g.relu(g.add(y, x));
}

Value build(GraphBuilder& g, const Weights& w, Value x) {
  x = g.relu(g.batch_norm(w / "bn1", g.conv2d(w / "conv1", x, {.stride = 2, .padding = 3, .groups = 1})));
  x = g.max_pool2d(x, {.kernel = 3, .stride = 2, .padding = 1});
  for (std::size_t stage = 1; stage <= 4; ++stage) {
    const Weights layer = w / layer_name(stage);
    // By number and not by items(): a gap in the numbers is a missing block, not a shorter network.
    const std::size_t blocks = layer.count();
    for (std::size_t i = 0; i < blocks; ++i) {
      x = residual_block(g, layer / std::to_string(i), x, stage > 1 && i == 0 ? 2 : 1);
    }
  }
  return pool_and_classify(g, w / "fc", x);
}

}  // namespace

Architecture resnet_family() {
  Architecture family;
  family.family = "resnet";
  family.source = "torchvision ResNet, ResNeXt, Wide ResNet; arXiv 1512.03385, 1611.05431, 1605.07146";
  for (const Variant& variant : kVariants) family.variants.push_back(variant.name);
  family.variants.push_back(kOther);
  family.recognise = recognise;
  family.build = build;
  family.module_classes = {"torchvision.models.resnet.ResNet"};
  family.assumed_preset = imagenet_preset(256);
  family.same_keys =
      "timm's ResNets have the same names and shapes: for those of Caffe (stride on the first 1x1 convolution) and "
      "resnetblur these results are wrong, and others (such as resnet50.a1_in1k) need another preset";
  return family;
}

}  // namespace ptrun::models
