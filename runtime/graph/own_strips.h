// Our operators that run strip by strip (ptrun::strips in operators/fused.h).
#pragma once

#include <ATen/core/interned_strings.h>

#include "graph/record_shapes.h"

namespace torch::jit {
struct Block;
struct Graph;
}  // namespace torch::jit

namespace ptrun::jit {

inline const c10::Symbol kPointwise = c10::Symbol::fromQualString("ptrun::pointwise");
inline const c10::Symbol kDepthwise = c10::Symbol::fromQualString("ptrun::depthwise");
inline const c10::Symbol kStrips = c10::Symbol::fromQualString("ptrun::strips");

// Joins ptrun::depthwise with the ptrun::pointwise before and behind it, where nobody else reads what stands between
// them and it is larger than the weights, which are read once for each strip.
void join_strips(torch::jit::Graph& graph, torch::jit::Block* block, Shapes& shapes);

}  // namespace ptrun::jit
