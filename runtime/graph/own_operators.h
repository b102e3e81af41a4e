// Layers as our own operators (operators/fused.h).
#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <memory>

#include "graph/record_shapes.h"

namespace torch::jit {
struct Graph;
struct Node;
}  // namespace torch::jit

namespace ptrun::jit {

// What is multiplied: numbers of the type; of float32 alone 16-bit integers, sixteen times as exact as bfloat16, or
// parts with 16 binary digits together (Loops::coarse), in wide linear layers integers of two digits (Loops::digits).
enum class Products : std::uint8_t { usual, integers, coarse };

// Rewrites `graph`, which is normal, folded and in float32: 1x1 convolutions, linear layers, depthwise convolutions,
// attention and global means become ptrun's operators, which do the activation, the addition and the gate (squeeze and
// excitation) beside them in the same pass. Their constants are made for inputs of `type`; cast() brings the rest into
// it and leaves them alone. `shapes` are the values' shapes for the inputs it will run on; other batch sizes give the
// right result too. What does not fit stays as it is. In float32 those 3x3 convolutions of stride 1 that it pays for
// run by minimal filtering, whatever `products` says. Returns how many layers were replaced. Throws what LibTorch
// throws, the graph is then unusable.
int use_own_operators(const std::shared_ptr<torch::jit::Graph>& graph, Shapes& shapes, c10::ScalarType type,
                      Products products = Products::usual);

bool is_own_operator(const torch::jit::Node& node);

// Convolutions by minimal filtering, and those on the pixels themselves, outside of branches.
int count_winograd(const torch::jit::Graph& graph);
int count_dense(const torch::jit::Graph& graph);

}  // namespace ptrun::jit
