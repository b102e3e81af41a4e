// What rewriting passes ask about a graph's layers, and the constants that they put into it.
#pragma once

#include <ATen/core/ivalue.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "graph/match.h"
#include "graph/record_shapes.h"

namespace torch::jit {
struct Node;
}

namespace ptrun::jit {

// A convolution or linear layer whose parameters are constant.
struct Layer {
  at::Tensor weight;  // [out, in / groups, height, width] or [out, in], float32 or bfloat16, not empty
  c10::IValue bias;   // a tensor or None
  std::vector<std::int64_t> stride;
  std::vector<std::int64_t> padding;
  std::vector<std::int64_t> dilation;
  std::int64_t groups = 1;
};
// Of aten::conv2d and aten::_convolution that is not transposed, with an input of known shape [N, C, H, W] that is not
// empty.
std::optional<Layer> conv_layer(const torch::jit::Node& node, const Shapes& shapes);
// Of aten::linear with an input of known shape of two dimensions or more; `rows` is the product of all but the last.
std::optional<Layer> linear_layer(const torch::jit::Node& node, const Shapes& shapes, std::int64_t& rows);

// Whether both shapes are known and the same, with the same element type.
bool same_shape(const Shapes& shapes, const torch::jit::Value* a, const torch::jit::Value* b);
// The other summand where `add` is a plain addition of `value` and another tensor of its shape; else null.
torch::jit::Value* summand(const torch::jit::Node& add, const torch::jit::Value* value, const Shapes& shapes);

// The one tensor that the operator `name` gives for `stack`.
at::Tensor call(const char* name, std::vector<c10::IValue> stack);

// A constant that holds `tensor`, also one in oneDNN's own layout, which insertConstant does not take. At the graph's
// insert point.
torch::jit::Value* insert_tensor(torch::jit::Graph& graph, at::Tensor tensor);
// `more` behind `values`. GCC 12 sees copies past the end in vector::insert here.
inline void append(std::vector<torch::jit::Value*>& values, std::initializer_list<torch::jit::Value*> more) {
  for (torch::jit::Value* value : more) values.push_back(value);
}
// A list of numbers as oneDNN's operators take the parameters of an activation.
torch::jit::Value* insert_scalars(torch::jit::Graph& graph, const std::vector<double>& scalars);

}  // namespace ptrun::jit
