// Fused graphs without the checks in front of each group.
#pragma once

#include <memory>

namespace torch::jit {
struct Graph;
}

namespace ptrun::jit {

// Before each group of a graph of fuse() stands a check of its inputs' shapes and layouts, 2 to 7 % of a light
// network's time at batch 1. Takes them away where nothing but the shapes and layouts of the graph's inputs decides
// them: every operator is a known one. True when done: the graph must then never see inputs of another shape, type or
// layout than it was fused for; its kernels would read past their ends.
bool drop_guards(const std::shared_ptr<torch::jit::Graph>& graph);

}  // namespace ptrun::jit
