#include "graph/jit_api.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/jit/frontend/schema_matching.h>
#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/frozen_graph_optimizations.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/passes/remove_mutation.h>
#include <torch/csrc/jit/runtime/operator.h>

#include <algorithm>

#include "graph/silence.h"
#include "ptrun/error.h"

namespace ptrun::jit {
namespace {

torch::jit::NamedValue named_value(const Operand& operand) {
  if (const auto* value = std::get_if<torch::jit::Value*>(&operand)) return {*value};
  return {std::get<c10::IValue>(operand)};
}

torch::jit::NamedValue named_value(const std::string& name, const Operand& operand) {
  if (const auto* value = std::get_if<torch::jit::Value*>(&operand)) return {name, *value};
  return {name, std::get<c10::IValue>(operand)};
}

bool writes(const torch::jit::Block& block) {
  for (const torch::jit::Node* node : block.nodes()) {
    const c10::FunctionSchema* schema = node->maybeSchema();
    if (schema != nullptr && schema->is_mutable()) return true;
    for (const torch::jit::Block* inner : node->blocks()) {
      if (writes(*inner)) return true;
    }
  }
  return false;
}

}  // namespace

const c10::FunctionSchema* find_schema(std::string_view schema) {
  const std::size_t dot = schema.find('.');
  const std::string name(schema.substr(0, dot));
  const std::string overload(dot == std::string_view::npos ? std::string_view() : schema.substr(dot + 1));
  if (const auto handle = c10::Dispatcher::singleton().findSchema({name, overload})) return &handle->schema();
  // Scalar operators (aten::size.int, aten::floordiv.int) exist in the JIT alone.
  for (const auto& candidate : torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString(name))) {
    if (candidate->schema().overload_name() == overload) return &candidate->schema();
  }
  return nullptr;
}

void protect(const std::shared_ptr<torch::jit::Graph>& graph) {
  if (!writes(*graph->block())) return;
  std::vector<torch::jit::Value*> written;
  {
    const torch::jit::AliasDb aliases(graph);
    const auto look_at = [&](torch::jit::Value* value) {
      if (value->type()->kind() == c10::TypeKind::TensorType && aliases.hasWriters(value)) written.push_back(value);
    };
    for (torch::jit::Value* input : graph->inputs()) look_at(input);
    for (torch::jit::Node* node : graph->nodes()) {
      if (node->kind() == c10::prim::Constant) look_at(node->output());
    }
  }
  for (torch::jit::Value* value : written) {
    const bool input = value->node()->kind() == c10::prim::Param;
    const torch::jit::WithInsertPoint here(input ? *graph->nodes().begin() : value->node()->next());
    torch::jit::Value* copy = insert_operator(*graph, "aten::clone", {value}, {}).front();
    value->replaceAllUsesAfterNodeWith(copy->node(), copy);
  }
}

std::vector<torch::jit::Value*> insert_operator(torch::jit::Graph& graph, std::string_view schema,
                                                const std::vector<Operand>& arguments,
                                                const std::vector<std::pair<std::string, Operand>>& named) {
  const std::string name(schema.substr(0, schema.find('.')));
  const c10::FunctionSchema* found = find_schema(schema);
  if (found == nullptr) {
    throw Error(ErrorCode::internal, std::string(schema),
                "LibTorch has no such operator overload; this ptrun was built for another LibTorch");
  }
  std::vector<torch::jit::NamedValue> positional;
  positional.reserve(arguments.size());
  for (const Operand& operand : arguments) positional.push_back(named_value(operand));
  std::vector<torch::jit::NamedValue> keywords;
  keywords.reserve(named.size());
  for (const auto& [key, operand] : named) keywords.push_back(named_value(key, operand));
  try {
    const torch::jit::MatchedSchema matched =
        torch::jit::matchSchema(*found, torch::jit::SourceRange(), graph, positional, keywords);
    torch::jit::Node* node =
        graph.insertNode(graph.create(c10::Symbol::fromQualString(name), matched.inputs, matched.return_types.size()));
    std::vector<torch::jit::Value*> results;
    results.reserve(matched.return_types.size());
    for (std::size_t i = 0; i < matched.return_types.size(); ++i) {
      node->output(i)->setType(matched.return_types[i]);
      results.push_back(node->output(i));
    }
    return results;
  } catch (const std::exception& error) {
    throw Error(ErrorCode::internal, std::string(schema), std::string("arguments do not fit: ") + error.what());
  }
}

bool is_normal(const torch::jit::Graph& graph) {
  for (const torch::jit::Node* node : graph.nodes()) {
    if (node->kind() == c10::prim::Constant) continue;
    const c10::FunctionSchema* schema = node->maybeSchema();
    if (!node->blocks().empty() || schema == nullptr || schema->is_mutable() || !node->hasUses()) return false;
    const auto inputs = node->inputs();
    const bool constant = std::all_of(inputs.begin(), inputs.end(), [](const torch::jit::Value* value) {
      return value->node()->kind() == c10::prim::Constant;
    });
    if (constant) return false;
  }
  return true;
}

void normalise(const std::shared_ptr<torch::jit::Graph>& graph) {
  std::shared_ptr<torch::jit::Graph> same = graph;
  torch::jit::ConstantPropagation(same);
  torch::jit::RemoveTensorMutation(same);
  torch::jit::EliminateDeadCode(same);
}

void fold(const std::shared_ptr<torch::jit::Graph>& graph) {
  std::shared_ptr<torch::jit::Graph> same = graph;
  torch::jit::OptimizeFrozenGraph(same);
}

Program::Program(const std::shared_ptr<torch::jit::Graph>& graph)
    : code_(std::make_unique<torch::jit::Code>(graph, "forward")), required_(code_->num_inputs()) {}

Program::Program(const torch::jit::Module& module) : self_(module._ivalue()) {
  const torch::jit::Method method = module.get_method("forward");
  const std::shared_ptr<torch::jit::Graph> graph = method.graph()->copy();
  torch::jit::Inline(*graph);
  code_ = std::make_unique<torch::jit::Code>(graph, "forward");
  for (const c10::Argument& argument : method.function().getSchema().arguments()) {
    if (argument.name() == "self" && defaults_.empty() && required_ == 0) continue;
    if (!argument.default_value()) ++required_;
    defaults_.push_back(argument.default_value().value_or(c10::IValue()));
  }
}

Program::~Program() = default;

c10::IValue Program::run(std::vector<c10::IValue> inputs) const {
  const std::size_t most = self_.isNone() ? required_ : defaults_.size();
  TORCH_CHECK(inputs.size() >= required_ && inputs.size() <= most, "forward() takes ", required_, " to ", most,
              " inputs, got ", inputs.size());
  if (!self_.isNone()) {
    for (std::size_t i = inputs.size(); i < defaults_.size(); ++i) inputs.push_back(defaults_[i]);
    inputs.insert(inputs.begin(), self_);
  }
  const Silence quiet;
  torch::jit::InterpreterState(*code_).run(inputs);
  if (inputs.size() == 1) return std::move(inputs.front());
  return c10::ivalue::Tuple::create(std::move(inputs));
}

}  // namespace ptrun::jit
