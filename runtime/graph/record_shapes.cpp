#include "graph/record_shapes.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/ir/ir.h>

#include "graph/jit_api.h"

namespace ptrun::jit {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::ProfileIValueOp;
using torch::jit::Value;

// Puts a probe behind every tensor and takes all away again.
class Recorder {
 public:
  Recorder(Graph& graph, Shapes& shapes) : graph_(graph), shapes_(shapes) { probe(graph.block()); }
  ~Recorder() {
    for (Node* node : probes_) {
      node->output()->replaceAllUsesWith(node->input());
      node->destroy();
    }
  }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

 private:
  // NOLINTNEXTLINE(misc-no-recursion): the depth is that of the graph's blocks.
  void probe(Block* block) {
    for (Value* input : block->inputs()) probe(input, *block->nodes().begin());
    for (auto at = block->nodes().begin(); at != block->nodes().end();) {
      Node* node = *at;
      ++at;
      for (Block* inner : node->blocks()) probe(inner);
      if (node->kind() == c10::prim::Constant) continue;
      for (Value* output : node->outputs()) probe(output, *at);
    }
  }

  void probe(Value* value, Node* before) {
    if (!value->type()->isSubtypeOf(*c10::TensorType::get())) return;
    Node* node = new ProfileIValueOp(&graph_, [this, value](std::vector<c10::IValue>& stack) {
      stack.pop_back();  // number of the interpreter's frame; the tensor below passes through
      const c10::IValue& seen = stack.back();
      if (!seen.isTensor() || !seen.toTensor().defined()) return;
      const at::Tensor& tensor = seen.toTensor();
      shapes_[value] = {tensor.sizes().vec(), tensor.scalar_type(), tensor.is_contiguous()};
    });
    node->insertBefore(before);
    Value* probed = node->addOutput();
    probed->setType(value->type());
    value->replaceAllUsesAfterNodeWith(node, probed);
    node->addInput(value);
    probes_.push_back(node);
  }

  Graph& graph_;
  Shapes& shapes_;
  std::vector<Node*> probes_;
};

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
  const Recorder recorder(*graph, shapes);
  return Program(graph).run(std::move(inputs));
}

}  // namespace ptrun::jit
