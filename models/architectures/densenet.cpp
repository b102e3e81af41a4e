// DenseNet 121 to 201 as torchvision builds them (torchvision/models/densenet.py). Huang et al. 2016 (1608.06993).
#include <array>
#include <string>

#include "architectures/architectures.h"
#include "architectures/blocks.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

constexpr std::size_t kBlocks = 4;

struct Variant {
  std::string_view name;
  std::array<std::size_t, kBlocks> depths;
  std::int64_t growth;  // channels that each layer adds
};

constexpr std::array kVariants = {
    Variant{"densenet121", {6, 12, 24, 16}, 32},
    Variant{"densenet161", {6, 12, 36, 24}, 48},
    Variant{"densenet169", {6, 12, 32, 32}, 32},
    Variant{"densenet201", {6, 12, 48, 32}, 32},
};
// The name of a DenseNet of another depth or growth.
constexpr std::string_view kOther = "densenet";

Weights block_of(const Weights& w, std::size_t number) {
  return w / "features" / ("denseblock" + std::to_string(number));
}

// "norm1", or "norm.1" as torchvision's published files spell it.
Weights part_of(const Weights& layer, const std::string& kind, const std::string& number) {
  return layer / (kind + (layer.has("norm.1") ? "." : "") + number);
}

std::optional<ArchitectureMatch> recognise(const Weights& w) {
  const std::int64_t classes = linear_size(w, "classifier");
  if (classes == 0 || !is_conv(w, "features.conv0.weight", 7) || !w.has("features.norm5.running_mean") ||
      count_named(w / "features", "denseblock") != kBlocks ||
      count_named(w / "features", "transition") != kBlocks - 1) {
    return std::nullopt;
  }
  std::array<std::size_t, kBlocks> depths{};
  std::int64_t growth = 0;
  for (std::size_t i = 0; i < kBlocks; ++i) {
    const Weights block = block_of(w, i + 1);
    depths[i] = count_named(block, "denselayer");
    const Weights first = part_of(block / "denselayer1", "conv", "2");
    if (!is_conv(first, "weight", 3)) return std::nullopt;
    growth = first.size("weight", 0);
  }
  ArchitectureMatch match{std::string(kOther), Task::classify, classes};
  for (const Variant& variant : kVariants) {
    if (variant.depths == depths && variant.growth == growth) match.name = variant.name;
  }
  return match;
}

Value dense_block(GraphBuilder& g, const Weights& w, Value x) {
  std::vector<Value> features = {x};
  const std::size_t layers = count_named(w, "denselayer");
  for (std::size_t i = 1; i <= layers; ++i) {
    const Weights layer = w / ("denselayer" + std::to_string(i));
    Value y = features.size() == 1 ? x : g.cat(features, 1);
    y = g.relu(g.batch_norm(part_of(layer, "norm", "1"), y));
    y = g.conv2d(part_of(layer, "conv", "1"), y, {.groups = 1});
    y = g.relu(g.batch_norm(part_of(layer, "norm", "2"), y));
    features.push_back(g.conv2d(part_of(layer, "conv", "2"), y, {.padding = 1, .groups = 1}));
  }
  return g.cat(features, 1);
}

Value build(GraphBuilder& g, const Weights& w, Value x) {
  const Weights features = w / "features";
  x = g.conv2d(features / "conv0", x, {.stride = 2, .padding = 3, .groups = 1});
  x = g.max_pool2d(g.relu(g.batch_norm(features / "norm0", x)), {.kernel = 3, .stride = 2, .padding = 1});
  for (std::size_t i = 1; i <= kBlocks; ++i) {
    x = dense_block(g, block_of(w, i), x);
    if (i == kBlocks) break;
    const Weights transition = features / ("transition" + std::to_string(i));
    x = g.conv2d(transition / "conv", g.relu(g.batch_norm(transition / "norm", x)), {.groups = 1});
    x = g.avg_pool2d(x, {.kernel = 2});
  }
  return pool_and_classify(g, w / "classifier", g.relu(g.batch_norm(features / "norm5", x)));
}

}  // namespace

Architecture densenet_family() {
  Architecture family;
  family.family = "densenet";
  family.source = "torchvision DenseNet; arXiv 1608.06993";
  for (const Variant& variant : kVariants) family.variants.push_back(variant.name);
  family.variants.push_back(kOther);
  family.recognise = recognise;
  family.build = build;
  family.module_classes = {"torchvision.models.densenet.DenseNet"};
  family.assumed_preset = imagenet_preset(256);
  return family;
}

}  // namespace ptrun::models
