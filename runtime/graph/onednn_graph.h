// Compiles a graph with LibTorch's oneDNN Graph fuser: whole groups of operators become one kernel, for one input
// shape.
#pragma once

#include <ATen/core/ivalue.h>

#include <memory>
#include <vector>

#include "graph/record_shapes.h"

namespace torch::jit {
struct Graph;
}

namespace ptrun::jit {

// Writes out what the list arguments of convolutions and pooling leave to their defaults: [3] becomes [3, 3], an empty
// stride of a pooling its kernel.
void complete_windows(const std::shared_ptr<torch::jit::Graph>& graph);

// Whether the fuser may see `graph`. It divides by sizes and strides that it takes from list arguments without a check
// (SIGFPE, which nothing catches), so all of those must be constant, complete and positive, no tensor may be empty, and
// there are no branches or loops. `shapes` are the graph's own. Call after normalise() and
// complete_windows().
bool may_fuse(const torch::jit::Graph& graph, const Shapes& shapes);

// A new graph, fused for the shapes of `inputs`; it gives the right result for others too, unfused. `graph` is normal
// and folded. The first run compiles the kernels. Throws what LibTorch throws.
std::shared_ptr<torch::jit::Graph> fuse(const std::shared_ptr<torch::jit::Graph>& graph,
                                        std::vector<c10::IValue> inputs);

}  // namespace ptrun::jit
