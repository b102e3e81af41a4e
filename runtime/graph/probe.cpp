#include "graph/probe.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/ir/ir.h>

namespace ptrun::jit {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::ProfileIValueOp;
using torch::jit::Value;

Probes::Probes(Graph& graph, Seen seen) : graph_(graph), seen_(std::move(seen)) { probe(graph.block()); }

Probes::~Probes() {
  for (Node* node : nodes_) {
    node->output()->replaceAllUsesWith(node->input());
    node->destroy();
  }
}

// NOLINTNEXTLINE(misc-no-recursion): the depth is that of the graph's blocks.
void Probes::probe(Block* block) {
  auto at = block->nodes().begin();  // behind the inputs' probes
  Node* first = *at;
  for (Value* input : block->inputs()) probe(input, first);
  while (at != block->nodes().end()) {
    Node* node = *at;
    ++at;
    for (Block* inner : node->blocks()) probe(inner);
    if (node->kind() == c10::prim::Constant) continue;
    for (Value* output : node->outputs()) probe(output, *at);
  }
}

void Probes::probe(Value* value, Node* before) {
  if (!value->type()->isSubtypeOf(*c10::TensorType::get())) return;
  Node* node = new ProfileIValueOp(&graph_, [this, value](std::vector<c10::IValue>& stack) {
    stack.pop_back();  // number of the interpreter's frame; the tensor below passes through
    const c10::IValue& found = stack.back();
    if (found.isTensor() && found.toTensor().defined()) seen_(value, found.toTensor());
  });
  node->insertBefore(before);
  Value* probed = node->addOutput();
  probed->setType(value->type());
  value->replaceAllUsesAfterNodeWith(node, probed);
  node->addInput(value);
  nodes_.push_back(node);
}

}  // namespace ptrun::jit
