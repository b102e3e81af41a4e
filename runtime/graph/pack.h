// Convolutions and linear layers as LibTorch's oneDNN operators: weights reordered once for the shapes they will meet,
// the activation and the addition behind them done in the same pass over the output.
#pragma once

#include <memory>

#include "graph/record_shapes.h"

namespace torch::jit {
struct Graph;
}

namespace ptrun::jit {

// Rewrites `graph`, which is normal and folded; `shapes` are its values' shapes for the inputs it will run on. Other
// shapes give the right result too, with weights reordered on every call. Values in float32 or bfloat16; what does not
// fit stays as it is. Returns how many layers were packed. Throws what LibTorch throws, the graph is then unusable.
int pack(const std::shared_ptr<torch::jit::Graph>& graph, Shapes shapes);

}  // namespace ptrun::jit
