// VGG 11 to 19, with and without batch norms, as torchvision builds them (torchvision/models/vgg.py). Simonyan and
// Zisserman 2014 (1409.1556).
#include <array>
#include <string>

#include "architectures/architectures.h"
#include "architectures/blocks.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

struct Variant {
  std::string_view name;
  std::string_view name_with_norms;
  std::array<std::size_t, 5> depths;  // convolutions before each max pooling
};

constexpr std::array kVariants = {
    Variant{"vgg11", "vgg11_bn", {1, 1, 2, 2, 2}},
    Variant{"vgg13", "vgg13_bn", {2, 2, 2, 2, 2}},
    Variant{"vgg16", "vgg16_bn", {2, 2, 3, 3, 3}},
    Variant{"vgg19", "vgg19_bn", {2, 2, 4, 4, 4}},
};
constexpr std::int64_t kPooled = 7;  // height and width of what the classifier sees

bool has_norms(const Weights& w) { return w.has("features.1.running_mean"); }

// Calls layer(number) for each convolution's number in features, pool() where a pooling follows. The numbers count
// activations, norms and poolings too.
template <typename Layer, typename Pool>
void walk(const Variant& variant, bool norms, Layer layer, Pool pool) {
  std::size_t number = 0;
  for (const std::size_t depth : variant.depths) {
    for (std::size_t i = 0; i < depth; ++i) {
      layer(number);
      number += norms ? 3 : 2;
    }
    pool();
    ++number;
  }
}

bool fits(const Weights& w, const Variant& variant) {
  const bool norms = has_norms(w);
  std::size_t tensors = 0;
  bool same = true;
  walk(
      variant, norms,
      [&](std::size_t number) {
        same = same && is_conv(w, "features." + std::to_string(number) + ".weight", 3);
        tensors += norms ? 2 : 1;
      },
      [] {});
  return same && (w / "features").count() == tensors;
}

const Variant* variant_of(const Weights& w) {
  for (const Variant& variant : kVariants) {
    if (fits(w, variant)) return &variant;
  }
  return nullptr;
}

std::optional<ArchitectureMatch> recognise(const Weights& w) {
  const std::int64_t classes = linear_size(w, "classifier.6");
  if (classes == 0 || linear_size(w, "classifier.0") == 0 || linear_size(w, "classifier.3") == 0) return std::nullopt;
  const Variant* variant = variant_of(w);
  if (variant == nullptr) return std::nullopt;
  return ArchitectureMatch{std::string(has_norms(w) ? variant->name_with_norms : variant->name), Task::classify,
                           classes};
}

Value build(GraphBuilder& g, const Weights& w, Value x) {
  const Variant* variant = variant_of(w);
  const bool norms = has_norms(w);
  walk(
      variant == nullptr ? kVariants.front() : *variant, norms,
      [&](std::size_t number) {
        const Weights features = w / "features";
        x = biased_conv(g, features / std::to_string(number), x, {.padding = 1, .groups = 1});
        if (norms) x = g.batch_norm(features / std::to_string(number + 1), x);
        x = g.relu(x);
      },
      [&] { x = g.max_pool2d(x, {.kernel = 2}); });
  x = g.flatten(g.adaptive_avg_pool2d(x, kPooled, kPooled));
  x = g.relu(biased_linear(g, w / "classifier.0", x));
  x = g.relu(biased_linear(g, w / "classifier.3", x));
  return biased_linear(g, w / "classifier.6", x);
}

}  // namespace

Architecture vgg_family() {
  Architecture family;
  family.family = "vgg";
  family.source = "torchvision VGG; arXiv 1409.1556";
  for (const Variant& variant : kVariants) {
    family.variants.push_back(variant.name);
    family.variants.push_back(variant.name_with_norms);
  }
  family.recognise = recognise;
  family.build = build;
  family.module_classes = {"torchvision.models.vgg.VGG"};
  family.assumed_preset = imagenet_preset(256);
  return family;
}

}  // namespace ptrun::models
