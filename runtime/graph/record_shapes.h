// Sizes and types that the tensors of a graph have for one input.
#pragma once

#include <ATen/core/ivalue.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace torch::jit {
struct Graph;
struct Value;
}  // namespace torch::jit

namespace ptrun::jit {

struct TensorShape {
  std::vector<std::int64_t> sizes;
  c10::ScalarType type = c10::ScalarType::Undefined;
  bool contiguous = false;  // row-major: the last dimension without gaps
};

// By value of the graph. A value in a branch that was not taken has none, one in a loop has that of its last pass.
using Shapes = std::unordered_map<const torch::jit::Value*, TensorShape>;

// Runs `graph` once on `inputs` and notes the shape of every tensor; returns the graph's result. The graph is as it was
// afterwards. Throws what LibTorch throws.
c10::IValue record_shapes(const std::shared_ptr<torch::jit::Graph>& graph, std::vector<c10::IValue> inputs,
                          Shapes& shapes);

// The same shapes for the values of `copy`, made by from.copy().
Shapes shapes_of_copy(const torch::jit::Graph& from, const Shapes& shapes, const torch::jit::Graph& copy);

}  // namespace ptrun::jit
