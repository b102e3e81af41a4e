// A graph in another floating type.
#pragma once

#include <c10/core/ScalarType.h>

#include <memory>

namespace torch::jit {
struct Graph;
}

namespace ptrun::jit {

// Every float32 constant, and every float32 that an operator is told to make (dtype arguments), becomes `type`. The
// graph's inputs must be of that type then. Call after fold(): folding in the smaller type loses digits.
void cast(const std::shared_ptr<torch::jit::Graph>& graph, c10::ScalarType type);

}  // namespace ptrun::jit
