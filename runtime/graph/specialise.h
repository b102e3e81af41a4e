// A graph for inputs of one shape.
#pragma once

#include <memory>

#include "graph/record_shapes.h"

namespace torch::jit {
struct Graph;
}

namespace ptrun::jit {

// Numbers that follow from the shapes of tensors (dim, size) become constants, and branches on them go: checks of
// scripted models, which keep fusers away. The graph is then right for inputs of these shapes only. `graph` is normal;
// it stays as it is where operators may change a tensor's shape or a list of integers in place. Values in loops are
// left alone.
void specialise(const std::shared_ptr<torch::jit::Graph>& graph, const Shapes& shapes);

}  // namespace ptrun::jit
