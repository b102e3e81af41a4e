#include "graph/specialise.h"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "graph/jit_api.h"

namespace ptrun::jit {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;

const c10::Symbol kDim = c10::Symbol::fromQualString("aten::dim");
const c10::Symbol kSize = c10::Symbol::fromQualString("aten::size");

// A list of sizes that grew on every run, were it a constant.
bool changes_integers(const Node& node) {
  const auto* list = node.inputs().empty() ? nullptr : node.input(0)->type()->castRaw<c10::ListType>();
  return list != nullptr && list->getElementType()->kind() == c10::TypeKind::IntType;
}

// In-place operators keep their tensor's shape, but for these and those that write into an `out` argument.
bool may_reshape(const Node& node) {
  static const std::vector<std::string_view> kNames = {
      "aten::resize_", "aten::resize_as_", "aten::set_",        "aten::squeeze_",  "aten::unsqueeze_",
      "aten::t_",      "aten::transpose_", "aten::as_strided_", "aten::swapaxes_", "aten::swapdims_"};
  const c10::FunctionSchema* schema = node.maybeSchema();
  if (schema == nullptr || !schema->is_mutable()) return false;
  return changes_integers(node) || schema->argumentIndexWithName("out") ||
         std::find(kNames.begin(), kNames.end(), node.kind().toQualString()) != kNames.end();
}

// NOLINTNEXTLINE(misc-no-recursion): the depth is that of the graph's blocks.
bool may_reshape(const Block* block) {
  const auto nodes = block->nodes();
  return std::any_of(nodes.begin(), nodes.end(), [](const Node* node) {
    const auto blocks = node->blocks();
    return may_reshape(*node) ||
           std::any_of(blocks.begin(), blocks.end(), [](const Block* inner) { return may_reshape(inner); });
  });
}

// What the node gives for tensors of the recorded shapes.
std::optional<c10::IValue> known(const Node& node, const Shapes& shapes) {
  if ((node.kind() != kDim && node.kind() != kSize) || node.inputs().empty()) return std::nullopt;
  const auto found = shapes.find(node.input(0));
  if (found == shapes.end()) return std::nullopt;
  const std::vector<std::int64_t>& sizes = found->second.sizes;
  const auto dimensions = static_cast<std::int64_t>(sizes.size());
  if (node.kind() == kDim) return dimensions;
  if (node.inputs().size() == 1) return sizes;
  const auto index = torch::jit::toIValue(node.input(1));
  if (!index || !index->isInt() || index->toInt() < -dimensions || index->toInt() >= dimensions) return std::nullopt;
  return sizes[static_cast<std::size_t>(index->toInt() < 0 ? index->toInt() + dimensions : index->toInt())];
}

// NOLINTNEXTLINE(misc-no-recursion): the depth is that of the graph's blocks.
void specialise_block(Graph& graph, Block* block, const Shapes& shapes) {
  for (auto at = block->nodes().begin(); at != block->nodes().end();) {
    Node* node = *at;
    ++at;
    if (node->kind() == c10::prim::Loop) continue;
    for (Block* inner : node->blocks()) specialise_block(graph, inner, shapes);
    const std::optional<c10::IValue> value = known(*node, shapes);
    if (!value) continue;
    const torch::jit::WithInsertPoint guard(node);
    node->output()->replaceAllUsesWith(graph.insertConstant(*value));
    node->destroy();
  }
}

}  // namespace

void specialise(const std::shared_ptr<Graph>& graph, const Shapes& shapes) {
  if (may_reshape(graph->block())) return;
  specialise_block(*graph, graph->block(), shapes);
  normalise(graph);
}

}  // namespace ptrun::jit
