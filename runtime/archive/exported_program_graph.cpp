#include "archive/exported_program_graph.h"

#include <algorithm>
#include <array>
#include <unordered_set>

namespace ptrun::archive::exported {
namespace {

using Json = nlohmann::json;
using Kind = Argument::Kind;

struct Row {
  std::int64_t number;
  DType dtype;
};

// torch/_export/serde/schema.py:ScalarType.
constexpr std::array kScalarTypes = {
    Row{1, DType::uint8},
    Row{2, DType::int8},
    Row{3, DType::int16},
    Row{4, DType::int32},
    Row{5, DType::int64},
    Row{6, DType::float16},
    Row{7, DType::float32},
    Row{8, DType::float64},
    Row{9, DType::complex32},
    Row{10, DType::complex64},
    Row{11, DType::complex128},
    Row{12, DType::boolean},
    Row{13, DType::bfloat16},
    Row{28, DType::uint16},
    Row{29, DType::float8_e4m3fn},
    Row{30, DType::float8_e5m2},
    Row{31, DType::float8_e4m3fnuz},
    Row{32, DType::float8_e5m2fnuz},
    Row{33, DType::float8_e8m0fnu},
    Row{34, DType::uint32},
    Row{35, DType::uint64},
};

constexpr std::int64_t kStrided = 7;

Argument make(Kind kind) {
  Argument argument;
  argument.kind = kind;
  return argument;
}

Argument named(Kind kind, std::string text) {
  Argument argument = make(kind);
  argument.text = std::move(text);
  return argument;
}

Argument number(std::int64_t value) {
  Argument argument = make(Kind::integer);
  argument.integer = value;
  return argument;
}

// {"as_name": "s"} or a plain value; {"name": ...} or {} in the oldest versions.
Argument read_symbol(const JsonReader& reader, const Json& json, DType dtype) {
  const auto [key, value] = reader.only_member(json, "a symbolic value");
  if (key == "as_name") {
    Argument symbol = named(Kind::symbol, value->is_string() ? value->get<std::string>() : std::string());
    symbol.dtype = dtype;
    return symbol;
  }
  if (key == "as_int") return number(reader.integer(*value, "as_int"));
  Argument argument;
  if (key == "as_float") {
    argument.kind = Kind::real;
    argument.real = reader.real(*value, "as_float");
  } else if (key == "as_bool") {
    argument.kind = Kind::boolean;
    argument.integer = reader.boolean(*value, "as_bool") ? 1 : 0;
  } else {
    reader.bad("a symbolic value has the member ", in_quotes(key), ", expected as_name, as_int, as_float or as_bool");
  }
  return argument;
}

Argument read_tensor(const JsonReader& reader, const Json& json) {
  return named(Kind::tensor, reader.text(json, "name"));
}

Argument read_optional_tensor(const JsonReader& reader, const Json& json) {
  const auto [key, value] = reader.only_member(json, "an optional tensor");
  if (key == "as_tensor") return read_tensor(reader, *value);
  if (key != "as_none")
    reader.bad("an optional tensor has the member ", in_quotes(key), ", expected as_tensor or as_none");
  return {};
}

template <typename ReadItem>
Argument read_list(const JsonReader& reader, const Json& json, const char* what, const ReadItem& item) {
  if (!json.is_array()) reader.bad(what, " is ", json.type_name(), ", expected a list");
  Argument argument = make(Kind::list);
  argument.items.reserve(json.size());
  for (const Json& one : json) argument.items.push_back(item(one));
  return argument;
}

Argument read_memory_format(const JsonReader& reader, const Json& json) {
  // Export counts contiguous, channels last, channels last 3d, preserve from 1; LibTorch puts preserve second.
  constexpr std::array<std::int64_t, 4> kFormats = {0, 2, 3, 1};
  const std::int64_t value = reader.integer(json, "as_memory_format");
  if (value < 1 || value > 4) reader.bad("memory format ", value, ", expected 1 to 4");
  Argument argument = make(Kind::memory_format);
  argument.integer = kFormats.at(static_cast<std::size_t>(value - 1));
  return argument;
}

Argument read_union(JsonReader& reader, const std::string& key, const Json& value) {
  if (key == "as_none") return {};
  if (key == "as_tensor") return read_tensor(reader, value);
  if (key == "as_sym_int") return read_symbol(reader, value, DType::int64);
  if (key == "as_sym_float") return read_symbol(reader, value, DType::float64);
  if (key == "as_sym_bool") return read_symbol(reader, value, DType::boolean);
  if (key == "as_optional_tensor") return read_optional_tensor(reader, value);
  if (key == "as_int") return number(reader.integer(value, "as_int"));
  if (key == "as_memory_format") return read_memory_format(reader, value);
  if (key == "as_device") return make(Kind::device);
  Argument argument;
  if (key == "as_ints") {
    argument.kind = Kind::integers;
    argument.integers = reader.integers(value, "as_ints");
  } else if (key == "as_float") {
    argument.kind = Kind::real;
    argument.real = reader.real(value, "as_float");
  } else if (key == "as_floats") {
    argument.kind = Kind::reals;
    argument.reals = reader.reals(value, "as_floats");
  } else if (key == "as_bool") {
    argument.kind = Kind::boolean;
    argument.integer = reader.boolean(value, "as_bool") ? 1 : 0;
  } else if (key == "as_string") {
    if (!value.is_string()) reader.bad("as_string is ", value.type_name(), ", expected a text");
    argument = named(Kind::text, value.get<std::string>());
  } else if (key == "as_scalar_type") {
    argument.kind = Kind::scalar_type;
    argument.dtype = scalar_type(reader.integer(value, "as_scalar_type"));
    if (argument.dtype == DType::unknown) reader.bad("dtype number ", value.dump(), " is not one of the schema");
  } else if (key == "as_layout") {
    if (reader.integer(value, "as_layout") != kStrided) reader.unsupported("a sparse layout, expected dense tensors");
    argument.kind = Kind::layout;
  } else if (key == "as_complex") {
    argument.kind = Kind::complex;
    argument.reals = {reader.real(reader.member(value, "real"), "real"),
                      reader.real(reader.member(value, "imag"), "imag")};
  } else {
    argument = named(Kind::other, key);
  }
  return argument;
}

void read_tensor_metas(const JsonReader& reader, const Json& values, const std::vector<Argument>& arguments,
                       Graph& graph) {
  for (const Argument& argument : arguments) {
    if (argument.kind != Kind::tensor) continue;
    if (const Json* meta = reader.find(values, argument.text.c_str())) {
      graph.tensors[argument.text] = read_tensor_meta(reader, *meta);
    }
  }
}

// "[1, {...}]", or an object of the first versions.
std::optional<Tree> read_tree_node(const Json& json, const Json* named_tuples, const JsonReader& reader,
                                   const Limits& limits) {
  if (!json.is_object()) return std::nullopt;
  Tree tree;
  const auto type = json.find("type");
  const auto children = json.find("children_spec");
  if (type == json.end() || type->is_null()) return tree;
  if (!type->is_string() || children == json.end() || !children->is_array()) return std::nullopt;
  const std::string name = *type;
  tree.kind = name == "builtins.list" ? Tree::Kind::list : Tree::Kind::tuple;
  const auto context = json.find("context");
  // A text: the JSON of a dict's keys, or the name of a named tuple as it is or as JSON.
  Json keys;
  if (context != json.end() && context->is_string()) {
    const auto& text = context->get_ref<const std::string&>();
    const bool written = !text.empty() && std::string_view("[{\"").find(text[0]) != std::string_view::npos;
    keys = written ? parse_json(text, reader.subject(), reader.part() + " out_spec", limits) : *context;
  }
  if (keys.is_string() && named_tuples != nullptr) {
    if (const Json* definition = reader.find(*named_tuples, keys.get_ref<const std::string&>().c_str())) {
      keys = reader.member(*definition, "field_names");
    }
  }
  if (keys.is_array() && keys.size() == children->size()) {
    for (const Json& key : keys) tree.keys.push_back(key.is_string() ? key.get<std::string>() : key.dump());
    // Dicts of any class, and dataclasses such as the outputs of transformers.
    if (name.find("tuple") == std::string::npos) tree.kind = Tree::Kind::dict;
  }
  for (const Json& child : *children) {
    auto read = read_tree_node(child, named_tuples, reader, limits);
    if (!read) return std::nullopt;
    tree.children.push_back(std::move(*read));
  }
  return tree;
}

}  // namespace

DType scalar_type(std::int64_t number) {
  const auto* row =
      std::find_if(kScalarTypes.begin(), kScalarTypes.end(), [&](const Row& r) { return r.number == number; });
  return row == kScalarTypes.end() ? DType::unknown : row->dtype;
}

Argument read_argument(JsonReader& reader, const Json& json) {
  const auto [key, value] = reader.only_member(json, "an argument");
  if (key == "as_tensors") {
    return read_list(reader, *value, "as_tensors", [&](const Json& item) { return read_tensor(reader, item); });
  }
  if (key == "as_optional_tensors") {
    return read_list(reader, *value, "as_optional_tensors",
                     [&](const Json& item) { return read_optional_tensor(reader, item); });
  }
  if (key == "as_sym_ints" || key == "as_sym_floats" || key == "as_sym_bools") {
    return read_list(reader, *value, key.c_str(),
                     [&](const Json& item) { return read_symbol(reader, item, DType::unknown); });
  }
  if (key == "as_bools") {
    Argument argument = make(Kind::booleans);
    if (!value->is_array()) reader.bad("as_bools is ", value->type_name(), ", expected a list");
    for (const Json& item : *value) argument.integers.push_back(reader.boolean(item, "as_bools") ? 1 : 0);
    return argument;
  }
  if (key == "as_graph") {
    Argument argument = named(Kind::graph, reader.text(*value, "name"));
    argument.graph = std::make_unique<Graph>(read_graph(reader, reader.map(*value, "graph")));
    return argument;
  }
  return read_union(reader, key, *value);
}

TensorMeta read_tensor_meta(const JsonReader& reader, const Json& json) {
  TensorMeta meta;
  meta.dtype = scalar_type(reader.integer(reader.member(json, "dtype"), "dtype"));
  for (const Json& item : reader.list(json, "sizes")) {
    const auto [key, value] = reader.only_member(item, "a size");
    Size& size = meta.sizes.emplace_back();
    if (key == "as_int") {
      size.fixed = reader.integer(*value, "a size");
    } else {
      size.expression = reader.text(*value, "expr_str");
    }
  }
  return meta;
}

// NOLINTNEXTLINE(misc-no-recursion): bounded by Limits::json_depth.
Graph read_graph(JsonReader& reader, const Json& json) {
  Graph graph;
  for (const Json& input : reader.list(json, "inputs")) graph.inputs.push_back(read_argument(reader, input));
  const Json& nodes = reader.list(json, "nodes");
  graph.nodes.reserve(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    reader.set_place("nodes", i);
    Node& node = graph.nodes.emplace_back();
    node.target = reader.text(nodes[i], "target");
    for (const Json& input : reader.list(nodes[i], "inputs")) {
      reader.set_place("nodes", i, node.target);
      node.inputs.push_back({reader.text(input, "name"), read_argument(reader, reader.member(input, "arg"))});
    }
    reader.set_place("nodes", i, node.target);
    for (const Json& output : reader.list(nodes[i], "outputs")) node.outputs.push_back(read_argument(reader, output));
  }
  for (const Json& output : reader.list(json, "outputs")) graph.outputs.push_back(read_argument(reader, output));
  const Json& values = reader.map(json, "tensor_values");
  read_tensor_metas(reader, values, graph.inputs, graph);
  read_tensor_metas(reader, values, graph.outputs, graph);
  return graph;
}

std::optional<Tree> read_tree(const std::string& text, const Json* named_tuples, const JsonReader& reader,
                              const Limits& limits) {
  const Json json = parse_json(text, reader.subject(), reader.part() + " out_spec", limits);
  return read_tree_node(json.is_array() && json.size() == 2 ? json[1] : json, named_tuples, reader, limits);
}

}  // namespace ptrun::archive::exported
