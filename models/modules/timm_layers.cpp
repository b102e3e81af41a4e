// Layers of timm that its networks share:
// timm/layers/{activations,adaptive_avgmax_pool,attention,classifier,conv2d_same,
// drop,eca,grn,layer_scale,linear,mlp,norm,norm_act,patch_embed,squeeze_excite}.py, before timm 0.9 timm/models/layers.
#include <string>

#include "modules/modules.h"
#include "modules/rule_tools.h"

#define PTRUN_TIMM_LAYER(file, name) "timm.layers." file "." name, "timm.models.layers." file "." name

namespace ptrun::models {
namespace {

using Sizes = std::vector<std::int64_t>;

constexpr std::int64_t kMost = 4096;  // stride, dilation, sides of a kernel

// What older versions did not have, and None.
Value follow(ModuleWriter& w, const PickledModule& m, std::string_view name, Value x) {
  const auto child = m.find(name);
  return child ? w.forward(*child, x) : x;
}

// ---- activations

Value sigmoid(ModuleWriter& w, const PickledModule& /*m*/, Value x) { return w.graph().sigmoid(x); }
Value tanh(ModuleWriter& w, const PickledModule& /*m*/, Value x) { return w.graph().tanh(x); }
Value silu(ModuleWriter& w, const PickledModule& /*m*/, Value x) { return w.graph().silu(x); }
Value gelu(ModuleWriter& w, const PickledModule& /*m*/, Value x) { return w.graph().gelu(x); }
Value hardswish(ModuleWriter& w, const PickledModule& /*m*/, Value x) { return w.graph().hardswish(x); }
Value hardsigmoid(ModuleWriter& w, const PickledModule& /*m*/, Value x) { return w.graph().hardsigmoid(x); }

Value gelu_tanh(ModuleWriter& w, const PickledModule& /*m*/, Value x) {
  return w.graph().op("aten::gelu", {x}, {{"approximate", std::string("tanh")}});
}

Value quick_gelu(ModuleWriter& w, const PickledModule& /*m*/, Value x) {
  GraphBuilder& g = w.graph();
  return g.mul(x, g.sigmoid(g.op("aten::mul.Scalar", {x, 1.702})));
}

// ---- convolutions and norms

// Zeros so that ceil(side / stride) positions come out, the odd one behind.
Value conv2d_same(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  const Sizes kernel = bounded(m, "kernel_size", 2, 1, kMost);
  const Sizes stride = bounded(m, "stride", 2, 1, kMost, 1);
  const Sizes dilation = bounded(m, "dilation", 2, 1, kMost, 1);
  std::vector<Value> amounts;
  for (const std::size_t i : {1U, 0U}) {
    const Value missing =
        g.op("aten::remainder.int", {g.op("aten::neg.int", {g.size(x, static_cast<std::int64_t>(i) + 2)}), stride[i]});
    const Value wanted = g.op("aten::add.int", {missing, (kernel[i] - 1) * dilation[i] + 1 - stride[i]});
    const Value all = g.op("prim::max.int", {wanted, std::int64_t{0}});
    const Value front = g.op("aten::floordiv.int", {all, std::int64_t{2}});
    amounts.push_back(front);
    amounts.push_back(g.op("aten::sub.int", {all, front}));
  }
  x = g.op("aten::pad", {x, amounts});
  return g.op("aten::conv2d", {x, w.parameter(m, "weight", 4), w.optional_parameter(m, "bias", 1), stride, Sizes{0, 0},
                               dilation, bounded(m, "groups", 1, 1, 1 << 20, 1)[0]});
}

Value batch_norm_act(ModuleWriter& w, const PickledModule& m, Value x) {
  if (!m.has("running_mean") || !m.has("running_var")) {
    m.refuse("keeps no running statistics (track_running_stats=False): an image's result would depend on others");
  }
  x = w.graph().op("aten::batch_norm", {x, w.optional_parameter(m, "weight", 1), w.optional_parameter(m, "bias", 1),
                                        w.parameter(m, "running_mean", 1), w.parameter(m, "running_var", 1), false, 0.1,
                                        m.real("eps", 1e-5), true});
  return follow(w, m, "act", follow(w, m, "drop", x));
}

// Over the channels of [N, C, H, W].
Value layer_norm_2d(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  x = g.op("aten::layer_norm",
           {g.permute(x, {0, 2, 3, 1}), m.integers("normalized_shape"), w.optional_parameter(m, "weight"),
            w.optional_parameter(m, "bias"), m.real("eps", 1e-5), true});
  return g.permute(x, {0, 3, 1, 2});
}

// ConvNeXt V2, 2301.00808. [N, H, W, C] with channels last, else [N, C, H, W].
Value global_response_norm(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  const std::int64_t channel = m.integer("channel_dim");
  const Sizes spatial = m.integers("spatial_dim");
  const Sizes shape = m.integers("wb_shape");
  const Value norm = g.op("aten::norm.ScalarOpt_dim", {x, 2.0, spatial, true});
  const Value mean = g.op("aten::add.Scalar", {g.mean(norm, {channel}, true), m.real("eps")});
  const auto shaped = [&](const char* name) { return g.op("aten::view", {w.parameter(m, name, 1), shape}); };
  const Value scaled = g.mul(x, g.op("aten::div.Tensor", {norm, mean}));
  return g.add(x, g.op("aten::addcmul", {shaped("bias"), shaped("weight"), scaled}));
}

// ---- pooling and heads

Value select_pool(ModuleWriter& w, const PickledModule& m, Value x) { return chain(w, m, x, {"pool", "flatten"}); }

// A mean over the image, flattened where the head says so.
Value fast_average(ModuleWriter& w, const PickledModule& m, Value x) {
  if (m.attribute("input_fmt").given() && m.attribute("dim").items().empty()) {
    m.refuse("pools in an order of dimensions that ptrun does not know; use torch.jit.trace");
  }
  const Sizes dims = m.integers("dim", Sizes{2, 3});
  return w.graph().mean(x, dims, !m.boolean("flatten", false));
}

// Two ways of pooling, added up.
Value average_and_maximum(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  if (bounded(m, "output_size", 1, 1, 1, 1)[0] != 1) m.refuse("pools to more than one pixel");
  const auto half = [&](Value y) { return g.op("aten::mul.Scalar", {y, 0.5}); };
  const Value average = g.adaptive_avg_pool2d(x, 1, 1);
  return half(g.add(average, g.op("aten::amax", {x, Sizes{2, 3}, true})));
}

Value classifier_head(ModuleWriter& w, const PickledModule& m, Value x) {
  return chain(w, m, x, {"global_pool", "drop", "fc", "flatten"});
}

Value norm_mlp_head(ModuleWriter& w, const PickledModule& m, Value x) {
  return chain(w, m, x, {"global_pool", "norm", "flatten", "pre_logits", "drop", "fc"});
}

// ---- attention over channels

// Squeeze and excitation, 1709.01507.
Value excite(ModuleWriter& w, const PickledModule& m, Value x, std::initializer_list<std::string_view> inner) {
  const Value mean = w.graph().mean(x, {2, 3}, true);
  return w.graph().mul(x, chain(w, m, mean, inner));
}

Value se_module(ModuleWriter& w, const PickledModule& m, Value x) {
  if (m.boolean("add_maxpool", false)) m.refuse("adds a maximum (add_maxpool), which ptrun does not compute");
  return excite(w, m, x, {"fc1", "bn", "act", "fc2", "gate"});
}

// The activations were functions before timm 0.4.13, which the pickle keeps by name only: such files have no children.
Value squeeze_excite(ModuleWriter& w, const PickledModule& m, Value x) {
  return excite(w, m, x, {"conv_reduce", "act1", "conv_expand", "gate"});
}

// ECA-Net, 1910.03151: a convolution along the channels.
Value eca(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  Value y = g.op("aten::unsqueeze", {g.mean(x, {2, 3}), std::int64_t{1}});
  y = w.forward(m.child("conv"), y);
  if (m.find("conv2")) y = chain(w, m, y, {"act", "conv2"});
  y = g.transpose(w.forward(m.child("gate"), y), 1, 2);
  return g.mul(x, g.op("aten::unsqueeze", {y, std::int64_t{-1}}));
}

// ---- transformers

Value layer_scale(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().mul(x, w.parameter(m, "gamma"));
}

Value same(ModuleWriter& /*w*/, const PickledModule& /*m*/, Value x) { return x; }

Value mlp(ModuleWriter& w, const PickledModule& m, Value x) {
  x = follow(w, m, "drop1", chain(w, m, x, {"fc1", "act"}));
  return follow(w, m, "drop2", w.forward(m.child("fc2"), follow(w, m, "norm", x)));
}

Value mlp_with_response_norm(ModuleWriter& w, const PickledModule& m, Value x) {
  return chain(w, m, x, {"fc1", "act", "drop1", "grn", "fc2", "drop2"});
}

// [N, 3, H, W] to one token a patch, [N, tokens, channels].
Value patch_embed(ModuleWriter& w, const PickledModule& m, Value x) {
  if (m.boolean("dynamic_img_pad", false)) m.refuse("pads its images (dynamic_img_pad); use torch.jit.trace");
  if (!m.boolean("flatten", true))
    m.refuse("keeps patches in rows and columns (dynamic_img_size); use torch.jit.trace");
  x = w.forward(m.child("proj"), x);
  return follow(w, m, "norm", w.graph().transpose(w.graph().flatten(x, 2), 1, 2));
}

Value attention(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  if (m.has("gate")) m.refuse("has a gate, which ptrun does not compute; use torch.jit.trace");
  const std::int64_t heads = bounded(m, "num_heads", 1, 1, kMost)[0];
  x = w.forward(m.child("qkv"), x);
  x = g.op("aten::unflatten.int", {x, std::int64_t{2}, Sizes{3, heads, -1}});
  x = g.permute(x, {2, 0, 3, 1, 4});
  const Value q = follow(w, m, "q_norm", g.select(x, 0, 0));
  const Value k = follow(w, m, "k_norm", g.select(x, 0, 1));
  x = g.attention(q, k, g.select(x, 0, 2), {{}, m.real("scale")});
  x = g.flatten(g.transpose(x, 1, 2), 2);
  return follow(w, m, "proj_drop", w.forward(m.child("proj"), follow(w, m, "norm", x)));
}

}  // namespace

Rules timm_layers() {
  return {
      {{PTRUN_TIMM_LAYER("activations", "Sigmoid")}, one_tensor<sigmoid>},
      {{PTRUN_TIMM_LAYER("activations", "Tanh")}, one_tensor<tanh>},
      {{PTRUN_TIMM_LAYER("activations", "Swish")}, one_tensor<silu>},
      {{PTRUN_TIMM_LAYER("activations", "GELU")}, one_tensor<gelu>},
      {{PTRUN_TIMM_LAYER("activations", "GELUTanh")}, one_tensor<gelu_tanh>},
      {{PTRUN_TIMM_LAYER("activations", "QuickGELU")}, one_tensor<quick_gelu>},
      {{PTRUN_TIMM_LAYER("activations", "HardSwish")}, one_tensor<hardswish>},
      {{PTRUN_TIMM_LAYER("activations", "HardSigmoid")}, one_tensor<hardsigmoid>},
      {{PTRUN_TIMM_LAYER("conv2d_same", "Conv2dSame")}, one_tensor<conv2d_same>},
      {{PTRUN_TIMM_LAYER("norm_act", "BatchNormAct2d")}, one_tensor<batch_norm_act>},
      {{PTRUN_TIMM_LAYER("norm", "LayerNorm2d")}, one_tensor<layer_norm_2d>},
      {{PTRUN_TIMM_LAYER("grn", "GlobalResponseNorm")}, one_tensor<global_response_norm>},
      {{PTRUN_TIMM_LAYER("adaptive_avgmax_pool", "SelectAdaptivePool2d")}, one_tensor<select_pool>},
      {{PTRUN_TIMM_LAYER("adaptive_avgmax_pool", "FastAdaptiveAvgPool"),
        PTRUN_TIMM_LAYER("adaptive_avgmax_pool", "FastAdaptiveAvgPool2d")},
       one_tensor<fast_average>},
      {{PTRUN_TIMM_LAYER("adaptive_avgmax_pool", "AdaptiveAvgMaxPool2d")}, one_tensor<average_and_maximum>},
      {{PTRUN_TIMM_LAYER("classifier", "ClassifierHead")}, one_tensor<classifier_head>},
      {{PTRUN_TIMM_LAYER("classifier", "NormMlpClassifierHead")}, one_tensor<norm_mlp_head>},
      {{PTRUN_TIMM_LAYER("squeeze_excite", "SEModule")}, one_tensor<se_module>},
      {{"timm.models._efficientnet_blocks.SqueezeExcite", "timm.models.efficientnet_blocks.SqueezeExcite"},
       one_tensor<squeeze_excite>},
      {{PTRUN_TIMM_LAYER("eca", "EcaModule")}, one_tensor<eca>},
      {{PTRUN_TIMM_LAYER("layer_scale", "LayerScale"), "timm.models.vision_transformer.LayerScale"},
       one_tensor<layer_scale>},
      {{PTRUN_TIMM_LAYER("drop", "DropPath")}, one_tensor<same>},
      {{PTRUN_TIMM_LAYER("mlp", "Mlp")}, one_tensor<mlp>},
      {{PTRUN_TIMM_LAYER("mlp", "GlobalResponseNormMlp")}, one_tensor<mlp_with_response_norm>},
      {{PTRUN_TIMM_LAYER("patch_embed", "PatchEmbed")}, one_tensor<patch_embed>},
      {{PTRUN_TIMM_LAYER("attention", "Attention"), "timm.models.vision_transformer.Attention"}, one_tensor<attention>},
  };
}

}  // namespace ptrun::models
