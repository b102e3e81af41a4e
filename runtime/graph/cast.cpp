#include "graph/cast.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>

#include "graph/own_operators.h"

namespace ptrun::jit {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;

// The arguments called dtype that say float32.
void cast_dtypes(Graph& graph, Node& node, c10::ScalarType type) {
  const c10::FunctionSchema* schema = node.maybeSchema();
  if (schema == nullptr) return;
  const auto index = schema->argumentIndexWithName("dtype");
  if (!index) return;
  const auto position = static_cast<std::size_t>(*index);
  const auto given = torch::jit::toIValue(node.input(position));
  if (!given || !given->isInt() || given->toInt() != static_cast<std::int64_t>(c10::ScalarType::Float)) return;
  const torch::jit::WithInsertPoint guard(&node);
  node.replaceInput(position, graph.insertConstant(static_cast<std::int64_t>(type)));
}

// Own operators are given their constants in the types that they want.
bool is_settled(const Node& constant) {
  const auto& uses = constant.output()->uses();
  return std::any_of(uses.begin(), uses.end(), [](const torch::jit::Use& use) { return is_own_operator(*use.user); });
}

// NOLINTNEXTLINE(misc-no-recursion): the depth is that of the graph's blocks.
void cast_block(Graph& graph, Block* block, c10::ScalarType type) {
  for (Node* node : block->nodes()) {
    for (Block* inner : node->blocks()) cast_block(graph, inner, type);
    if (node->kind() != c10::prim::Constant) {
      cast_dtypes(graph, *node, type);
      continue;
    }
    const bool tensor =
        node->hasAttribute(c10::attr::value) && node->kindOf(c10::attr::value) == torch::jit::AttributeKind::t;
    if (!tensor || node->t(c10::attr::value).scalar_type() != at::kFloat || is_settled(*node)) continue;
    node->t_(c10::attr::value, node->t(c10::attr::value).to(type));
    node->output()->setType(c10::TensorType::get());
  }
}

}  // namespace

void cast(const std::shared_ptr<Graph>& graph, c10::ScalarType type) { cast_block(*graph, graph->block(), type); }

}  // namespace ptrun::jit
