// Writes a graph operator by operator, for files that name exact overloads and give arguments as plain values.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "graph/jit_api.h"

namespace ptrun::jit {

using Values = std::vector<torch::jit::Value*>;

enum class ValueType { tensor, integer, real, boolean, other };

// An argument: one value or constant, or a list of them.
struct CallArgument {
  std::string name;  // of the schema; empty: by position, before all named ones
  std::variant<Operand, std::vector<Operand>> value;
};

// One thread. A value may be used in the block it was made in and in blocks inside that one.
class GraphWriter {
 public:
  GraphWriter();
  ~GraphWriter();
  GraphWriter(const GraphWriter&) = delete;
  GraphWriter& operator=(const GraphWriter&) = delete;

  torch::jit::Value* tensor_input();
  torch::jit::Value* constant(const c10::IValue& value);
  torch::jit::Value* value_of(const Operand& operand);  // constants are inserted
  // What `value` is when it is a constant, else None.
  static c10::IValue constant_of(const torch::jit::Value* value);
  static ValueType type_of(const Operand& operand);

  // True when LibTorch has this overload ("aten::add.Tensor", "aten::relu").
  static bool has_operator(const std::string& schema);

  // Appends an operator. Numbers where the schema wants a tensor take the overload for numbers (mul.Tensor(x, 0.5) is
  // mul.Scalar), lists take the element type that the schema wants. Throws Error(internal) naming the operator when
  // there is none or the arguments do not fit.
  Values call(const std::string& schema, const std::vector<CallArgument>& arguments);
  // An operator on numbers, the overload chosen by the types: number("aten::floordiv", {a, b}).
  torch::jit::Value* number(const std::string& name, const std::vector<Operand>& operands);
  // The elements of a list value, which has `count` of them when it runs.
  Values unpack(torch::jit::Value* list, std::size_t count);

  // If: each branch writes its nodes and returns as many values as the other. `condition` is a tensor or boolean.
  using Block = std::function<Values()>;
  Values branch(const Operand& condition, const Block& then, const Block& otherwise);
  // While: `condition` and `body` get the carried values; `body` returns the next ones.
  using Condition = std::function<Operand(const Values& carried)>;
  using Body = std::function<Values(const Values& carried)>;
  Values loop(const Values& start, const Condition& condition, const Body& body);

  torch::jit::Value* tuple(const Values& values);
  torch::jit::Value* list(const Values& values);  // of any types
  torch::jit::Value* dict(const std::vector<std::string>& keys, const Values& values);

  // For passes that look at the graph as it stands.
  const torch::jit::Graph& graph() const { return *graph_; }
  // Ends the graph with one output. What it writes into (inputs, constants) is copied at its start, so that a call
  // leaves nothing behind; then normal form.
  std::shared_ptr<torch::jit::Graph> finish(torch::jit::Value* output);

 private:
  std::shared_ptr<torch::jit::Graph> graph_;
};

}  // namespace ptrun::jit
