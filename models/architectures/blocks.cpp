#include "architectures/blocks.h"

namespace ptrun::models {

Value activate(GraphBuilder& g, Activation activation, Value x) {
  return activation == nullptr ? x : (g.*activation)(x);
}

Value biased_conv(GraphBuilder& g, const Weights& w, Value x, const Conv2dOptions& options) {
  g.weight(w, "bias");
  return g.conv2d(w, x, options);
}

Value biased_linear(GraphBuilder& g, const Weights& w, Value x) {
  g.weight(w, "bias");
  return g.linear(w, x);
}

Value biased_norm(GraphBuilder& g, const Weights& w, Value x, double eps) {
  g.weight(w, "bias");
  return g.layer_norm(w, x, eps);
}

Value conv_norm(GraphBuilder& g, const Weights& conv, const Weights& norm, Value x, const ConvNormOptions& options) {
  Conv2dOptions conv_options;
  conv_options.stride = options.stride;
  if (options.padded) conv_options.padding = {(conv.size("weight", 2) - 1) / 2, (conv.size("weight", 3) - 1) / 2};
  conv_options.groups = options.groups > 0 ? options.groups : conv.size("weight", 0);
  return activate(g, options.activation, g.batch_norm(norm, g.conv2d(conv, x, conv_options), options.eps));
}

Value conv_norm(GraphBuilder& g, const Weights& w, Value x, const ConvNormOptions& options) {
  return conv_norm(g, w / "0", w / "1", x, options);
}

Value squeeze_excitation(GraphBuilder& g, const Weights& reduce, const Weights& expand, Value x, Activation activation,
                         Activation gate) {
  Value scale = g.adaptive_avg_pool2d(x, 1, 1);
  scale = activate(g, activation, biased_conv(g, reduce, scale, {.groups = 1}));
  scale = activate(g, gate, biased_conv(g, expand, scale, {.groups = 1}));
  return g.mul(x, scale);
}

Value self_attention(GraphBuilder& g, Value qkv, std::int64_t heads, std::int64_t channels,
                     const AttentionOptions& options) {
  const std::int64_t of_head = heads > 0 ? channels / heads : channels;
  const Value split = g.permute(g.reshape(qkv, {g.size(qkv, 0), g.size(qkv, 1), 3, heads, of_head}), {2, 0, 3, 1, 4});
  const Value y = g.attention(g.select(split, 0, 0), g.select(split, 0, 1), g.select(split, 0, 2), options);
  return g.reshape(g.transpose(y, 1, 2), {g.size(qkv, 0), g.size(qkv, 1), channels});
}

Value mlp(GraphBuilder& g, const Weights& first, const Weights& second, Value x) {
  return biased_linear(g, second, g.gelu(biased_linear(g, first, x)));
}

Value pool_and_classify(GraphBuilder& g, const Weights& head, Value x) {
  return biased_linear(g, head, g.flatten(g.adaptive_avg_pool2d(x, 1, 1)));
}

bool is_conv(const Weights& w, std::string_view name, std::int64_t kernel) {
  const auto shape = w.shape(name);
  return shape && shape->size() == 4 && (*shape)[2] == kernel && (*shape)[3] == kernel;
}

std::int64_t linear_size(const Weights& w, std::string_view name) {
  const auto shape = (w / name).shape("weight");
  return shape && shape->size() == 2 ? (*shape)[0] : 0;
}

std::size_t count_named(const Weights& w, std::string_view prefix) {
  std::size_t count = 0;
  while (w.has(std::string(prefix) + std::to_string(count + 1))) ++count;
  return count;
}

std::int64_t exact_root(std::int64_t value) {
  constexpr std::int64_t kLargest = 1 << 15;
  if (value < 1 || value > kLargest * kLargest) return 0;
  std::int64_t root = 1;
  while (root * root < value) ++root;
  return root * root == value ? root : 0;
}

}  // namespace ptrun::models
