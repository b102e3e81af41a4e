#include "archive/exported_program.h"

#include <algorithm>
#include <array>
#include <set>

#include "archive/exported_program_graph.h"

namespace ptrun::archive::exported {
namespace {

using Json = nlohmann::json;

// Majors whose fields read alike: 7 by PyTorch 2.5, 8 by 2.6 to 2.15.
constexpr std::int64_t kOldestSchema = 7;
constexpr std::int64_t kNewestSchema = 8;
// Bounds above are "none": older versions write the largest integer instead of null.
constexpr std::int64_t kLargestSize = 1LL << 40;

InputSpec read_input_spec(JsonReader& reader, const Json& json) {
  const auto [key, value] = reader.only_member(json, "an input_spec");
  InputSpec spec;
  if (key == "user_input") {
    spec.value = read_argument(reader, reader.member(*value, "arg"));
    return spec;
  }
  if (key == "constant_input") {
    spec.kind = InputSpec::Kind::constant;
    spec.name = reader.text(*value, "name");
    spec.value = read_argument(reader, reader.member(*value, "value"));
    return spec;
  }
  struct Row {
    const char* key;
    InputSpec::Kind kind;
    const char* target;
  };
  static constexpr std::array<Row, 5> kRows = {{
      {"parameter", InputSpec::Kind::parameter, "parameter_name"},
      {"buffer", InputSpec::Kind::buffer, "buffer_name"},
      {"tensor_constant", InputSpec::Kind::tensor_constant, "tensor_constant_name"},
      {"custom_obj", InputSpec::Kind::custom_object, "custom_obj_name"},
      {"token", InputSpec::Kind::token, nullptr},
  }};
  for (const Row& row : kRows) {
    if (key != row.key) continue;
    spec.kind = row.kind;
    spec.value.kind = Argument::Kind::tensor;
    spec.value.text = reader.text(reader.member(*value, "arg"), "name");
    if (row.target != nullptr) spec.target = reader.text(*value, row.target);
    if (row.kind == InputSpec::Kind::buffer) {
      spec.persistent = reader.boolean(reader.member(*value, "persistent"), "persistent");
    }
    return spec;
  }
  reader.bad("an input of kind ", in_quotes(key), ", expected user_input, parameter, buffer or tensor_constant");
}

OutputSpec read_output_spec(JsonReader& reader, const Json& json) {
  const auto [key, value] = reader.only_member(json, "an output_spec");
  OutputSpec spec;
  if (key == "user_output") {
    spec.value = read_argument(reader, reader.member(*value, "arg"));
  } else if (key == "buffer_mutation" || key == "user_input_mutation" || key == "parameter_mutation") {
    spec.kind = OutputSpec::Kind::mutation;
  } else if (key == "token") {
    spec.kind = OutputSpec::Kind::token;
  } else {
    spec.kind = OutputSpec::Kind::other;
  }
  return spec;
}

std::int64_t bound(const JsonReader& reader, const Json* value, std::int64_t otherwise) {
  if (value == nullptr || !value->is_number()) return otherwise;
  if (value->is_number_unsigned() && value->get<std::uint64_t>() > static_cast<std::uint64_t>(kLargestSize))
    return otherwise;
  if (value->is_number_float()) return otherwise;
  const std::int64_t number = reader.integer(*value, "a bound");
  return number < 0 ? otherwise : number;
}

void read_signature(JsonReader& reader, const Json& module, Program& program) {
  const Json& signature = reader.map(module, "signature");
  const Json& inputs = reader.list(signature, "input_specs");
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    reader.set_place("input_specs", i);
    program.inputs.push_back(read_input_spec(reader, inputs[i]));
  }
  const Json& outputs = reader.list(signature, "output_specs");
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    reader.set_place("output_specs", i);
    program.outputs.push_back(read_output_spec(reader, outputs[i]));
  }
  if (program.inputs.size() != program.graph.inputs.size()) {
    reader.bad("the signature has ", program.inputs.size(), " inputs, the graph ", program.graph.inputs.size());
  }
  if (program.outputs.size() != program.graph.outputs.size()) {
    reader.bad("the signature has ", program.outputs.size(), " outputs, the graph ", program.graph.outputs.size());
  }
}

