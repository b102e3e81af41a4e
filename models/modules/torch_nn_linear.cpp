// torch/nn/modules/{linear,sparse,distance,activation,transformer}.py: linear layers, embeddings, attention.
#include <cmath>
#include <string>

#include "modules/modules.h"
#include "modules/rule_tools.h"

namespace ptrun::models {
namespace {

Value linear(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::linear", {x, w.parameter(m, "weight", 2), w.optional_parameter(m, "bias", 1)});
}

void require_count(const PickledModule& m, const Values& in, std::size_t count) {
  if (in.items.size() == count) return;
  m.refuse("is given " + std::to_string(in.items.size()) + " tensors where it takes " + std::to_string(count));
}

Values bilinear(ModuleWriter& w, const PickledModule& m, const Values& in) {
  require_count(m, in, 2);
  return w.graph().op("aten::bilinear",
                      {in.items[0], in.items[1], w.parameter(m, "weight", 3), w.optional_parameter(m, "bias", 1)});
}

Values cosine_similarity(ModuleWriter& w, const PickledModule& m, const Values& in) {
  require_count(m, in, 2);
  return w.graph().op("aten::cosine_similarity", {in.items[0], in.items[1], m.integer("dim", 1), m.real("eps", 1e-8)});
}

Value embedding(ModuleWriter& w, const PickledModule& m, Value x) {
  if (m.attribute("max_norm").given()) m.refuse("renormalises its weights (max_norm), which ptrun does not compute");
  return w.graph().op("aten::embedding", {w.parameter(m, "weight", 2), x});
}

// What torch.nn.MultiheadAttention needs of itself.
struct Attention {
  std::int64_t heads = 1;
  std::int64_t width = 0;  // of one head
};

Attention read_attention(const PickledModule& m) {
  Attention attention;
  const std::int64_t embed = bounded(m, "embed_dim", 1, 1, 1 << 20)[0];
  attention.heads = bounded(m, "num_heads", 1, 1, embed)[0];
  attention.width = embed / attention.heads;
  if (attention.width * attention.heads != embed) m.fail("has an embed_dim that its heads do not divide");
  for (const char* name : {"bias_k", "bias_v"}) {
    if (m.has(name)) m.refuse("has " + std::string(name) + ", which ptrun does not compute; use torch.jit.trace");
  }
  if (m.boolean("add_zero_attn", false)) m.refuse("adds zeros (add_zero_attn), which ptrun does not compute");
  return attention;
}

// [N, L, E] -> [N, heads, L, width]
Value split_heads(ModuleWriter& w, Value x, const Attention& attention) {
  GraphBuilder& g = w.graph();
  x = g.op("aten::unflatten.int", {x, std::int64_t{2}, std::vector<std::int64_t>{attention.heads, attention.width}});
  return g.transpose(x, 1, 2);
}

Value output_projection(ModuleWriter& w, const PickledModule& m, Value q, Value k, Value v) {
  GraphBuilder& g = w.graph();
  Value x = g.op("aten::scaled_dot_product_attention", {q, k, v, Argument{}, 0.0, false});
  x = g.flatten(g.transpose(x, 1, 2), 2);
  return linear(w, m.child("out_proj"), x);
}

// Part `index` of three of the joint weight or bias.
Value third(ModuleWriter& w, Value joint, std::int64_t index, std::int64_t embed) {
  return w.graph().slice(joint, 0, index * embed, (index + 1) * embed);
}

Value project(ModuleWriter& w, const PickledModule& m, Value x, std::int64_t index, std::int64_t embed) {
  constexpr const char* kNames[] = {"q_proj_weight", "k_proj_weight", "v_proj_weight"};
  const Value weight = m.has("in_proj_weight") ? third(w, w.parameter(m, "in_proj_weight", 2), index, embed)
                                               : w.parameter(m, kNames[index], 2);
  Argument bias;
  if (m.has("in_proj_bias")) bias = third(w, w.parameter(m, "in_proj_bias", 1), index, embed);
  return w.graph().op("aten::linear", {x, weight, bias});
}

// The output, and the weights of all heads averaged, [N, L, S].
Values multihead_attention(ModuleWriter& w, const PickledModule& m, const Values& in) {
  require_count(m, in, 3);
  GraphBuilder& g = w.graph();
  const Attention attention = read_attention(m);
  const bool batch_first = m.boolean("batch_first", false);
  const auto turned = [&](Value x) { return batch_first ? x : g.transpose(x, 0, 1); };
  std::vector<Value> parts;
  for (std::size_t i = 0; i < 3; ++i) {
    const Value projected =
        project(w, m, turned(in.items[i]), static_cast<std::int64_t>(i), attention.heads * attention.width);
    parts.push_back(split_heads(w, projected, attention));
  }
  const Value result = output_projection(w, m, parts[0], parts[1], parts[2]);
  const double scale = 1.0 / std::sqrt(static_cast<double>(attention.width));
  const Value keys = g.transpose(parts[1], 2, 3);
  const Value scores = g.op("aten::matmul", {g.op("aten::mul.Scalar", {parts[0], scale}), keys});
  const Value weights = g.mean(g.softmax(scores, -1), {1});
  return {turned(result), weights};
}

// relu or gelu, as a child, by its number, or by the name of the function that older versions keep.
Value transformer_activation(ModuleWriter& w, const PickledModule& m, Value x) {
  if (const auto child = m.find("activation")) return w.forward(*child, x);
  const std::int64_t number = m.integer("activation_relu_or_gelu", 0);
  const std::string name = m.attribute("activation").class_name();
  const auto called = [&](const std::string& end) {
    return name.size() >= end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
  };
  if (number == 1 || called(".relu")) return w.graph().relu(x);
  if (number == 2 || called(".gelu")) return w.graph().gelu(x);
  m.refuse("has an activation function that ptrun does not know (" + name + "); use torch.jit.trace");
}

Value encoder_layer(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  const PickledModule attention = m.child("self_attn");
  const bool batch_first = attention.boolean("batch_first", false);
  const auto attend = [&](Value y) {
    if (batch_first) return self_attention(w, attention, y);
    y = g.transpose(y, 0, 1);
    return g.transpose(self_attention(w, attention, y), 0, 1);
  };
  const auto feed = [&](Value y) {
    return w.forward(m.child("linear2"), transformer_activation(w, m, w.forward(m.child("linear1"), y)));
  };
  if (m.boolean("norm_first", false)) {
    x = g.add(x, attend(w.forward(m.child("norm1"), x)));
    return g.add(x, feed(w.forward(m.child("norm2"), x)));
  }
  x = w.forward(m.child("norm1"), g.add(x, attend(x)));
  return w.forward(m.child("norm2"), g.add(x, feed(x)));
}

Value encoder(ModuleWriter& w, const PickledModule& m, Value x) {
  x = w.forward_all(m.child("layers"), x);
  if (const auto norm = m.find("norm")) x = w.forward(*norm, x);
  return x;
}

}  // namespace

Value self_attention(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  const Attention attention = read_attention(m);
  if (!m.has("in_proj_weight")) m.fail("attends to its own input with keys of another size");
  // One product for all three: [N, L, 3E] -> [3, N, heads, L, width].
  x = g.op("aten::linear", {x, w.parameter(m, "in_proj_weight", 2), w.optional_parameter(m, "in_proj_bias", 1)});
  x = g.op("aten::unflatten.int", {x, std::int64_t{2}, std::vector<std::int64_t>{3, attention.heads, attention.width}});
  x = g.permute(x, {2, 0, 3, 1, 4});
  std::vector<Value> parts;
  for (std::int64_t i = 0; i < 3; ++i) parts.push_back(g.select(x, 0, i));
  return output_projection(w, m, parts[0], parts[1], parts[2]);
}

Rules torch_nn_linear() {
  return {
      {{"torch.nn.modules.linear.Linear", "torch.nn.modules.linear.NonDynamicallyQuantizableLinear",
        "torch.nn.modules.linear._LinearWithBias", "timm.layers.linear.Linear", "timm.models.layers.linear.Linear"},
       one_tensor<linear>},
      {{"torch.nn.modules.linear.Bilinear"}, bilinear},
      {{"torch.nn.modules.distance.CosineSimilarity"}, cosine_similarity},
      {{"torch.nn.modules.sparse.Embedding"}, one_tensor<embedding>},
      {{"torch.nn.modules.activation.MultiheadAttention"}, multihead_attention},
      {{"torch.nn.modules.transformer.TransformerEncoderLayer"}, one_tensor<encoder_layer>},
      {{"torch.nn.modules.transformer.TransformerEncoder"}, one_tensor<encoder>},
  };
}

}  // namespace ptrun::models
