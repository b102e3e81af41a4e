#include "graph/onednn_graph.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/onednn_graph_fuser.h>
#include <torch/csrc/jit/passes/subgraph_rewrite.h>
#include <torch/csrc/jit/passes/utils/subgraph_utils.h>
#include <torch/csrc/jit/runtime/interpreter.h>
#include <torch/csrc/jit/runtime/profiling_record.h>

#include <algorithm>

#include "graph/jit_api.h"
#include "graph/silence.h"

namespace ptrun::jit {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::ProfilingRecord;
using torch::jit::Value;

bool is_window(const Node& node) {
  static const std::vector<c10::Symbol> kKinds = {
      c10::Symbol::fromQualString("aten::conv2d"), c10::Symbol::fromQualString("aten::_convolution"),
      c10::Symbol::fromQualString("aten::max_pool2d"), c10::Symbol::fromQualString("aten::avg_pool2d")};
  return std::find(kKinds.begin(), kKinds.end(), node.kind()) != kKinds.end();
}

// A list of two numbers, the first `positive` ones above zero.
bool complete(const c10::IValue& list, bool positive) {
  if (!list.isIntList()) return false;
  const std::vector<std::int64_t> values = list.toIntVector();
  return values.size() == 2 &&
         std::all_of(values.begin(), values.end(), [&](std::int64_t v) { return v > 0 || (!positive && v == 0); });
}

bool window_is_safe(const Node& node) {
  const c10::FunctionSchema* schema = node.maybeSchema();
  if (schema == nullptr) return false;
  for (std::size_t i = 0; i < node.inputs().size(); ++i) {
    const std::string& name = schema->arguments().at(i).name();
    if (name == "input" || name == "self") continue;
    const auto constant = torch::jit::toIValue(node.input(i));
    if (!constant) return false;
    if (name == "padding" && !complete(*constant, false)) return false;
    const bool divides = name == "stride" || name == "dilation" || name == "kernel_size";
    if (divides && !complete(*constant, true)) return false;
    if (name == "groups" && constant->toInt() < 1) return false;
    if (name == "weight" && (!constant->isTensor() || constant->toTensor().dim() != 4)) return false;
  }
  return true;
}

// The fuser matches spellings: it knows sigmoid and multiplication, not silu; the plain path would be slower so.
void respell(const std::shared_ptr<Graph>& graph) {
  torch::jit::SubgraphRewriter rewriter;
  rewriter.RegisterRewritePattern(R"(
graph(%x):
  %y = aten::silu(%x)
  return (%y))",
                                  R"(
graph(%x):
  %s = aten::sigmoid(%x)
  %y = aten::mul(%x, %s)
  return (%y))");
  rewriter.RegisterRewritePattern(R"(
graph(%x):
  %y = aten::hardsigmoid(%x)
  return (%y))",
                                  R"(
graph(%x):
  %sixth : float = prim::Constant[value=0.16666666666666666]()
  %half : float = prim::Constant[value=0.5]()
  %zero : float = prim::Constant[value=0.]()
  %unit : float = prim::Constant[value=1.]()
  %one : int = prim::Constant[value=1]()
  %m = aten::mul(%x, %sixth)
  %a = aten::add(%m, %half, %one)
  %y = aten::clamp(%a, %zero, %unit)
  return (%y))");
  std::shared_ptr<Graph> same = graph;
  rewriter.runOnGraph(same);
}

// Behind the guards of the fused groups stand copies of their operators for other shapes, in a form that throws;
// inlined they run.
// NOLINTNEXTLINE(misc-no-recursion): the depth is that of the graph's blocks.
void inline_fallbacks(Block* block) {
  std::vector<Node*> fallbacks;
  for (Node* node : block->nodes()) {
    for (Block* inner : node->blocks()) inline_fallbacks(inner);
    if (node->kind() == c10::prim::FallbackGraph) fallbacks.push_back(node);
  }
  for (Node* node : fallbacks) torch::jit::SubgraphUtils::unmergeSubgraph(node);
}

}  // namespace

void complete_windows(const std::shared_ptr<Graph>& graph) {
  for (Node* node : graph->nodes()) {
    const c10::FunctionSchema* schema = is_window(*node) ? node->maybeSchema() : nullptr;
    if (schema == nullptr) continue;
    std::optional<c10::IValue> kernel;
    for (std::size_t i = 0; i < node->inputs().size(); ++i) {
      auto constant = torch::jit::toIValue(node->input(i));
      if (!constant || !constant->isIntList()) continue;
      std::vector<std::int64_t> values = constant->toIntVector();
      const std::string& name = schema->arguments().at(i).name();
      if (name == "stride" && values.empty() && kernel) values = kernel->toIntVector();
      if (values.size() == 1 && name != "output_padding") values.push_back(values.front());
      if (name == "kernel_size") kernel = values;
      if (values == constant->toIntVector()) continue;
      const torch::jit::WithInsertPoint guard(node);
      node->replaceInput(i, graph->insertConstant(values));
    }
  }
}

bool may_fuse(const Graph& graph, const Shapes& shapes) {
  for (const auto& [value, shape] : shapes) {
    if (std::find(shape.sizes.begin(), shape.sizes.end(), 0) != shape.sizes.end()) return false;
  }
  const auto nodes = graph.nodes();
  return std::all_of(nodes.begin(), nodes.end(), [](const Node* node) {
    return node->blocks().empty() && (!is_window(*node) || window_is_safe(*node));
  });
}

std::shared_ptr<Graph> fuse(const std::shared_ptr<Graph>& graph, std::vector<c10::IValue> inputs) {
  const Silence quiet;
  const std::shared_ptr<Graph> spelled = graph->copy();
  respell(spelled);
  const std::unique_ptr<ProfilingRecord> record = ProfilingRecord::instrumentGraph(spelled);
  const torch::jit::Code code(record->profiled_graph_, "forward");
  torch::jit::InterpreterState(code).run(inputs);
  std::shared_ptr<Graph> fused = record->profiled_graph_->copy();
  ProfilingRecord::removeProfileCounter(fused->block());
  torch::jit::fuser::onednn::fuseGraph(fused);
  inline_fallbacks(fused->block());
  torch::jit::EliminateDeadCode(fused);
  return fused;
}

}  // namespace ptrun::jit
