#include "graph/drop_guards.h"

#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace ptrun::jit {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;

constexpr std::string_view kGuard = "prim::oneDNNFusionGuard";

// Shapes and strides of their results follow from those of their arguments.
bool is_known(std::string_view name) {
  static const std::vector<std::string_view> kNames = {"aten::_convolution",
                                                       "aten::adaptive_avg_pool2d",
                                                       "aten::add",
                                                       "aten::addmm",
                                                       "aten::avg_pool2d",
                                                       "aten::batch_norm",
                                                       "aten::bmm",
                                                       "aten::cat",
                                                       "aten::channel_shuffle",
                                                       "aten::chunk",
                                                       "aten::clamp",
                                                       "aten::contiguous",
                                                       "aten::conv2d",
                                                       "aten::conv_transpose2d",
                                                       "aten::div",
                                                       "aten::dropout",
                                                       "aten::elu",
                                                       "aten::exp",
                                                       "aten::expand",
                                                       "aten::flatten",
                                                       "aten::floordiv",
                                                       "aten::gelu",
                                                       "aten::hardsigmoid",
                                                       "aten::hardswish",
                                                       "aten::hardtanh",
                                                       "aten::layer_norm",
                                                       "aten::leaky_relu",
                                                       "aten::linear",
                                                       "aten::matmul",
                                                       "aten::max_pool2d",
                                                       "aten::mean",
                                                       "aten::mish",
                                                       "aten::mul",
                                                       "aten::neg",
                                                       "aten::pad",
                                                       "aten::permute",
                                                       "aten::pow",
                                                       "aten::relu",
                                                       "aten::relu6",
                                                       "aten::reshape",
                                                       "aten::roll",
                                                       "aten::rsqrt",
                                                       "aten::scaled_dot_product_attention",
                                                       "aten::select",
                                                       "aten::sigmoid",
                                                       "aten::silu",
                                                       "aten::size",
                                                       "aten::slice",
                                                       "aten::softmax",
                                                       "aten::softplus",
                                                       "aten::split",
                                                       "aten::sqrt",
                                                       "aten::squeeze",
                                                       "aten::stack",
                                                       "aten::sub",
                                                       "aten::t",
                                                       "aten::tanh",
                                                       "aten::transpose",
                                                       "aten::unflatten",
                                                       "aten::unsqueeze",
                                                       "aten::upsample_bilinear2d",
                                                       "aten::upsample_nearest2d",
                                                       "aten::view",
                                                       "prim::Constant",
                                                       "prim::ListConstruct",
                                                       "prim::ListUnpack",
                                                       "prim::TupleConstruct",
                                                       kGuard};
  return std::binary_search(kNames.begin(), kNames.end(), name);
}

bool is_guard(const Node& node) { return node.kind().toQualString() == kGuard; }

// The choice between a fused group and its operators.
bool is_choice(const Node& node) {
  return node.kind() == c10::prim::If && is_guard(*node.input(0)->node()) && node.blocks().size() == 2;
}

// The group takes the place of the choice, the values that were checked that of the checked ones.
void take_group(Node* choice) {
  Node* guard = choice->input(0)->node();
  Block* fused = choice->blocks()[0];
  const std::vector<Node*> nodes(fused->nodes().begin(), fused->nodes().end());
  for (Node* node : nodes) node->moveBefore(choice);
  for (std::size_t i = 0; i < choice->outputs().size(); ++i) {
    choice->output(i)->replaceAllUsesWith(fused->outputs()[i]);
  }
  choice->destroy();
  for (std::size_t i = 0; i < guard->inputs().size(); ++i) guard->output(i)->replaceAllUsesWith(guard->input(i));
  guard->destroy();
}

}  // namespace

bool drop_guards(const std::shared_ptr<Graph>& graph) {
  std::vector<Node*> choices;
  for (Node* node : graph->nodes()) {
    if (is_choice(*node)) {
      // The bool of a guard is read by its own choice alone.
      if (node->input(0)->uses().size() != 1) return false;
      choices.push_back(node);
    } else if (!is_known(node->kind().toQualString())) {
      return false;
    }
  }
  for (Node* choice : choices) take_group(choice);
  torch::jit::EliminateDeadCode(graph);
  return true;
}

}  // namespace ptrun::jit
