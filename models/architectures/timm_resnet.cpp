// timm's ResNets that torchvision does not have (timm/models/resnet.py): three 3x3 convolutions as a stem, a mean
// before the shortcut's convolution, squeeze and excitation; those without any of these are resnet.cpp's. He et al.
// 2018 (1812.01187), Hu et al. 2017 (1709.01507).
#include <array>
#include <string>

#include "architectures/architectures.h"
#include "architectures/blocks.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

constexpr Activation kRelu = &GraphBuilder::relu;

struct Depth {
  std::array<std::size_t, 4> blocks;
  int basic;  // the number in the name
  int bottleneck;
};

constexpr std::array kDepths = {
    Depth{{1, 1, 1, 1}, 10, 14},  Depth{{2, 2, 2, 2}, 18, 26},  Depth{{3, 4, 6, 3}, 34, 50},
    Depth{{3, 4, 23, 3}, 0, 101}, Depth{{3, 8, 36, 3}, 0, 152}, Depth{{3, 24, 36, 3}, 0, 200},
};
// The name of one of another depth.
constexpr std::string_view kOther = "timm/resnet";

std::string layer_name(std::size_t stage) { return "layer" + std::to_string(stage); }

bool is_deep(const Weights& w) { return w.has("conv1.6.weight"); }
bool squeezes(const Weights& w) { return w.has("layer1.0.se.fc1.weight"); }
// A mean, without weights, stands first in its shortcuts.
bool averages(const Weights& w) { return is_conv(w, "layer2.0.downsample.1.weight", 1); }
bool is_bottleneck(const Weights& w) { return w.has("layer1.0.conv3.weight"); }

std::string name_of(const Weights& w, const std::array<std::size_t, 4>& blocks) {
  const bool bottleneck = is_bottleneck(w);
  const std::int64_t per_group = w.size("layer1.0.conv2.weight", 1);
  const std::int64_t groups = bottleneck && per_group > 0 ? w.size("layer1.0.conv2.weight", 0) / per_group : 1;
  for (const Depth& depth : kDepths) {
    if (depth.blocks != blocks) continue;
    std::string name = squeezes(w) ? "timm/seres" : "timm/res";
    name += (groups > 1 ? "next" : "net") + std::to_string(bottleneck ? depth.bottleneck : depth.basic);
    if (is_deep(w)) name += !averages(w) ? "c" : w.size("conv1.0.weight", 0) == 24 ? "t" : "d";
    if (groups > 1) name += "_" + std::to_string(groups) + "x" + std::to_string(per_group) + "d";
    return name;
  }
  return std::string(kOther);
}

std::optional<ArchitectureMatch> recognise(const Weights& w) {
  const std::int64_t classes = linear_size(w, "fc");
  const bool stem =
      is_deep(w) ? is_conv(w, "conv1.0.weight", 3) && is_conv(w, "conv1.3.weight", 3) && is_conv(w, "conv1.6.weight", 3)
                 : is_conv(w, "conv1.weight", 7);
  if (classes == 0 || !stem || !w.has("bn1.running_mean") || w.has("layer5") || w.has("maxpool") ||
      !(is_deep(w) || squeezes(w) || averages(w))) {
    return std::nullopt;
  }
  std::array<std::size_t, 4> blocks{};
  for (std::size_t stage = 1; stage <= blocks.size(); ++stage) {
    const Weights layer = w / layer_name(stage);
    blocks[stage - 1] = layer.count();
    if (layer.shape("0.conv1.weight").value_or(std::vector<std::int64_t>{}).size() != 4 ||
        layer.has("0.conv3.weight") != is_bottleneck(w) || layer.has("0.se.fc1.weight") != squeezes(w)) {
      return std::nullopt;
    }
  }
  return ArchitectureMatch{name_of(w, blocks), Task::classify, classes};
}

// Groups come from the weight of a convolution and the channels before it.
Value conv_of(GraphBuilder& g, const Weights& w, const char* conv, const char* norm, Value x, std::int64_t stride,
              std::int64_t in, Activation activation) {
  const std::int64_t of_group = (w / conv).size("weight", 1);
  const std::int64_t groups = of_group > 0 && in % of_group == 0 ? in / of_group : 1;
  return conv_norm(g, w / conv, w / norm, x, {.stride = stride, .groups = groups, .activation = activation});
}

