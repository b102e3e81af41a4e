// RegNet X and Y as torchvision builds them (torchvision/models/regnet.py). Radosavovic et al. 2020 (2003.13678). The
// published SWAG weights (2201.08371) are of this form.
#include <algorithm>
#include <array>
#include <string>

#include "architectures/architectures.h"
#include "architectures/blocks.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

constexpr std::size_t kStages = 4;

struct Variant {
  std::string_view name;
  std::array<std::size_t, kStages> depths;
  std::array<std::int64_t, kStages> widths;
  std::int64_t group;  // channels of a group in the last stage
  bool squeeze;        // squeeze and excitation: the Y in the name

  bool operator==(const Variant& other) const {
    return depths == other.depths && widths == other.widths && group == other.group && squeeze == other.squeeze;
  }
};

constexpr std::array kVariants = {
    Variant{"regnet_y_400mf", {1, 3, 6, 6}, {48, 104, 208, 440}, 8, true},
    Variant{"regnet_y_800mf", {1, 3, 8, 2}, {64, 144, 320, 784}, 16, true},
    Variant{"regnet_y_1_6gf", {2, 6, 17, 2}, {48, 120, 336, 888}, 24, true},
    Variant{"regnet_y_3_2gf", {2, 5, 13, 1}, {72, 216, 576, 1512}, 24, true},
    Variant{"regnet_y_8gf", {2, 4, 10, 1}, {224, 448, 896, 2016}, 56, true},
    Variant{"regnet_y_16gf", {2, 4, 11, 1}, {224, 448, 1232, 3024}, 112, true},
    Variant{"regnet_y_32gf", {2, 5, 12, 1}, {232, 696, 1392, 3712}, 232, true},
    Variant{"regnet_y_128gf", {2, 7, 17, 1}, {528, 1056, 2904, 7392}, 264, true},
    Variant{"regnet_x_400mf", {1, 2, 7, 12}, {32, 64, 160, 400}, 16, false},
    Variant{"regnet_x_800mf", {1, 3, 7, 5}, {64, 128, 288, 672}, 16, false},
    Variant{"regnet_x_1_6gf", {2, 4, 10, 2}, {72, 168, 408, 912}, 24, false},
    Variant{"regnet_x_3_2gf", {2, 6, 15, 2}, {96, 192, 432, 1008}, 48, false},
    Variant{"regnet_x_8gf", {2, 5, 15, 1}, {80, 240, 720, 1920}, 120, false},
    Variant{"regnet_x_16gf", {2, 6, 13, 1}, {256, 512, 896, 2048}, 128, false},
    Variant{"regnet_x_32gf", {2, 7, 13, 1}, {336, 672, 1344, 2520}, 168, false},
};
// The name of a RegNet of another depth or width.
constexpr std::string_view kOther = "regnet";

Weights block_at(const Weights& w, std::size_t stage, std::size_t number) {
  const std::string name = "block" + std::to_string(stage + 1);
  return w / "trunk_output" / name / (name + "-" + std::to_string(number));
}

std::size_t depth_of(const Weights& w, std::size_t stage) {
  std::size_t depth = 0;
  while (block_at(w, stage, depth).has("f.a.0.weight")) ++depth;
  return depth;
}

std::optional<ArchitectureMatch> recognise(const Weights& w) {
  const std::int64_t classes = linear_size(w, "fc");
  if (classes == 0 || !is_conv(w, "stem.0.weight", 3) || !w.has("stem.1.running_mean") ||
      count_named(w / "trunk_output", "block") != kStages) {
    return std::nullopt;
  }
  Variant found{kOther, {}, {}, 0, false};
  for (std::size_t stage = 0; stage < kStages; ++stage) {
    const Weights first = block_at(w, stage, 0);
    found.depths[stage] = depth_of(w, stage);
    found.widths[stage] = first.size("f.c.0.weight", 0);
    found.group = first.size("f.b.0.weight", 1);
    found.squeeze = first.has("f.se.fc1.weight");
    if (!is_conv(first, "f.a.0.weight", 1) || !is_conv(first, "f.b.0.weight", 3) || found.group == 0) {
      return std::nullopt;
    }
  }
  ArchitectureMatch match{std::string(kOther), Task::classify, classes};
  for (const Variant& variant : kVariants) {
    if (variant == found) match.name = variant.name;
  }
  return match;
}

Value block_of(GraphBuilder& g, const Weights& w, Value x, std::int64_t stride) {
  constexpr Activation kRelu = &GraphBuilder::relu;
  const Weights f = w / "f";
  const std::int64_t group = std::max<std::int64_t>(f.size("b.0.weight", 1), 1);
  Value y = conv_norm(g, f / "a", x, {.activation = kRelu});
  const std::int64_t groups = std::max<std::int64_t>(f.size("b.0.weight", 0) / group, 1);
  y = conv_norm(g, f / "b", y, {.stride = stride, .groups = groups, .activation = kRelu});
  if (f.has("se")) y = squeeze_excitation(g, f / "se.fc1", f / "se.fc2", y, kRelu, &GraphBuilder::sigmoid);
  y = conv_norm(g, f / "c", y, {});
  if (w.has("proj")) x = conv_norm(g, w / "proj", x, {.stride = stride});
  return g.relu(g.add(y, x));
}

Value build(GraphBuilder& g, const Weights& w, Value x) {
  x = conv_norm(g, w / "stem", x, {.stride = 2, .activation = &GraphBuilder::relu});
  for (std::size_t stage = 0; stage < kStages; ++stage) {
    const std::size_t depth = depth_of(w, stage);
    for (std::size_t i = 0; i < depth; ++i) x = block_of(g, block_at(w, stage, i), x, i == 0 ? 2 : 1);
  }
  return pool_and_classify(g, w / "fc", x);
}

}  // namespace

Architecture regnet_family() {
  Architecture family;
  family.family = "regnet";
  family.source = "torchvision RegNet; arXiv 2003.13678, 2201.08371";
  for (const Variant& variant : kVariants) family.variants.push_back(variant.name);
  family.variants.push_back(kOther);
  family.recognise = recognise;
  family.build = build;
  family.module_classes = {"torchvision.models.regnet.RegNet"};
  family.assumed_preset = imagenet_preset(232);
  return family;
}

}  // namespace ptrun::models
