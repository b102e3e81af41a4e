// Vision Transformer B/16, B/32, L/16, L/32 and H/14 of any image size as torchvision builds them
// (torchvision/models/vision_transformer.py, layer norms with eps 1e-6). Dosovitskiy et al. 2020 (2010.11929). The
// published SWAG weights (2201.08371) are of this form.
#include <array>
#include <string>

#include "architectures/architectures.h"
#include "architectures/blocks.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

constexpr double kEps = 1e-6;

struct Variant {
  std::string_view name;
  std::size_t depth;
  std::int64_t channels;
  std::int64_t patch;  // pixels
  std::int64_t heads;  // not in the file, so other sizes are not taken
};

constexpr std::array kVariants = {
    Variant{"vit_b_16", 12, 768, 16, 12},  Variant{"vit_b_32", 12, 768, 32, 12},  Variant{"vit_l_16", 24, 1024, 16, 16},
    Variant{"vit_l_32", 24, 1024, 32, 16}, Variant{"vit_h_14", 32, 1280, 14, 16},
};

Weights layer_of(const Weights& w, std::size_t number) {
  return w / "encoder.layers" / ("encoder_layer_" + std::to_string(number));
}

std::size_t depth_of(const Weights& w) {
  std::size_t depth = 0;
  while (layer_of(w, depth).has("self_attention.in_proj_weight")) ++depth;
  return depth;
}

const Variant* variant_of(const Weights& w) {
  const std::size_t depth = depth_of(w);
  for (const Variant& variant : kVariants) {
    if (variant.depth == depth && w.size("conv_proj.weight", 0) == variant.channels &&
        is_conv(w, "conv_proj.weight", variant.patch)) {
      return &variant;
    }
  }
  return nullptr;
}

std::optional<ArchitectureMatch> recognise(const Weights& w) {
  const Variant* variant = variant_of(w);
  const std::int64_t classes = linear_size(w, "heads.head");
  const std::int64_t side = exact_root(w.size("encoder.pos_embedding", 1) - 1);
  if (variant == nullptr || classes == 0 || side == 0 || !w.has("class_token") || !w.has("encoder.ln.weight")) {
    return std::nullopt;
  }
  ArchitectureMatch match{std::string(variant->name), Task::classify, classes};
  match.input_height = match.input_width = side * variant->patch;
  return match;
}

Value encoder_layer(GraphBuilder& g, const Weights& w, Value x, const Variant& variant) {
  const Weights attention = w / "self_attention";
  g.weight(attention, "in_proj_bias");
  Value y = g.linear(attention, biased_norm(g, w / "ln_1", x, kEps), "in_proj_weight", "in_proj_bias");
  y = biased_linear(g, attention / "out_proj", self_attention(g, y, variant.heads, variant.channels));
  x = g.add(y, x);
  // The perceptron's names before torchvision 0.14.
  const bool old = w.has("mlp.linear_1.weight");
  y = mlp(g, w / (old ? "mlp.linear_1" : "mlp.0"), w / (old ? "mlp.linear_2" : "mlp.3"),
          biased_norm(g, w / "ln_2", x, kEps));
  return g.add(x, y);
}

Value build(GraphBuilder& g, const Weights& w, Value x) {
  const Variant* found = variant_of(w);
  const Variant& variant = found == nullptr ? kVariants.front() : *found;
  x = biased_conv(g, w / "conv_proj", x, {.stride = variant.patch, .groups = 1});
  x = g.transpose(g.flatten(x, 2), 1, 2);
  const Value token =
      g.op("aten::expand", {g.weight(w, "class_token", {1, 1, variant.channels}), g.sizes({g.size(x, 0), -1, -1})});
  x = g.add(g.cat({token, x}, 1), g.weight(w, "encoder.pos_embedding", {1, -1, variant.channels}));
  for (std::size_t i = 0; i < variant.depth; ++i) x = encoder_layer(g, layer_of(w, i), x, variant);
  // The class token alone goes on; a layer norm looks at each token by itself.
  x = biased_norm(g, w / "encoder.ln", g.select(x, 1, 0), kEps);
  if (w.has("heads.pre_logits")) x = g.tanh(biased_linear(g, w / "heads.pre_logits", x));
  return biased_linear(g, w / "heads.head", x);
}

}  // namespace

Architecture vit_family() {
  Architecture family;
  family.family = "vit";
  family.source = "torchvision VisionTransformer; arXiv 2010.11929, 2201.08371";
  for (const Variant& variant : kVariants) family.variants.push_back(variant.name);
  family.recognise = recognise;
  family.build = build;
  family.module_classes = {"torchvision.models.vision_transformer.VisionTransformer"};
  family.assumed_preset = imagenet_preset(256);
  return family;
}

}  // namespace ptrun::models
