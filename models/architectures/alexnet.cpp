// AlexNet in the one-tower form that torchvision builds (torchvision/models/alexnet.py). Krizhevsky 2014 (1404.5997).
#include "architectures/architectures.h"
#include "architectures/blocks.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

constexpr std::int64_t kPooled = 6;  // height and width of what the classifier sees

std::optional<ArchitectureMatch> recognise(const Weights& w) {
  const std::int64_t classes = linear_size(w, "classifier.6");
  const bool fits = is_conv(w, "features.0.weight", 11) && is_conv(w, "features.3.weight", 5) &&
                    is_conv(w, "features.6.weight", 3) && is_conv(w, "features.8.weight", 3) &&
                    is_conv(w, "features.10.weight", 3) && (w / "features").count() == 5;
  if (!fits || classes == 0 || linear_size(w, "classifier.1") == 0 || linear_size(w, "classifier.4") == 0) {
    return std::nullopt;
  }
  return ArchitectureMatch{"alexnet", Task::classify, classes};
}

Value build(GraphBuilder& g, const Weights& w, Value x) {
  const Weights features = w / "features";
  const auto pool = [&](Value y) { return g.max_pool2d(y, {.kernel = 3, .stride = 2}); };
  x = pool(g.relu(biased_conv(g, features / "0", x, {.stride = 4, .padding = 2, .groups = 1})));
  x = pool(g.relu(biased_conv(g, features / "3", x, {.padding = 2, .groups = 1})));
  for (const char* number : {"6", "8", "10"}) {
    x = g.relu(biased_conv(g, features / number, x, {.padding = 1, .groups = 1}));
  }
  x = g.flatten(g.adaptive_avg_pool2d(pool(x), kPooled, kPooled));
  x = g.relu(biased_linear(g, w / "classifier.1", x));
  x = g.relu(biased_linear(g, w / "classifier.4", x));
  return biased_linear(g, w / "classifier.6", x);
}

}  // namespace

Architecture alexnet_family() {
  Architecture family;
  family.family = "alexnet";
  family.source = "torchvision AlexNet; arXiv 1404.5997";
  family.variants = {"alexnet"};
  family.recognise = recognise;
  family.build = build;
  family.module_classes = {"torchvision.models.alexnet.AlexNet"};
  family.assumed_preset = imagenet_preset(256);
  return family;
}

}  // namespace ptrun::models
