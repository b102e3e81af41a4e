// SqueezeNet 1.0 and 1.1 as torchvision builds them (torchvision/models/squeezenet.py). Iandola et al. 2016
// (1602.07360).
#include <array>
#include <string>

#include "architectures/architectures.h"
#include "architectures/blocks.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

constexpr int kParts = 13;  // features.0 to features.12

struct Variant {
  std::string_view name;
  std::int64_t kernel;       // of the first convolution
  std::array<int, 3> pools;  // numbers of the max poolings in features
};

constexpr std::array kVariants = {Variant{"squeezenet1_0", 7, {2, 6, 11}}, Variant{"squeezenet1_1", 3, {2, 5, 8}}};

bool is_pool(const Variant& variant, int number) {
  return number == variant.pools[0] || number == variant.pools[1] || number == variant.pools[2];
}

bool fits(const Weights& w, const Variant& variant) {
  if (!is_conv(w, "features.0.weight", variant.kernel)) return false;
  for (int i = 2; i < kParts; ++i) {
    const Weights fire = w / "features" / std::to_string(i);
    const bool is_fire = is_conv(fire, "squeeze.weight", 1) && is_conv(fire, "expand1x1.weight", 1) &&
                         is_conv(fire, "expand3x3.weight", 3);
    if (is_fire == is_pool(variant, i)) return false;
  }
  return true;
}

std::optional<ArchitectureMatch> recognise(const Weights& w) {
  if (!is_conv(w, "classifier.1.weight", 1)) return std::nullopt;
  for (const Variant& variant : kVariants) {
    if (!fits(w, variant)) continue;
    return ArchitectureMatch{std::string(variant.name), Task::classify, w.size("classifier.1.weight", 0)};
  }
  return std::nullopt;
}

Value build(GraphBuilder& g, const Weights& w, Value x) {
  const Weights features = w / "features";
  const Variant& variant = kVariants[features.size("0.weight", 2) == kVariants[0].kernel ? 0 : 1];
  x = g.relu(biased_conv(g, features / "0", x, {.stride = 2, .groups = 1}));
  for (int i = 2; i < kParts; ++i) {
    if (is_pool(variant, i)) {
      x = g.max_pool2d(x, {.kernel = 3, .stride = 2, .ceil_mode = true});
      continue;
    }
    const Weights fire = features / std::to_string(i);
    x = g.relu(biased_conv(g, fire / "squeeze", x, {.groups = 1}));
    x = g.cat({g.relu(biased_conv(g, fire / "expand1x1", x, {.groups = 1})),
               g.relu(biased_conv(g, fire / "expand3x3", x, {.padding = 1, .groups = 1}))},
              1);
  }
  x = g.relu(biased_conv(g, w / "classifier.1", x, {.groups = 1}));
  return g.flatten(g.adaptive_avg_pool2d(x, 1, 1));
}

}  // namespace

Architecture squeezenet_family() {
  Architecture family;
  family.family = "squeezenet";
  family.source = "torchvision SqueezeNet; arXiv 1602.07360";
  for (const Variant& variant : kVariants) family.variants.push_back(variant.name);
  family.recognise = recognise;
  family.build = build;
  family.module_classes = {"torchvision.models.squeezenet.SqueezeNet"};
  family.assumed_preset = imagenet_preset(256);
  return family;
}

}  // namespace ptrun::models
