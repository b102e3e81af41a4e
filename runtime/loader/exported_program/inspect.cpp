#include "loader/exported_program/inspect.h"

#include <algorithm>
#include <map>

#include "archive/tensor_file.h"
#include "core/text.h"
#include "loader/exported_program/signature.h"
#include "loader/exported_program/translate.h"

namespace ptrun::exported {
namespace {

namespace source = archive::exported;

std::string dimension_text(const Dimension& dimension, std::size_t index) {
  if (dimension.size >= 0) return std::to_string(dimension.size);
  constexpr const char* kNames[] = {"N", "C", "H", "W"};
  std::string text = dimension.batch ? "N" : index < 4 ? kNames[index] : "*";
  if (dimension.minimum <= 1 && dimension.maximum < 0 && dimension.multiple <= 1) return text;
  text.append("=").append(std::to_string(dimension.minimum)).append("..");
  if (dimension.maximum >= 0) text += std::to_string(dimension.maximum);
  if (dimension.multiple > 1) text.append(" step ").append(std::to_string(dimension.multiple));
  return text;
}

std::string spec_text(const TensorSpec& spec) {
  std::string text;
  for (std::size_t i = 0; i < spec.dimensions.size(); ++i) {
    if (i > 0) text += ", ";
    text += dimension_text(spec.dimensions[i], i);
  }
  text.insert(0, 1, '[');
  return text + "] " + archive::to_string(spec.dtype);
}

// {"maps": [[N, 1, 14, 18] float32, ...]}
// NOLINTNEXTLINE(misc-no-recursion): bounded by Limits::json_depth.
std::string tree_text(const OutputNode& node) {
  if (node.kind == OutputNode::Kind::tensor) return spec_text(node.spec);
  if (node.kind == OutputNode::Kind::other) return "a number";
  std::string text;
  for (const OutputNode& child : node.children) {
    text += std::string(text.empty() ? "" : ", ") + (child.name.empty() ? "" : printable(child.name, 60) + ": ") +
            tree_text(child);
  }
  const bool dict = node.kind == OutputNode::Kind::dict;
  const bool list = node.kind == OutputNode::Kind::list;
  return (dict ? "{" : list ? "[" : "(") + text + (dict ? "}" : list ? "]" : ")");
}

std::string counted(const std::map<std::string, std::size_t>& counts) {
  std::string text;
  for (const auto& [name, count] : counts) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + name;
  return text;
}

// Parameters and buffers in the order of the program's inputs.
void add_tensors(const source::Archive& archive, Inspection& found) {
  std::map<std::string, std::size_t> dtypes;
  for (const source::InputSpec& spec : archive.program.inputs) {
    const bool parameter = spec.kind == source::InputSpec::Kind::parameter;
    const auto& names = parameter || spec.persistent ? archive.weights : archive.constants;
    const auto place = names.find(spec.target);
    if (spec.target.empty() || place == names.end()) continue;
    const archive::TensorInfo& tensor = archive.files[place->second.file]->tensors()[place->second.tensor];
    found.tensors.push_back({spec.target, tensor.dtype, tensor.shape});
    if (!parameter) continue;
    found.parameters += archive::element_count(tensor.shape);
    ++dtypes[archive::to_string(tensor.dtype)];
  }
  if (!dtypes.empty()) found.findings.push_back({"parameter dtypes", counted(dtypes), "weights"});
}

}  // namespace

void describe(const source::Archive& archive, Inspection& found) {
  const source::Program& program = archive.program;
  const auto add = [&](const char* name, std::string value, std::string origin) {
    if (!value.empty()) found.findings.push_back({name, std::move(value), std::move(origin)});
  };
  const std::string& part = program.part;
  if (!program.torch_version.empty()) add("producer", "PyTorch " + printable(program.torch_version, 60), part);
  add("schema", std::to_string(program.schema_major) + "." + std::to_string(program.schema_minor), part);
  add_tensors(archive, found);
  found.operators = source::list_operators(program.graph);
  for (const std::string& name : found.operators) {
    if (!runs_operator(name)) found.missing_operators.push_back(name);
  }
  const ProgramInterface interface = read_interface(program, found.path);
  for (const TensorSpec& input : interface.signature.inputs) {
    add("input", printable(input.name, 60) + " " + spec_text(input), part + ", range_constraints");
  }
  add("output", tree_text(interface.signature.output), part + ", out_spec");
  add("task", to_string(interface.task), "shape of the output");
  if (interface.task == Task::classify) {
    add("classes", std::to_string(interface.signature.output.spec.dimensions[1].size), "shape of the output");
  }
}

}  // namespace ptrun::exported
