// Vision Transformers of any patch and image size as timm builds them (timm/models/vision_transformer.py, deit.py;
// layer norms with eps 1e-6): ViT, DeiT and DeiT III. Dosovitskiy et al. 2020 (2010.11929), Touvron et al. 2020
// (2012.12877), 2022 (2204.07118).
#include <array>
#include <string>

#include "architectures/architectures.h"
#include "architectures/blocks.h"
#include "presets/presets.h"

namespace ptrun::models {
namespace {

constexpr double kEps = 1e-6;

struct Variant {
  std::string_view size;
  std::size_t depth;
  std::int64_t channels;
  std::int64_t heads;  // not in the file, so other sizes are not taken
};

constexpr std::array kVariants = {
    Variant{"tiny", 12, 192, 3},    Variant{"small", 12, 384, 6},  Variant{"base", 12, 768, 12},
    Variant{"large", 24, 1024, 16}, Variant{"huge", 32, 1280, 16},
};

const Variant* variant_of(const Weights& w) {
  for (const Variant& variant : kVariants) {
    if (variant.depth == (w / "blocks").count() && w.size("patch_embed.proj.weight", 0) == variant.channels) {
      return &variant;
    }
  }
  return nullptr;
}

// DeiT III has a factor for each branch and no position for the class token.
bool scales(const Weights& w) { return w.has("blocks.0.ls1.gamma"); }
bool places_token(const Weights& w) { return exact_root(w.size("pos_embed", 1)) == 0; }

std::optional<ArchitectureMatch> recognise(const Weights& w) {
  const Variant* variant = variant_of(w);
  const std::int64_t classes = linear_size(w, "head");
  const std::int64_t patch = w.size("patch_embed.proj.weight", 2);
  const std::int64_t side = exact_root(w.size("pos_embed", 1) - (places_token(w) ? 1 : 0));
  if (variant == nullptr || classes == 0 || side == 0 || !is_conv(w, "patch_embed.proj.weight", patch) ||
      !w.has("cls_token") || !w.has("norm.weight") || linear_size(w, "blocks.0.attn.qkv") == 0) {
    return std::nullopt;
  }
  const std::string family = scales(w) ? "timm/deit3_" : "timm/vit_";
  ArchitectureMatch match{family + std::string(variant->size) + "_patch" + std::to_string(patch), Task::classify,
                          classes};
  match.input_height = match.input_width = side * patch;
  return match;
}

Value block_of(GraphBuilder& g, const Weights& w, const Variant& variant, bool scaled, Value x) {
  const auto branch = [&](Value y, const char* name) {
    return g.add(x, scaled ? g.mul(y, g.weight(w / name, "gamma", {variant.channels})) : y);
  };
  Value y = biased_linear(g, w / "attn.qkv", biased_norm(g, w / "norm1", x, kEps));
  y = biased_linear(g, w / "attn.proj", self_attention(g, y, variant.heads, variant.channels));
  x = branch(y, "ls1");
  return branch(mlp(g, w / "mlp.fc1", w / "mlp.fc2", biased_norm(g, w / "norm2", x, kEps)), "ls2");
}

Value build(GraphBuilder& g, const Weights& w, Value x) {
  const Variant* found = variant_of(w);
  const Variant& variant = found == nullptr ? kVariants.front() : *found;
  const std::int64_t patch = std::max<std::int64_t>(w.size("patch_embed.proj.weight", 2), 1);
  x = biased_conv(g, w / "patch_embed.proj", x, {.stride = patch, .groups = 1});
  x = g.transpose(g.flatten(x, 2), 1, 2);
  const Value positions = g.weight(w, "pos_embed", {1, -1, variant.channels});
  const Value token =
      g.op("aten::expand", {g.weight(w, "cls_token", {1, 1, variant.channels}), g.sizes({g.size(x, 0), -1, -1})});
  x = places_token(w) ? g.add(g.cat({token, x}, 1), positions) : g.cat({token, g.add(x, positions)}, 1);
  for (std::size_t i = 0; i < variant.depth; ++i) {
    x = block_of(g, w / "blocks" / std::to_string(i), variant, scales(w), x);
  }
  // The class token alone goes on; a layer norm looks at each token by itself.
  return biased_linear(g, w / "head", biased_norm(g, w / "norm", g.select(x, 1, 0), kEps));
}

}  // namespace

Architecture timm_vit_family() {
  Architecture family;
  family.family = "timm_vit";
  family.source = "timm VisionTransformer, DeiT III; arXiv 2010.11929, 2012.12877, 2204.07118";
  family.variants = {"timm/vit_tiny_patch16",    "timm/vit_small_patch16",   "timm/vit_small_patch32",
                     "timm/vit_base_patch8",     "timm/vit_base_patch16",    "timm/vit_base_patch32",
                     "timm/vit_large_patch14",   "timm/vit_large_patch16",   "timm/vit_large_patch32",
                     "timm/vit_huge_patch14",    "timm/deit3_small_patch16", "timm/deit3_base_patch16",
                     "timm/deit3_large_patch16", "timm/deit3_huge_patch14"};
  family.recognise = recognise;
  family.build = build;
  family.assumed_preset = timm_preset();
  family.assumed_preset.crop_pct = 0.9;
  family.assumed_preset.mean = family.assumed_preset.std = {0.5, 0.5, 0.5};
  family.same_keys =
      "DeiT and other vision transformers of timm have the same names and shapes and may need another preset, such as "
      "--preset timm/deit_base_patch16_224.fb_in1k";
  return family;
}

}  // namespace ptrun::models
