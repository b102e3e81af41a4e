// Pieces that several families of networks share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ptrun/graph.h"

namespace ptrun::models {

// An activation or gate of GraphBuilder, &GraphBuilder::relu; null is none.
using Activation = Value (GraphBuilder::*)(Value);

Value activate(GraphBuilder& g, Activation activation, Value x);

// GraphBuilder's layers take a bias where the file has one. These layers have one: a file without it is damaged, and
// the missing tensor is named.
Value biased_conv(GraphBuilder& g, const Weights& w, Value x, const Conv2dOptions& options);
Value biased_linear(GraphBuilder& g, const Weights& w, Value x);
Value biased_norm(GraphBuilder& g, const Weights& w, Value x, double eps = 1e-5);  // a layer norm

struct ConvNormOptions {
  std::int64_t stride = 1;
  std::int64_t groups = 1;  // 0: one group for each channel (depthwise)
  Activation activation = nullptr;
  double eps = 1e-5;   // of the batch norm
  bool padded = true;  // by (kernel - 1) / 2
};

// A convolution below `conv`, then the batch norm below `norm`, then the activation.
Value conv_norm(GraphBuilder& g, const Weights& conv, const Weights& norm, Value x, const ConvNormOptions& options);
// torchvision.ops.Conv2dNormActivation: convolution "0", batch norm "1".
Value conv_norm(GraphBuilder& g, const Weights& w, Value x, const ConvNormOptions& options);

// torchvision.ops.SqueezeExcitation: x * gate(fc2(activation(fc1(mean of x)))), both 1x1 convolutions (1709.01507).
Value squeeze_excitation(GraphBuilder& g, const Weights& reduce, const Weights& expand, Value x, Activation activation,
                         Activation gate);

// Attention of each sequence with itself: qkv [N, tokens, 3 * channels] holds queries, keys and values, each head by
// head. Returns [N, tokens, channels].
Value self_attention(GraphBuilder& g, Value qkv, std::int64_t heads, std::int64_t channels,
                     const AttentionOptions& options = {});

// linear `first`, GELU, linear `second`: a transformer's two-layer perceptron.
Value mlp(GraphBuilder& g, const Weights& first, const Weights& second, Value x);

// Global mean of [N, C, H, W], then the linear layer `head`.
Value pool_and_classify(GraphBuilder& g, const Weights& head, Value x);

// True when tensor `name` is a convolution's weight with a kernel of `kernel` x `kernel`.
bool is_conv(const Weights& w, std::string_view name, std::int64_t kernel);
// Output channels of the linear layer `name`; 0 when there is no such layer.
std::int64_t linear_size(const Weights& w, std::string_view name);
// Number of children that are named `prefix`1, `prefix`2, ... without a gap.
std::size_t count_named(const Weights& w, std::string_view prefix);
// The whole r with r * r == value; 0 when there is none.
std::int64_t exact_root(std::int64_t value);

}  // namespace ptrun::models
