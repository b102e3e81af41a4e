// What a layer's node says where our own operators may take it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace torch::jit {
struct Node;
}  // namespace torch::jit

namespace ptrun::jit {

// A convolution's numbers where all of them are known and both directions alike.
struct Convolution {
  at::Tensor weight;
  std::optional<at::Tensor> bias;
  std::int64_t stride = 1, padding = 0, dilation = 1, groups = 1;
};

std::optional<Convolution> convolution(const torch::jit::Node& node);

// The factor of the scores of a scaled_dot_product_attention of heads of `width` that has no mask, drops nothing out
// and sees all keys.
std::optional<double> attention_scale(const torch::jit::Node& node, std::int64_t width);

// A mean or an adaptive_avg_pool2d over height and width that keeps them as 1.
bool is_global_mean(const torch::jit::Node& node);

}  // namespace ptrun::jit
