// What the parts of the translation share: scopes, arguments, results.
#pragma once

#include <ATen/core/ivalue.h>

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "archive/exported_program.h"
#include "graph/graph_writer.h"

namespace ptrun::exported {

namespace source = archive::exported;

// Names of one graph.
struct Scope {
  std::unordered_map<std::string, jit::Operand> values;
  std::unordered_set<std::string> used;  // names that a node or the output reads
};

// One node while it is translated.
struct Call {
  const source::Node& node;
  Scope& scope;
  std::string name;  // "aten::conv2d" without overload; the target for others
  // The argument called `key`; null when it is absent.
  const source::Argument* find(std::string_view key) const;
};

class Translator {
 public:
  Translator(jit::GraphWriter& writer, const std::string& subject, const std::string& part, bool trust)
      : writer_(writer), subject_(subject), part_(part), trust_(trust) {}

  jit::GraphWriter& writer() { return writer_; }
  std::vector<std::string> notes;

  // Starts the scope of `graph` (which names are used) and writes its nodes.
  void open(const source::Graph& graph, Scope& scope) const;
  void write_nodes(const source::Graph& graph, Scope& scope);
  // The graph in place: its inputs bound to `operands`, its outputs returned.
  jit::Values write_inline(const source::Graph& graph, const std::vector<jit::Operand>& operands);

  jit::Operand operand(const source::Argument& argument, const Scope& scope);
  std::vector<jit::Operand> operands(const source::Argument& list, const Scope& scope);
  // The operand of argument `key`, or None.
  jit::Operand operand(const Call& call, std::string_view key);
  // Binds results to the names that the node gives them.
  void bind(const Call& call, const jit::Values& results);
  void bind(Scope& scope, const std::string& name, jit::Operand value) const;
  // True when result `index` of the node is read by anyone.
  bool is_used(const Call& call, std::size_t index) const;
  // Writes `schema` with the given arguments and binds its first result.
  void replace(const Call& call, const std::string& schema, std::vector<jit::CallArgument> arguments);
  void note(const std::string& text);

  [[noreturn]] void bad(const std::string& problem) const;
  [[noreturn]] void unsupported(const std::string& problem) const;

  // The value that `value` is the two-dimensional transpose of; null when it is none.
  torch::jit::Value* transposed(const jit::Operand& value) const;
  void remember_transpose(const torch::jit::Value* value, torch::jit::Value* of) { transposes_[value] = of; }

 private:
  void write_node(Call& call);
  void write_operator(Call& call);
  void check_allowed(const Call& call) const;
  std::string place() const;

  jit::GraphWriter& writer_;
  const std::string& subject_;
  const std::string& part_;
  bool trust_;
  const source::Node* at_ = nullptr;  // for messages
  std::size_t written_ = 0;
  std::unordered_map<const torch::jit::Value*, torch::jit::Value*> transposes_;
};

// Each writes the node and returns true, or leaves it alone and returns false.
// numbers.cpp: arithmetic on sizes, sizes of tensors, numbers out of tensors.
bool write_number(Translator& translator, Call& call);
// composites.cpp: what run_decompositions() leaves, as the operators that it came from.
bool write_composite(Translator& translator, Call& call);
// higher_order.cpp: graphs as arguments.
bool write_higher_order(Translator& translator, Call& call);
// The names that they write: "_operator.mul", "aten::sym_size"; "aten::convolution"; "cond".
bool is_number(std::string_view name);
bool is_composite(std::string_view name);
bool is_higher_order(std::string_view name);

}  // namespace ptrun::exported
