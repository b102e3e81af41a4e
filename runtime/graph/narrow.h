// Layers that are run for what is read of them.
#pragma once

#include <memory>

#include "graph/record_shapes.h"

namespace torch::jit {
struct Graph;
}  // namespace torch::jit

namespace ptrun::jit {

// Where only some positions of a dimension other than the batch are read of a result, as of the class token behind the
// last block of a vision transformer, linear layers, layer norms, additions, activations and attention's queries before
// it run for these alone. `graph` is normal; `shapes` are its values' and are kept up; other batch sizes give the right
// result too. Returns how many linear layers and attentions became smaller.
int narrow(const std::shared_ptr<torch::jit::Graph>& graph, Shapes& shapes);

}  // namespace ptrun::jit