Value shortcut(GraphBuilder& g, const Weights& w, Value x, std::int64_t stride) {
  if (!is_conv(w, "1.weight", 1)) return conv_norm(g, w / "0", w / "1", x, {.stride = stride});
  const Pool2dOptions mean = {.kernel = 2, .stride = 2, .ceil_mode = true, .count_include_pad = false};
  return conv_norm(g, w / "1", w / "2", stride == 1 ? x : g.avg_pool2d(x, mean), {});
}

Value block_of(GraphBuilder& g, const Weights& w, bool squeezed, Value x, std::int64_t stride) {
  const bool bottleneck = w.has("conv3.weight");
  const std::int64_t in = w.size("conv1.weight", 1);
  const std::int64_t width = w.size("conv1.weight", 0);
  const std::int64_t out = w.size(bottleneck ? "conv3.weight" : "conv2.weight", 0);
  Value y = conv_of(g, w, "conv1", "bn1", x, bottleneck ? 1 : stride, in, kRelu);
  y = conv_of(g, w, "conv2", "bn2", y, bottleneck ? stride : 1, width, bottleneck ? kRelu : nullptr);
  if (bottleneck) y = conv_of(g, w, "conv3", "bn3", y, 1, w.size("conv2.weight", 0), nullptr);
  if (squeezed) y = squeeze_excitation(g, w / "se.fc1", w / "se.fc2", y, kRelu, &GraphBuilder::sigmoid);
  if (stride != 1 || in != out) x = shortcut(g, w / "downsample", x, stride);
  return g.relu(g.add(y, x));
}

Value build(GraphBuilder& g, const Weights& w, Value x) {
  if (is_deep(w)) {
    const Weights stem = w / "conv1";
    x = conv_norm(g, stem / "0", stem / "1", x, {.stride = 2, .activation = kRelu});
    x = conv_norm(g, stem / "3", stem / "4", x, {.activation = kRelu});
    x = conv_norm(g, stem / "6", w / "bn1", x, {.activation = kRelu});
  } else {
    x = conv_norm(g, w / "conv1", w / "bn1", x, {.stride = 2, .activation = kRelu});
  }
  x = g.max_pool2d(x, {.kernel = 3, .stride = 2, .padding = 1});
  const bool squeezed = squeezes(w);
  for (std::size_t stage = 1; stage <= 4; ++stage) {
    const Weights layer = w / layer_name(stage);
    const std::size_t blocks = layer.count();
    for (std::size_t i = 0; i < blocks; ++i) {
      x = block_of(g, layer / std::to_string(i), squeezed, x, stage > 1 && i == 0 ? 2 : 1);
    }
  }
  return pool_and_classify(g, w / "fc", x);
}

}  // namespace

Architecture timm_resnet_family() {
  Architecture family;
  family.family = "timm_resnet";
  family.source = "timm ResNet (c, d and t stems, squeeze and excitation); arXiv 1812.01187, 1709.01507";
  family.variants = {
      "timm/resnet10t",          "timm/resnet14t",          "timm/resnet18d",           "timm/resnet26d",
      "timm/resnet26t",          "timm/resnet34d",          "timm/resnet50c",           "timm/resnet50d",
      "timm/resnet101c",         "timm/resnet101d",         "timm/resnet152c",          "timm/resnet152d",
      "timm/resnet200d",         "timm/resnext50d_32x4d",   "timm/seresnet50",          "timm/seresnet152d",
      "timm/seresnext26d_32x4d", "timm/seresnext26t_32x4d", "timm/seresnext50_32x4d",   "timm/seresnext101_32x4d",
      "timm/seresnext101_32x8d", "timm/seresnext101_64x4d", "timm/seresnext101d_32x8d", kOther};
  family.recognise = recognise;
  family.build = build;
  family.assumed_preset = timm_preset();
  family.same_keys =
      "timm's ResNets that average or blur before their strides (resnetaa50d, seresnextaa101d) have the same names and "
      "shapes: for those these results are wrong";
  return family;
}

}  // namespace ptrun::models
