#include "graph/own_strips.h"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <vector>

#include "graph/match.h"

namespace ptrun::jit {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

Value* input(Node& node, const char* name) { return const_cast<Value*>(argument(node, name)); }

bool is_none(Node& node, const char* name) {
  const auto value = constant(node, name);
  return value && value->isNone();
}

// A 1x1 convolution of images without a gate.
bool is_plain_pointwise(Node& node) {
  const auto pixels = node.kind() == kPointwise ? constant(node, "pixels") : std::nullopt;
  return pixels && pixels->toBool() && is_none(node, "gate");
}

// Pixels of an image, 0 where its size is not known.
std::int64_t pixels_of(const Shapes& shapes, const Value* value) {
  const auto found = shapes.find(value);
  return found == shapes.end() || found->second.sizes.size() != 4 ? 0 : found->second.sizes[2] * found->second.sizes[3];
}

std::int64_t channels_of(const Shapes& shapes, const Value* value) {
  const auto found = shapes.find(value);
  return found == shapes.end() || found->second.sizes.size() != 4 ? 0 : found->second.sizes[1];
}

std::vector<double> epilogue(Node& node, bool addition) {
  const bool after = addition && constant(node, "after_addition")->toBool();
  return {static_cast<double>(constant(node, "activation")->toInt()), *number(node, "low"), *number(node, "high"),
          after ? 1.0 : 0.0};
}

void join(Graph& graph, Node* depthwise, Shapes& shapes) {
  Node* before = depthwise->input(0)->node();
  const bool expands = before->owningBlock() == depthwise->owningBlock() && is_plain_pointwise(*before) &&
                       is_none(*before, "other") && before->output()->uses().size() == 1 &&
                       pixels_of(shapes, before->output()) >= channels_of(shapes, before->input(0));
  Node* behind = only_user(depthwise->output());
  const bool projects = behind != nullptr && is_plain_pointwise(*behind) && behind->input(0) == depthwise->output() &&
                        pixels_of(shapes, depthwise->output()) >= channels_of(shapes, behind->output());
  if (!expands && !projects) return;
  Node* last = projects ? behind : depthwise;
  const torch::jit::WithInsertPoint guard(last);
  const auto put = [&](const c10::IValue& value) { return graph.insertConstant(value); };
  Value* none = put(c10::IValue());
  const auto taken = [&](Node* node, bool takes, const char* name) { return takes ? input(*node, name) : none; };
  const std::vector<double> nothing = {0.0, 0.0, 0.0, 0.0};
  const std::vector<Value*> inputs = {
      expands ? before->input(0) : depthwise->input(0),
      taken(before, expands, "weight"),
      taken(before, expands, "scales"),
      taken(before, expands, "bias"),
      expands ? input(*before, "columns") : put(0),
      put(expands ? epilogue(*before, false) : nothing),
      input(*depthwise, "weight"),
      input(*depthwise, "bias"),
      input(*depthwise, "kernel"),
      input(*depthwise, "stride"),
      input(*depthwise, "padding"),
      put(epilogue(*depthwise, false)),
      taken(behind, projects, "weight"),
      taken(behind, projects, "scales"),
      taken(behind, projects, "bias"),
      taken(behind, projects, "other"),
      projects ? input(*behind, "columns") : put(0),
      put(projects ? epilogue(*behind, true) : nothing),
  };
  Node* node = graph.insertNode(graph.create(kStrips, inputs));
  node->copyMetadata(depthwise);
  if (const auto known = shapes.find(last->output()); known != shapes.end()) {
    const TensorShape shape = known->second;
    shapes[node->output()] = shape;
  }
  last->output()->replaceAllUsesWith(node->output());
  if (projects) behind->destroy();
  depthwise->destroy();
  if (expands) before->destroy();
}

}  // namespace

// NOLINTNEXTLINE(misc-no-recursion): the depth is that of the graph's blocks.
void join_strips(Graph& graph, Block* block, Shapes& shapes) {
  std::vector<Node*> layers;
  for (Node* node : block->nodes()) {
    for (Block* inner : node->blocks()) join_strips(graph, inner, shapes);
    if (node->kind() == kDepthwise) layers.push_back(node);
  }
  for (Node* node : layers) join(graph, node, shapes);
}

}  // namespace ptrun::jit
