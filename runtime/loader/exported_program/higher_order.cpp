// Operators that take graphs: branches, loops, and those that only mark a region.
#include <algorithm>
#include <array>

#include "loader/exported_program/translator.h"

namespace ptrun::exported {
namespace {

using source::Argument;
using Kind = Argument::Kind;
using jit::Operand;
using jit::Values;

// Results of a higher-order operator have one name each, in one list or side by side.
void bind_all(Translator& translator, const Call& call, const Values& results) {
  std::vector<const Argument*> names;
  for (const Argument& output : call.node.outputs) {
    if (output.kind != Kind::list) {
      names.push_back(&output);
      continue;
    }
    for (const Argument& item : output.items) names.push_back(&item);
  }
  if (names.size() > results.size()) {
    translator.bad("has " + std::to_string(names.size()) + " results, its graph gives " +
                   std::to_string(results.size()));
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool named = names[i]->kind == Kind::tensor || names[i]->kind == Kind::symbol;
    if (named) translator.bind(call.scope, names[i]->text, results[i]);
  }
}

const Argument& argument(Translator& translator, const Call& call, std::size_t index, Kind kind, const char* what) {
  if (index >= call.node.inputs.size() || call.node.inputs[index].value.kind != kind) {
    translator.bad("its argument " + std::to_string(index) + " is not " + what);
  }
  return call.node.inputs[index].value;
}

const source::Graph& graph_at(Translator& translator, const Call& call, std::size_t index) {
  return *argument(translator, call, index, Kind::graph, "a graph").graph;
}

// All values of the arguments from `index` on, lists opened.
std::vector<Operand> operands_from(Translator& translator, const Call& call, std::size_t index) {
  std::vector<Operand> result;
  for (std::size_t i = index; i < call.node.inputs.size(); ++i) {
    const Argument& value = call.node.inputs[i].value;
    if (value.kind == Kind::graph || value.kind == Kind::other) {
      translator.unsupported("takes an argument of kind " + value.text + " that ptrun does not run");
    }
    if (value.kind == Kind::none || value.kind == Kind::text) continue;
    for (Operand& one : translator.operands(value, call.scope)) result.push_back(std::move(one));
  }
  return result;
}

// (predicate, then, otherwise, operands)
void write_cond(Translator& translator, const Call& call) {
  const source::Graph& then = graph_at(translator, call, 1);
  const source::Graph& otherwise = graph_at(translator, call, 2);
  const Operand predicate = translator.operand(call.node.inputs[0].value, call.scope);
  const std::vector<Operand> operands = operands_from(translator, call, 3);
  bind_all(translator, call,
           translator.writer().branch(
               predicate, [&] { return translator.write_inline(then, operands); },
               [&] { return translator.write_inline(otherwise, operands); }));
}

// (condition, body, carried values, more operands)
void write_while(Translator& translator, const Call& call) {
  const source::Graph& condition = graph_at(translator, call, 0);
  const source::Graph& body = graph_at(translator, call, 1);
  if (call.node.inputs.size() < 3) translator.bad("has no carried values");
  Values start;
  for (const Operand& one : translator.operands(call.node.inputs[2].value, call.scope)) {
    start.push_back(translator.writer().value_of(one));
  }
  const std::vector<Operand> more = operands_from(translator, call, 3);
  const auto with_more = [&](const Values& carried) {
    std::vector<Operand> operands(carried.begin(), carried.end());
    operands.insert(operands.end(), more.begin(), more.end());
    return operands;
  };
  const auto holds = [&](const Values& carried) {
    const Values result = translator.write_inline(condition, with_more(carried));
    if (result.size() != 1) translator.bad("its condition has not one result");
    return Operand(result.front());
  };
  const auto step = [&](const Values& carried) { return translator.write_inline(body, with_more(carried)); };
  bind_all(translator, call, translator.writer().loop(start, holds, step));
}

// (device, dtype, enabled, cache, graph, operands...)
void check_autocast(Translator& translator, const Call& call) {
  const Argument& device = argument(translator, call, 0, Kind::text, "a device");
  const Argument& enabled = argument(translator, call, 2, Kind::boolean, "true or false");
  if (device.text == "cpu" && enabled.integer != 0) {
    translator.unsupported(
        "computes in half precision on the CPU (torch.autocast inside the model), which ptrun does not "
        "do; export the model without autocast");
  }
}

// A marked region: the graph is written in place.
void write_region(Translator& translator, const Call& call) {
  const auto& inputs = call.node.inputs;
  const auto graph = std::find_if(inputs.begin(), inputs.end(),
                                  [](const source::NamedArgument& input) { return input.value.kind == Kind::graph; });
  if (graph == inputs.end()) translator.bad("has no graph");
  const auto index = static_cast<std::size_t>(graph - inputs.begin());
  bind_all(translator, call, translator.write_inline(*graph->value.graph, operands_from(translator, call, index + 1)));
}

bool is_region(std::string_view name) {
  static constexpr std::array<std::string_view, 5> kNames = {"wrap_with_set_grad_enabled", "invoke_subgraph", "wrap",
                                                             "tag_activation_checkpoint", "strict_mode"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

}  // namespace

bool is_higher_order(std::string_view name) {
  return name == "cond" || name == "while_loop" || name == "wrap_with_autocast" || is_region(name);
}

bool write_higher_order(Translator& translator, Call& call) {
  constexpr std::string_view kPrefix = "higher_order::";
  if (call.name.rfind(kPrefix, 0) != 0) return false;
  const std::string name = call.name.substr(kPrefix.size());
  if (name == "cond") {
    write_cond(translator, call);
  } else if (name == "while_loop") {
    write_while(translator, call);
  } else if (is_region(name)) {
    write_region(translator, call);
  } else if (name == "wrap_with_autocast") {
    check_autocast(translator, call);
    write_region(translator, call);
  } else {
    translator.unsupported(
        "is a higher-order operator that ptrun does not run (cond, while_loop and marked regions "
        "are); export the model without it");
  }
  return true;
}

}  // namespace ptrun::exported
