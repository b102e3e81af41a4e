// Networks of timm over the tree: timm/models/{vision_transformer,deit,resnet,convnext,efficientnet,mobilenetv3,
// _efficientnet_blocks}.py. The preprocessing is that of the pretrained_cfg inside.
#include <array>
#include <string>

#include "modules/modules.h"
#include "modules/rule_tools.h"

namespace ptrun::models {
namespace {

using Sizes = std::vector<std::int64_t>;

constexpr std::int64_t kMaxSide = 16'384;  // pixels

// ---- what the file says about preprocessing: timm/data/config.py, resolve_data_config

std::optional<std::array<double, 3>> colours(const PickledValue& value) {
  const std::vector<PickledValue> items = value.items();
  if (items.size() != 3) return std::nullopt;
  std::array<double, 3> result{};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto number = items[i].real();
    if (!number) return std::nullopt;
    result.at(i) = *number;
  }
  return result;
}

void take_preprocessing(ModuleWriter& w, const PickledModule& m) {
  PickledValue cfg = m.attribute("pretrained_cfg");
  if (!cfg.given()) cfg = m.attribute("default_cfg");
  if (!cfg.given()) return;
  PresetLayer& preset = w.facts().file_preset;
  preset.source = "pretrained_cfg inside the file";
  preset.mean = colours(cfg.attribute("mean"));
  preset.std = colours(cfg.attribute("std"));
  preset.crop_pct = cfg.attribute("crop_pct").real();
  const std::vector<PickledValue> size = cfg.attribute("input_size").items();
  if (size.size() == 3) {
    const std::int64_t height = size[1].integer().value_or(0);
    const std::int64_t width = size[2].integer().value_or(0);
    if (height >= 1 && height <= kMaxSide && width >= 1 && width <= kMaxSide) {
      preset.input_height = static_cast<int>(height);
      preset.input_width = static_cast<int>(width);
    }
  }
  const std::string filter = cfg.attribute("interpolation").text().value_or("bicubic");
  // Others, such as "random", are about training.
  if (filter == "bicubic" || filter == "bilinear") {
    preset.interpolation = filter == "bicubic" ? Interpolation::bicubic : Interpolation::bilinear;
  }
  const std::string crop = cfg.attribute("crop_mode").text().value_or("center");
  preset.resize_mode = crop == "squash" ? ResizeMode::stretch : ResizeMode::shortest;
  preset.crop_mode = crop == "border" ? CropMode::border : CropMode::center;
  const std::string name = cfg.attribute("architecture").text().value_or("");
  if (!name.empty()) w.facts().architecture = "timm/" + name;
}

Value follow(ModuleWriter& w, const PickledModule& m, std::string_view name, Value x) {
  const auto child = m.find(name);
  return child ? w.forward(*child, x) : x;
}

// ---- vision transformers

Value vit_block(ModuleWriter& w, const PickledModule& m, Value x) {
  const auto branch = [&](Value y, const char* scale, const char* drop, const char* old_drop) {
    y = follow(w, m, scale, y);
    return w.graph().add(x, follow(w, m, m.find(drop) ? drop : old_drop, y));
  };
  x = branch(chain(w, m, x, {"norm1", "attn"}), "ls1", "drop_path1", "drop_path");
  return branch(chain(w, m, x, {"norm2", "mlp"}), "ls2", "drop_path2", "drop_path");
}

// [1, tokens, channels] of the file for every image of x.
Value tokens(ModuleWriter& w, const PickledModule& m, std::string_view name, Value x) {
  GraphBuilder& g = w.graph();
  return g.op("aten::expand", {w.parameter(m, name, 3), g.sizes({g.size(x, 0), -1, -1})});
}

Value positions(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  if (m.boolean("dynamic_img_size", false)) m.refuse("resamples its positions (dynamic_img_size); use torch.jit.trace");
  std::vector<Value> parts;
  for (const char* name : {"cls_token", "dist_token", "reg_token"}) {
    if (m.has(name)) parts.push_back(tokens(w, m, name, x));
  }
  const auto placed = [&](Value y) { return m.has("pos_embed") ? g.add(y, w.parameter(m, "pos_embed", 3)) : y; };
  const bool without = m.boolean("no_embed_class", false);
  if (without) x = placed(x);
  parts.push_back(x);
  if (parts.size() > 1) x = g.cat(parts, 1);
  return follow(w, m, "pos_drop", without ? x : placed(x));
}

Value vit_features(ModuleWriter& w, const PickledModule& m, Value x) {
  x = positions(w, m, w.forward(m.child("patch_embed"), x));
  x = follow(w, m, "norm_pre", follow(w, m, "patch_drop", x));
  return chain(w, m, x, {"blocks", "norm"});
}

// One row an image from [N, tokens, channels].
Value pooled(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  if (m.has("attn_pool")) m.refuse("pools by attention (attn_pool), which ptrun does not compute; use torch.jit.trace");
  const std::string pool = m.text("global_pool", "token");
  if (pool.empty()) return x;
  if (pool == "token") return g.select(x, 1, 0);
  if (!m.boolean("pool_include_prefix", false)) {
    x = g.op("aten::slice.Tensor", {x, std::int64_t{1}, m.integer("num_prefix_tokens", 1), {}, std::int64_t{1}});
  }
  const auto most = [&] { return g.op("aten::amax", {x, Sizes{1}, false}); };
  if (pool == "avg") return g.mean(x, {1});
  if (pool == "max") return most();
  if (pool == "avgmax") return g.op("aten::mul.Scalar", {g.add(most(), g.mean(x, {1})), 0.5});
  m.refuse("pools by '" + pool + "', which ptrun does not know; use torch.jit.trace");
}

Value vit(ModuleWriter& w, const PickledModule& m, Value x) {
  take_preprocessing(w, m);
  x = pooled(w, m, vit_features(w, m, x));
  x = follow(w, m, "pre_logits", x);  // before timm 0.6
  return w.forward(m.child("head"), follow(w, m, "head_drop", follow(w, m, "fc_norm", x)));
}

// Two tokens and heads, averaged: 2012.12877.
Value distilled(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  take_preprocessing(w, m);
  x = vit_features(w, m, x);
  const Value first = w.forward(m.child("head"), g.select(x, 1, 0));
  const Value second = w.forward(m.child("head_dist"), g.select(x, 1, 1));
  return g.op("aten::div.Scalar", {g.add(first, second), 2.0});
}

// ---- ResNets

Value residual(ModuleWriter& w, const PickledModule& m, Value x, Value y, std::string_view last) {
  y = follow(w, m, "drop_path", follow(w, m, "se", y));
  return w.forward(m.child(last), w.graph().add(y, follow(w, m, "downsample", x)));
}

Value basic_block(ModuleWriter& w, const PickledModule& m, Value x) {
  Value y = follow(w, m, "drop_block", chain(w, m, x, {"conv1", "bn1"}));
  y = follow(w, m, "aa", w.forward(m.child("act1"), y));
  return residual(w, m, x, chain(w, m, y, {"conv2", "bn2"}), "act2");
}

Value bottleneck(ModuleWriter& w, const PickledModule& m, Value x) {
  Value y = chain(w, m, x, {"conv1", "bn1", "act1", "conv2", "bn2"});
  y = follow(w, m, "aa", w.forward(m.child("act2"), follow(w, m, "drop_block", y)));
  return residual(w, m, x, chain(w, m, y, {"conv3", "bn3"}), "act3");
}

Value resnet(ModuleWriter& w, const PickledModule& m, Value x) {
  take_preprocessing(w, m);
  return chain(w, m, x,
               {"conv1", "bn1", "act1", "maxpool", "layer1", "layer2", "layer3", "layer4", "global_pool", "fc"});
}

// ---- ConvNeXt

Value convnext_block(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  Value y = w.forward(m.child("conv_dw"), x);
  if (m.boolean("use_conv_mlp")) {
    y = chain(w, m, y, {"norm", "mlp"});
  } else {
    y = g.permute(chain(w, m, g.permute(y, {0, 2, 3, 1}), {"norm", "mlp"}), {0, 3, 1, 2});
  }
  if (m.has("gamma")) y = g.mul(y, g.op("aten::reshape", {w.parameter(m, "gamma", 1), Sizes{1, -1, 1, 1}}));
  return g.add(follow(w, m, "drop_path", y), follow(w, m, "shortcut", x));
}

Value convnext_stage(ModuleWriter& w, const PickledModule& m, Value x) {
  return chain(w, m, x, {"downsample", "blocks"});
}

Value convnext_downsample(ModuleWriter& w, const PickledModule& m, Value x) { return chain(w, m, x, {"pool", "conv"}); }

Value convnext(ModuleWriter& w, const PickledModule& m, Value x) {
  take_preprocessing(w, m);
  return chain(w, m, x, {"stem", "stages", "norm_pre", "head"});
}

// ---- EfficientNets and MobileNets; their batch norms hold the activations since timm 0.6

Value skipped(ModuleWriter& w, const PickledModule& m, Value x, Value y) {
  if (!m.boolean("has_skip")) return y;
  return w.graph().add(follow(w, m, "drop_path", y), x);
}

Value after_space_to_depth(ModuleWriter& w, const PickledModule& m, Value x) {
  return follow(w, m, "bn_s2d", follow(w, m, "conv_s2d", x));
}

Value conv_bn_act(ModuleWriter& w, const PickledModule& m, Value x) {
  return skipped(w, m, x, follow(w, m, "aa", chain(w, m, x, {"conv", "bn1"})));
}

Value separable(ModuleWriter& w, const PickledModule& m, Value x) {
  Value y = chain(w, m, after_space_to_depth(w, m, x), {"conv_dw", "bn1"});
  y = follow(w, m, "se", follow(w, m, "aa", y));
  return skipped(w, m, x, chain(w, m, y, {"conv_pw", "bn2"}));
}

Value inverted_residual(ModuleWriter& w, const PickledModule& m, Value x) {
  Value y = chain(w, m, after_space_to_depth(w, m, x), {"conv_pw", "bn1", "conv_dw", "bn2"});
  y = follow(w, m, "se", follow(w, m, "aa", y));
  return skipped(w, m, x, chain(w, m, y, {"conv_pwl", "bn3"}));
}

Value edge_residual(ModuleWriter& w, const PickledModule& m, Value x) {
  Value y = follow(w, m, "se", follow(w, m, "aa", chain(w, m, x, {"conv_exp", "bn1"})));
  return skipped(w, m, x, chain(w, m, y, {"conv_pwl", "bn2"}));
}

// Before that the activations stood beside plain norms; those files are told from the newer ones by this child.
void refuse_old(const PickledModule& m) {
  if (m.find("act1")) m.refuse("is of timm before 0.6, whose blocks ptrun does not follow; use torch.jit.trace");
}

Value efficientnet(ModuleWriter& w, const PickledModule& m, Value x) {
  refuse_old(m);
  take_preprocessing(w, m);
  return chain(w, m, x, {"conv_stem", "bn1", "blocks", "conv_head", "bn2", "global_pool", "classifier"});
}

Value mobilenet_v3(ModuleWriter& w, const PickledModule& m, Value x) {
  refuse_old(m);
  take_preprocessing(w, m);
  x = chain(w, m, x, {"conv_stem", "bn1", "blocks", "global_pool", "conv_head"});
  x = w.forward(m.child("act2"), follow(w, m, "norm_head", x));
  return w.forward(m.child("classifier"), w.forward(m.child("flatten"), x));
}

}  // namespace