void read_output_tree(JsonReader& reader, const Json& module, const Limits& limits, Program& program) {
  const Json* calls = reader.find(module, "module_call_graph");
  if (calls == nullptr || !calls->is_array()) return;
  for (const Json& entry : *calls) {
    const Json* fqn = reader.find(entry, "fqn");
    const Json* signature = reader.find(entry, "signature");
    if (fqn == nullptr || *fqn != "" || signature == nullptr) continue;
    const Json* named_tuples = reader.find(module, "treespec_namedtuple_fields");
    program.output_tree = read_tree(reader.text(*signature, "out_spec"), named_tuples, reader, limits);
    return;
  }
}

void read_versions(JsonReader& reader, const Json& json, Program& program) {
  const Json& version = reader.map(json, "schema_version");
  program.schema_major = reader.integer(reader.member(version, "major"), "major");
  program.schema_minor = reader.integer(reader.member(version, "minor"), "minor");
  if (const Json* text = reader.find(json, "torch_version")) {
    if (text->is_string()) program.torch_version = text->get<std::string>();
  }
  if (program.schema_major >= kOldestSchema && program.schema_major <= kNewestSchema) return;
  const bool newer = program.schema_major > kNewestSchema;
  reader.unsupported("is of schema ", program.schema_major, ".", program.schema_minor,
                     program.torch_version.empty() ? "" : " (PyTorch " + printable(program.torch_version, 40) + ")",
                     ", expected ", kOldestSchema, " or ", kNewestSchema, " (PyTorch 2.5 to 2.15)",
                     newer ? "; export the model with an older PyTorch, or get a newer ptrun"
                           : "; load it with the PyTorch that wrote it and export it with a current one");
}

void collect_operators(const Graph& graph, std::set<std::string>& names);

void collect_operators(const Argument& argument, std::set<std::string>& names) {
  if (argument.graph != nullptr) collect_operators(*argument.graph, names);
}

// NOLINTNEXTLINE(misc-no-recursion): bounded by Limits::json_depth.
void collect_operators(const Graph& graph, std::set<std::string>& names) {
  constexpr std::string_view kTorchOps = "torch.ops.";
  for (const Node& node : graph.nodes) {
    std::string name = operator_of(node.target);
    if (!name.empty() && name.rfind("higher_order::", 0) != 0) {
      name.resize(std::min(name.find('.'), name.size()));
    } else {
      name = node.target.rfind(kTorchOps, 0) == 0 ? node.target.substr(kTorchOps.size()) : node.target;
    }
    names.insert(printable(name, 120));
    for (const NamedArgument& input : node.inputs) collect_operators(input.value, names);
  }
}

}  // namespace

std::string operator_of(const std::string& target) {
  constexpr std::string_view kTorchOps = "torch.ops.";
  if (target.rfind(kTorchOps, 0) != 0) return {};
  const std::size_t dot = target.find('.', kTorchOps.size());
  if (dot == std::string::npos) return {};
  return target.substr(kTorchOps.size(), dot - kTorchOps.size()) + "::" + target.substr(dot + 1);
}

std::vector<std::string> list_operators(const Graph& graph) {
  std::set<std::string> names;
  collect_operators(graph, names);
  return {names.begin(), names.end()};
}

Program read_program(std::string text, const std::string& subject, const std::string& part, const Limits& limits) {
  const Json json = parse_json(std::move(text), subject, part, limits);
  JsonReader reader(subject, part);
  Program program;
  program.part = part;
  read_versions(reader, json, program);
  const Json& module = reader.map(json, "graph_module");
  program.graph = read_graph(reader, reader.map(module, "graph"));
  read_signature(reader, module, program);
  reader.set_place("module_call_graph", 0);
  read_output_tree(reader, module, limits, program);
  for (const auto& [symbol, range] : reader.map(json, "range_constraints").items()) {
    Range& bounds = program.ranges[symbol];
    bounds.minimum = bound(reader, reader.find(range, "min_val"), 0);
    bounds.maximum = bound(reader, reader.find(range, "max_val"), -1);
    if (bounds.maximum >= 0 && bounds.maximum < bounds.minimum) {
      reader.bad("range of ", in_quotes(symbol), " is ", bounds.minimum, " to ", bounds.maximum);
    }
  }
  if (const Json* guards = reader.find(json, "guards_code")) {
    if (guards->is_array()) {
      for (const Json& guard : *guards) {
        if (guard.is_string()) program.guards.push_back(guard.get<std::string>());
      }
    }
  }
  return program;
}

}  // namespace ptrun::archive::exported
