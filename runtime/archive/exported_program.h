// What a .pt2 file of torch.export says: graph, signature, sizes and weights as plain data. Links no LibTorch; what is
// pickled inside is read as data or left alone, nothing is executed.
// Schema: pytorch/pytorch:torch/_export/serde/schema.py, major 7 and 8 (PyTorch 2.5 to 2.15).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "archive/tensor_file.h"
#include "archive/zip.h"

namespace ptrun::archive::exported {

struct Graph;

// An argument or result of a node, as the file writes it.
struct Argument {
  enum class Kind {
    none,
    tensor,         // text: the value's name
    symbol,         // text: the name of a symbolic number; dtype: int64, float64, boolean, or unknown in a list
    integer,        // integer
    real,           // real
    boolean,        // integer 0 or 1
    text,           // text
    complex,        // reals: real and imaginary part
    integers,       // integers
    reals,          // reals
    booleans,       // integers
    list,           // items: tensors, nones, symbols, numbers or lists
    scalar_type,    // dtype
    memory_format,  // integer: 0 contiguous, 1 preserve, 2 channels last, 3 channels last 3d, as LibTorch counts
    layout,         // integer: 0 strided; others are refused
    device,         // of any kind: programs run where the caller says
    graph,          // graph
    other,          // text: the union's member that ptrun does not run ("as_custom_obj")
  };
  Kind kind = Kind::none;
  std::string text;
  std::int64_t integer = 0;
  double real = 0.0;
  DType dtype = DType::unknown;
  std::vector<std::int64_t> integers;
  std::vector<double> reals;
  std::vector<Argument> items;
  std::unique_ptr<Graph> graph;
};

struct NamedArgument {
  std::string name;  // of the operator's schema; empty for a higher-order operator
  Argument value;
};

struct Node {
  std::string target;  // "torch.ops.aten.conv2d.default", "_operator.mul"
  std::vector<NamedArgument> inputs;
  std::vector<Argument> outputs;
};

// A size: a number, or an expression of symbols in Python's or SymPy's spelling.
struct Size {
  std::optional<std::int64_t> fixed;
  std::string expression;
};

struct TensorMeta {
  DType dtype = DType::unknown;
  std::vector<Size> sizes;
};

struct Graph {
  std::vector<Argument> inputs;
  std::vector<Argument> outputs;
  std::vector<Node> nodes;
  std::unordered_map<std::string, TensorMeta> tensors;  // of the graph's inputs and outputs
};

struct InputSpec {
  enum class Kind { user, parameter, buffer, tensor_constant, constant, token, custom_object };
  Kind kind = Kind::user;
  Argument value;           // the graph's input; for a constant the value itself
  std::string name;         // of a constant input: the graph's input
  std::string target;       // name of the parameter, buffer or constant
  bool persistent = false;  // a buffer that is in the state_dict
};

struct OutputSpec {
  enum class Kind { user, mutation, token, other };
  Kind kind = Kind::user;
  Argument value;
};

// torch.utils._pytree's structure of the output.
struct Tree {
  enum class Kind { leaf, tuple, list, dict };
  Kind kind = Kind::leaf;
  std::vector<std::string> keys;  // of a dict or named tuple, one a child
  std::vector<Tree> children;
};

struct Range {
  std::int64_t minimum = 0;
  std::int64_t maximum = -1;  // -1: no bound
};

struct Program {
  std::string part;           // "models/model.json"
  std::string torch_version;  // "2.15.0+cpu", "<=2.4"
  std::int64_t schema_major = 0;
  std::int64_t schema_minor = 0;
  Graph graph;
  std::vector<InputSpec> inputs;
  std::vector<OutputSpec> outputs;
  std::optional<Tree> output_tree;
  std::map<std::string, Range> ranges;  // by symbol
  std::vector<std::string> guards;      // conditions in Python's spelling
};

// Where the values of a parameter, buffer or constant stand.
struct Place {
  std::size_t file = 0;    // index into Archive::files
  std::size_t tensor = 0;  // index into TensorFile::tensors()
};

struct Archive {
  std::shared_ptr<const ZipArchive> zip;
  Program program;
  std::vector<std::shared_ptr<const TensorFile>> files;
  std::unordered_map<std::string, Place> weights;    // parameters and persistent buffers
  std::unordered_map<std::string, Place> constants;  // tensor constants and other buffers
};

// Reads the JSON text of one program. `part` names the record in errors. Throws bad_model for another form than the
// schema's, limit_exceeded, or unsupported for a schema that is not known.
Program read_program(std::string text, const std::string& subject, const std::string& part, const Limits& limits = {});

// Opens a .pt2 archive (Kind::exported_program, or Kind::exported_program_old of PyTorch 2.1 to 2.7) and checks every
// tensor's sizes, strides and offset against its record; no weights are read yet. Throws bad_model, limit_exceeded, or
// unsupported for what has to be unpickled by Python.
Archive open_archive(std::shared_ptr<const ByteSource> source, const Limits& limits = {});

// Operators that the graph and the graphs inside it name, sorted: "aten::conv2d", "_operator.mul", "higher_order.cond".
std::vector<std::string> list_operators(const Graph& graph);
// "aten::conv2d.default" of "torch.ops.aten.conv2d.default"; "" for another target.
std::string operator_of(const std::string& target);

}  // namespace ptrun::archive::exported