#define PTRUN_TIMM_BLOCK(name) "timm.models._efficientnet_blocks." name, "timm.models.efficientnet_blocks." name

Rules timm_models() {
  return {
      {{"timm.models.vision_transformer.Block"}, one_tensor<vit_block>},
      {{"timm.models.vision_transformer.VisionTransformer"}, one_tensor<vit>},
      {{"timm.models.deit.VisionTransformerDistilled"}, one_tensor<distilled>},
      {{"timm.models.resnet.BasicBlock"}, one_tensor<basic_block>},
      {{"timm.models.resnet.Bottleneck"}, one_tensor<bottleneck>},
      {{"timm.models.resnet.ResNet"}, one_tensor<resnet>},
      {{"timm.models.convnext.ConvNeXtBlock"}, one_tensor<convnext_block>},
      {{"timm.models.convnext.ConvNeXtStage"}, one_tensor<convnext_stage>},
      {{"timm.models.convnext.Downsample"}, one_tensor<convnext_downsample>},
      {{"timm.models.convnext.ConvNeXt"}, one_tensor<convnext>},
      {{PTRUN_TIMM_BLOCK("ConvBnAct")}, one_tensor<conv_bn_act>},
      {{PTRUN_TIMM_BLOCK("DepthwiseSeparableConv")}, one_tensor<separable>},
      {{PTRUN_TIMM_BLOCK("InvertedResidual")}, one_tensor<inverted_residual>},
      {{PTRUN_TIMM_BLOCK("EdgeResidual")}, one_tensor<edge_residual>},
      {{"timm.models.efficientnet.EfficientNet"}, one_tensor<efficientnet>},
      {{"timm.models.mobilenetv3.MobileNetV3"}, one_tensor<mobilenet_v3>},
  };
}

}  // namespace ptrun::models
