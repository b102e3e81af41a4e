// Which operators of a graph can work on bytes, and where bytes go from one to the next.
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "graph/layer_nodes.h"
#include "graph/ranges.h"

namespace torch::jit {
struct Block;
}

namespace ptrun::jit {

// Some nodes that one operator on bytes replaces.
struct BytePart {
  enum class Kind { conv, linear, max_pool, mean, gate, sum };
  Kind kind = Kind::conv;
  torch::jit::Node* first = nullptr;
  torch::jit::Node* last = nullptr;  // its output is the part's result
  torch::jit::Node* add = nullptr;   // of a layer: adds another tensor to it
  Layer layer;                       // of conv and linear, float32
  std::int64_t rows = 0;             // of linear
  Activation activation;             // of conv and linear; of a sum: relu or none
  bool gives_bytes = false;          // else float numbers; mean never does
};

// Value -> what it is on real images; values that are not in it have no range.
using RangeOf = std::unordered_map<const torch::jit::Value*, const TensorRange*>;

// The parts of the graph's outermost block that are worth it, in the order of their last nodes.
std::vector<BytePart> byte_parts(torch::jit::Graph& graph, const Shapes& shapes, const RangeOf& ranges);

// The inputs of the part that it takes as bytes.
std::vector<torch::jit::Value*> byte_inputs(const BytePart& part, const Shapes& shapes);

}  // namespace ptrun::jit
