#include "graph/record_shapes.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/ir/ir.h>

#include "graph/jit_api.h"
#include "graph/probe.h"

namespace ptrun::jit {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

template <typename Values>
void copy_values(const Values& from, const Values& to, const Shapes& shapes, Shapes& copied) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto found = shapes.find(from[i]);
    if (found != shapes.end()) copied[to[i]] = found->second;
  }
}

// NOLINTNEXTLINE(misc-no-recursion): the depth is that of the graph's blocks.
void copy_block(const Block* from, const Block* to, const Shapes& shapes, Shapes& copied) {
  copy_values(from->inputs(), to->inputs(), shapes, copied);
  auto twin = to->nodes().begin();
  for (const Node* node : from->nodes()) {
    copy_values(node->outputs(), (*twin)->outputs(), shapes, copied);
    for (std::size_t i = 0; i < node->blocks().size(); ++i) {
      copy_block(node->blocks()[i], (*twin)->blocks()[i], shapes, copied);
    }
    ++twin;
  }
}

}  // namespace

Shapes shapes_of_copy(const Graph& from, const Shapes& shapes, const Graph& copy) {
  Shapes copied;
  copy_block(from.block(), copy.block(), shapes, copied);
  return copied;
}

c10::IValue record_shapes(const std::shared_ptr<Graph>& graph, std::vector<c10::IValue> inputs, Shapes& shapes) {
  const Probes probes(*graph, [&shapes](const Value* value, const at::Tensor& tensor) {
    shapes[value] = {tensor.sizes().vec(), tensor.scalar_type(), tensor.is_contiguous()};
  });
  return Program(graph).run(std::move(inputs));
}

}  // namespace ptrun::jit
