// GoogLeNet as torchvision builds it (torchvision/models/googlenet.py, batch norms with eps 1e-3). Szegedy et al. 2014
// (1409.4842).
//
// torchvision's published weights are used with transform_input, which undoes ImageNet's mean and deviation and takes
// 0.5 for both. The file does not say so; for this network the published preset has these means instead, which is the
// same (PublishedWeights::built_mean).
#include <array>
#include <string>

#include "architectures/architectures.h"
#include "architectures/blocks.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

constexpr std::array kBlocks = {"inception3a", "inception3b", "inception4a", "inception4b", "inception4c",
                                "inception4d", "inception4e", "inception5a", "inception5b"};

std::optional<ArchitectureMatch> recognise(const Weights& w) {
  const std::int64_t classes = linear_size(w, "fc");
  if (classes == 0 || !is_conv(w, "conv1.conv.weight", 7) || !is_conv(w, "conv2.conv.weight", 1) ||
      !is_conv(w, "conv3.conv.weight", 3)) {
    return std::nullopt;
  }
  for (const char* name : kBlocks) {
    const Weights block = w / name;
    // torchvision's third branch has 3x3 kernels, where the paper has 5x5.
    if (!is_conv(block, "branch1.conv.weight", 1) || !is_conv(block, "branch2.1.conv.weight", 3) ||
        !is_conv(block, "branch3.1.conv.weight", 3) || !is_conv(block, "branch4.1.conv.weight", 1)) {
      return std::nullopt;
    }
  }
  return ArchitectureMatch{"googlenet", Task::classify, classes};
}

Value conv(GraphBuilder& g, const Weights& w, Value x, std::int64_t stride = 1) {
  return conv_norm(g, w / "conv", w / "bn", x, {.stride = stride, .activation = &GraphBuilder::relu, .eps = 1e-3});
}

Value inception(GraphBuilder& g, const Weights& w, Value x) {
  const Value pooled = g.max_pool2d(x, {.kernel = 3, .stride = 1, .padding = 1, .ceil_mode = true});
  return g.cat({conv(g, w / "branch1", x), conv(g, w / "branch2.1", conv(g, w / "branch2.0", x)),
                conv(g, w / "branch3.1", conv(g, w / "branch3.0", x)), conv(g, w / "branch4.1", pooled)},
               1);
}

Value build(GraphBuilder& g, const Weights& w, Value x) {
  const Pool2dOptions halve = {.kernel = 3, .stride = 2, .ceil_mode = true};
  x = g.max_pool2d(conv(g, w / "conv1", x, 2), halve);
  x = g.max_pool2d(conv(g, w / "conv3", conv(g, w / "conv2", x)), halve);
  for (const std::string_view name : kBlocks) {
    if (name == "inception4a") x = g.max_pool2d(x, halve);
    if (name == "inception5a") x = g.max_pool2d(x, {.kernel = 2, .stride = 2, .ceil_mode = true});
    x = inception(g, w / name, x);
  }
  // Used in training alone.
  g.skip(w / "aux1");
  g.skip(w / "aux2");
  return pool_and_classify(g, w / "fc", x);
}

}  // namespace

Architecture googlenet_family() {
  Architecture family;
  family.family = "googlenet";
  family.source = "torchvision GoogLeNet; arXiv 1409.4842";
  family.variants = {"googlenet"};
  family.recognise = recognise;
  family.build = build;
  family.module_classes = {"torchvision.models.googlenet.GoogLeNet"};
  family.assumed_preset = imagenet_preset(256);
  return family;
}

}  // namespace ptrun::models
