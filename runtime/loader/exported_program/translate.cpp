#include "loader/exported_program/translate.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "core/text.h"
#include "graph/dtype.h"
#include "graph/failure_text.h"
#include "loader/exported_program/signature.h"
#include "loader/exported_program/translator.h"
#include "loader/torchscript/allow.h"
#include "loader/torchscript/program.h"
#include "ptrun/error.h"

namespace ptrun::exported {
namespace {

using source::Argument;
using Kind = Argument::Kind;
using jit::Operand;
using jit::Values;

constexpr std::size_t kMaxNodes = 1'000'000;
constexpr std::size_t kMaxMessage = 300;

// What checks what export has proved, or what only training needs.
bool is_without_effect(const std::string& name) {
  static constexpr std::array<std::string_view, 9> kNames = {"aten::_assert_scalar",
                                                             "aten::_assert_tensor_metadata",
                                                             "aten::_assert_async",
                                                             "aten::sym_constrain_range",
                                                             "aten::_functional_assert_scalar",
                                                             "aten::sym_constrain_range_for_size",
                                                             "aten::_functional_assert_async",
                                                             "aten::_print",
                                                             "profiler::_record_function_exit"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

// Of the decomposed operators that are run as they are; the rest of the list is TorchScript's.
bool is_exported_operator(std::string_view name) {
  static constexpr std::array<std::string_view, 7> kNames = {
      "aten::_to_copy",       "aten::view_copy",    "aten::expand_copy", "aten::permute_copy",
      "aten::unsqueeze_copy", "aten::squeeze_copy", "aten::select_copy"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

std::string first_line(const std::string& text) { return printable(text.substr(0, text.find('\n')), kMaxMessage); }

void collect_names(const Argument& argument, std::unordered_set<std::string>& names) {
  if (argument.kind == Kind::tensor || argument.kind == Kind::symbol) names.insert(argument.text);
  for (const Argument& item : argument.items) collect_names(item, names);
}

}  // namespace

const Argument* Call::find(std::string_view key) const {
  for (const source::NamedArgument& input : node.inputs) {
    if (input.name == key) return &input.value;
  }
  return nullptr;
}

std::string Translator::place() const {
  return at_ == nullptr ? part_ + ": " : part_ + ": " + printable(at_->target, 100) + ": ";
}
void Translator::bad(const std::string& problem) const {
  throw Error(ErrorCode::bad_model, subject_, place() + problem + "; the file is damaged, save the program again");
}
void Translator::unsupported(const std::string& problem) const {
  throw Error(ErrorCode::unsupported, subject_, place() + problem);
}
void Translator::note(const std::string& text) {
  if (std::find(notes.begin(), notes.end(), text) == notes.end()) notes.push_back(text);
}

void Translator::open(const source::Graph& graph, Scope& scope) const {
  for (const source::Node& node : graph.nodes) {
    for (const source::NamedArgument& input : node.inputs) collect_names(input.value, scope.used);
  }
  for (const Argument& output : graph.outputs) collect_names(output, scope.used);
}

void Translator::bind(Scope& scope, const std::string& name, Operand value) const {
  if (!scope.values.emplace(name, std::move(value)).second) {
    bad("value '" + printable(name, 80) + "' is made twice, expected once");
  }
}

Operand Translator::operand(const Argument& argument, const Scope& scope) {
  switch (argument.kind) {
    case Kind::none: return c10::IValue();
    case Kind::tensor:
    case Kind::symbol: {
      const auto found = scope.values.find(argument.text);
      if (found == scope.values.end()) bad("value '" + printable(argument.text, 80) + "' is used before it is made");
      return found->second;
    }
    case Kind::integer:
    case Kind::memory_format: return c10::IValue(argument.integer);
    case Kind::layout: return c10::IValue(static_cast<std::int64_t>(c10::kStrided));
    case Kind::real: return c10::IValue(argument.real);
    case Kind::boolean: return c10::IValue(argument.integer != 0);
    case Kind::text: return c10::IValue(argument.text);
    case Kind::complex: return c10::IValue(c10::complex<double>(argument.reals.at(0), argument.reals.at(1)));
    case Kind::device: return c10::IValue(c10::Device(c10::kCPU));
    case Kind::scalar_type: {
      const auto type = scalar_type(run_dtype(argument.dtype));
      if (!type) unsupported("dtype " + std::string("unknown to this LibTorch") + "; export with float32");
      return c10::IValue(static_cast<std::int64_t>(*type));
    }
    default: bad("an argument of another kind where one value belongs");
  }
}

std::vector<Operand> Translator::operands(const Argument& list, const Scope& scope) {
  std::vector<Operand> result;
  switch (list.kind) {
    case Kind::list:
      for (const Argument& item : list.items) result.push_back(operand(item, scope));
      break;
    case Kind::integers:
      for (const std::int64_t item : list.integers) result.emplace_back(c10::IValue(item));
      break;
    case Kind::reals:
      for (const double item : list.reals) result.emplace_back(c10::IValue(item));
      break;
    case Kind::booleans:
      for (const std::int64_t item : list.integers) result.emplace_back(c10::IValue(item != 0));
      break;
    default: result.push_back(operand(list, scope)); break;
  }
  return result;
}

Operand Translator::operand(const Call& call, std::string_view key) {
  const Argument* argument = call.find(key);
  return argument == nullptr ? Operand(c10::IValue()) : operand(*argument, call.scope);
}

bool Translator::is_used(const Call& call, std::size_t index) const {
  if (index >= call.node.outputs.size()) return false;
  const Argument& output = call.node.outputs[index];
  return call.scope.used.count(output.text) != 0;
}

void Translator::bind(const Call& call, const Values& results) {
  const auto& outputs = call.node.outputs;
  if (outputs.size() > results.size()) {
    bad("has " + std::to_string(outputs.size()) + " results, the operator gives " + std::to_string(results.size()));
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Argument& output = outputs[i];
    if (output.kind == Kind::none) continue;
    if (output.kind == Kind::tensor || output.kind == Kind::symbol) {
      bind(call.scope, output.text, results[i]);
    } else if (output.kind == Kind::list) {
      const Values items = writer_.unpack(results[i], output.items.size());
      for (std::size_t k = 0; k < items.size(); ++k) {
        if (output.items[k].kind == Kind::tensor) bind(call.scope, output.items[k].text, items[k]);
      }
    } else {
      unsupported("gives a result of kind " + printable(output.text, 40) + ", which ptrun does not run");
    }
  }
}

void Translator::replace(const Call& call, const std::string& schema, std::vector<jit::CallArgument> arguments) {
  const Values results = writer_.call(schema, arguments);
  const Argument& output = call.node.outputs.at(0);
  if (output.kind != Kind::tensor) bad("has no tensor as its first result");
  bind(call.scope, output.text, results.front());
}

torch::jit::Value* Translator::transposed(const Operand& value) const {
  const auto* known = std::get_if<torch::jit::Value*>(&value);
  const auto found = known == nullptr ? transposes_.end() : transposes_.find(*known);
  return found == transposes_.end() ? nullptr : found->second;
}

void Translator::check_allowed(const Call& call) const {
  if (trust_ || torchscript::is_allowed(call.name) || is_exported_operator(call.name)) return;
  const std::string_view reason = torchscript::refusal_reason(call.name);
  unsupported("uses the operator " + printable(call.name, 100) + ", which " +
              (reason.empty() ? "is not among those that image models use" : std::string(reason)) +
              "; --trust runs it, only for a file that you wrote or trust like a program");
}

void Translator::write_operator(Call& call) {
  std::string schema = source::operator_of(call.node.target);
  constexpr std::string_view kDefault = ".default";
  if (schema.size() > kDefault.size() &&
      schema.compare(schema.size() - kDefault.size(), kDefault.size(), kDefault) == 0) {
    schema.resize(schema.size() - kDefault.size());
  }
  if (schema.empty() || !jit::GraphWriter::has_operator(schema)) {
    unsupported("uses the operator " + printable(schema.empty() ? call.node.target : schema, 100) +
                ", which LibTorch lacks; it comes from a library that ptrun does not have, or from a newer PyTorch: "
                "export the model without it");
  }
  check_allowed(call);
  std::vector<jit::CallArgument> arguments;
  for (const source::NamedArgument& input : call.node.inputs) {
    const Argument& value = input.value;
    if (value.kind == Kind::graph || value.kind == Kind::other) {
      unsupported("takes an argument of kind " + printable(value.text, 40) + ", which ptrun does not run");
    }
    const bool list = value.kind == Kind::list || value.kind == Kind::integers || value.kind == Kind::reals ||
                      value.kind == Kind::booleans;
    if (list) {
      arguments.push_back({input.name, operands(value, call.scope)});
    } else {
      arguments.push_back({input.name, operand(value, call.scope)});
    }
  }
  const Values results = writer_.call(schema, arguments);
  bind(call, results);
  const auto training = [&](const char* key) {
    const Argument* argument = call.find(key);
    return argument != nullptr && argument->kind == Kind::boolean && argument->integer != 0;
  };
  if ((call.name == "aten::dropout" && training("train")) ||
      (call.name == "aten::batch_norm" && training("training"))) {
    note("was exported in training mode, so that dropout or batch norms behave as in training; export model.eval()");
  }
}

void Translator::write_node(Call& call) {
  if (is_without_effect(call.name)) return;
  if (write_number(*this, call) || write_higher_order(*this, call) || write_composite(*this, call)) return;
  write_operator(call);
}

// NOLINTNEXTLINE(misc-no-recursion): graphs nest as deep as the JSON that was read.
void Translator::write_nodes(const source::Graph& graph, Scope& scope) {
  for (const source::Node& node : graph.nodes) {
    at_ = &node;
    if (++written_ > kMaxNodes) {
      throw Error(ErrorCode::limit_exceeded, subject_, part_ + ": has more than 1,000,000 operators, the limit");
    }
    std::string name = source::operator_of(node.target);
    if (name.rfind("higher_order::", 0) != 0) name.resize(std::min(name.find('.'), name.size()));
    Call call{node, scope, name.empty() ? node.target : name};
    try {
      write_node(call);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::internal) throw;
      at_ = &node;
      bad(first_line(error.problem()) + " (" + printable(error.subject(), 80) + ")");
    } catch (const std::exception& error) {
      at_ = &node;
      bad("LibTorch refuses it (" + jit::failure_text(error) + ")");
    }
    at_ = &node;
  }
  at_ = nullptr;
}

// NOLINTNEXTLINE(misc-no-recursion): graphs nest as deep as the JSON that was read.
Values Translator::write_inline(const source::Graph& graph, const std::vector<Operand>& operands) {
  if (operands.size() != graph.inputs.size()) {
    bad("gives " + std::to_string(operands.size()) + " values to a graph of " + std::to_string(graph.inputs.size()) +
        " inputs");
  }
  Scope scope;
  open(graph, scope);
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const Argument& input = graph.inputs[i];
    if (input.kind == Kind::tensor || input.kind == Kind::symbol) bind(scope, input.text, operands[i]);
  }
  const source::Node* outer = at_;
  write_nodes(graph, scope);
  at_ = outer;
  Values results;
  for (const Argument& output : graph.outputs) results.push_back(writer_.value_of(operand(output, scope)));
  return results;
}

namespace {

class ProgramTranslator {
 public:
  ProgramTranslator(const source::Archive& archive, const ReadTensor& read, const std::string& subject, bool trust)
      : archive_(archive),
        program_(archive.program),
        read_(read),
        subject_(subject),
        translator_(writer_, subject, archive.program.part, trust) {}

  Translation run() {
    translator_.open(program_.graph, scope_);
    for (const source::InputSpec& spec : program_.inputs) bind_input(spec);
    translator_.write_nodes(program_.graph, scope_);
    torch::jit::Value* output = write_output();
    torchscript::check_allocations(writer_.graph(), subject_);
    Translation translation;
    translation.graph = writer_.finish(output);
    translation.notes = std::move(translator_.notes);
    return translation;
  }

 private:
  void bind_input(const source::InputSpec& spec) {
    using Role = source::InputSpec::Kind;
    const Argument& value = spec.value;
    switch (spec.kind) {
      case Role::user:
        if (value.kind == Kind::tensor) {
          translator_.bind(scope_, value.text, writer_.tensor_input());
        } else if (value.kind == Kind::symbol || value.kind == Kind::other || value.kind == Kind::list) {
          translator_.unsupported(
              "the program takes an input that is no tensor, expected images; export it with fixed values");
        }
        return;
      case Role::constant: translator_.bind(scope_, spec.name, translator_.operand(value, scope_)); return;
      case Role::token: return;
      case Role::custom_object:
        if (scope_.used.count(value.text) == 0) return;
        translator_.unsupported("holds the object " + printable(spec.target, 80) +
                                " of a custom class, which would have to be unpickled; export the model without it");
      default: bind_tensor(spec); return;
    }
  }

  void bind_tensor(const source::InputSpec& spec) {
    const std::string& name = spec.value.text;
    if (scope_.used.count(name) == 0) return;  // num_batches_tracked
    const bool stored = spec.kind == source::InputSpec::Kind::parameter || spec.persistent;
    const auto& first = stored ? archive_.weights : archive_.constants;
    const auto& second = stored ? archive_.constants : archive_.weights;
    auto found = first.find(spec.target);
    if (found == first.end()) {
      found = second.find(spec.target);
      if (found == second.end()) {
        translator_.bad("the values of '" + printable(spec.target, 120) + "' are not in the archive");
      }
    }
    translator_.bind(scope_, name, writer_.constant(c10::IValue(read_(found->second, spec.target))));
  }

  torch::jit::Value* write_output() {
    for (const source::OutputSpec& spec : program_.outputs) {
      if (spec.kind == source::OutputSpec::Kind::user) leaves_.push_back(&spec.value);
    }
    if (leaves_.empty()) translator_.bad("the program has no output");
    if (program_.output_tree) {
      torch::jit::Value* tree = write_tree(*program_.output_tree);
      if (tree != nullptr && next_ == leaves_.size()) return tree;
    }
    // A structure that is not understood: the outputs in order.
    if (program_.output_tree || leaves_.size() != 1)
      translator_.note("the structure of its output is not known to ptrun; the tensors come in order");
    next_ = 0;
    Values values;
    while (next_ < leaves_.size()) values.push_back(leaf());
    return values.size() == 1 ? values.front() : writer_.tuple(values);
  }

  torch::jit::Value* leaf() { return writer_.value_of(translator_.operand(*leaves_[next_++], scope_)); }

  // NOLINTNEXTLINE(misc-no-recursion): bounded by Limits::json_depth.
  torch::jit::Value* write_tree(const source::Tree& tree) {
    if (tree.kind == source::Tree::Kind::leaf) return next_ < leaves_.size() ? leaf() : nullptr;
    Values values;
    for (const source::Tree& child : tree.children) {
      torch::jit::Value* value = write_tree(child);
      if (value == nullptr) return nullptr;
      values.push_back(value);
    }
    switch (tree.kind) {
      case source::Tree::Kind::dict: return writer_.dict(tree.keys, values);
      case source::Tree::Kind::list: return writer_.list(values);
      default: return writer_.tuple(values);
    }
  }

  const source::Archive& archive_;
  const source::Program& program_;
  const ReadTensor& read_;
  const std::string& subject_;
  jit::GraphWriter writer_;
  Translator translator_;
  Scope scope_;
  std::vector<const Argument*> leaves_;
  std::size_t next_ = 0;
};

}  // namespace

bool runs_operator(const std::string& name) {
  constexpr std::string_view kHigherOrder = "higher_order.";
  if (name.rfind(kHigherOrder, 0) == 0) return is_higher_order(std::string_view(name).substr(kHigherOrder.size()));
  return is_without_effect(name) || is_exported_operator(name) || torchscript::is_allowed(name) || is_number(name) ||
         is_composite(name);
}

Translation translate(const source::Archive& archive, const ReadTensor& read, const std::string& subject, bool trust) {
  return ProgramTranslator(archive, read, subject, trust).run();
}

}  // namespace ptrun::exported
