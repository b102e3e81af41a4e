#include "loader/exported_program/signature.h"

#include <memory>

#include "archive/exported_program_shapes.h"
#include "core/text.h"
#include "loader/class_map_output.h"
#include "ptrun/error.h"

namespace ptrun::exported {
namespace {

namespace source = archive::exported;

bool is_floating(DType dtype) {
  return dtype == DType::float16 || dtype == DType::bfloat16 || dtype == DType::float32 || dtype == DType::float64;
}

Dimension to_dimension(const source::SizeBounds& bounds) {
  Dimension dimension;
  dimension.size = bounds.size;
  dimension.minimum = bounds.minimum;
  dimension.maximum = bounds.maximum;
  dimension.multiple = bounds.multiple;
  return dimension;
}

std::string shape_text(const source::TensorMeta& meta) {
  std::string text;
  for (const source::Size& size : meta.sizes) {
    text += (text.empty() ? "" : ", ") + (size.fixed ? std::to_string(*size.fixed) : std::string("*"));
  }
  return "[" + text + "]";
}

// The output's description: its tensors' sizes, those that follow the batch marked.
class OutputReader {
 public:
  OutputReader(const source::Program& program, std::string batch) : program_(program), batch_(std::move(batch)) {
    for (const source::OutputSpec& spec : program.outputs) {
      if (spec.kind == source::OutputSpec::Kind::user) leaves_.push_back(&spec.value);
    }
  }

  OutputNode run() {
    if (program_.output_tree) {
      OutputNode root = read(*program_.output_tree, {});
      if (next_ == leaves_.size() && !overrun_) return root;
    }
    next_ = 0;
    if (leaves_.size() == 1) return leaf({});
    OutputNode root;
    root.kind = OutputNode::Kind::tuple;
    while (next_ < leaves_.size()) root.children.push_back(leaf({}));
    return root;
  }

 private:
  OutputNode leaf(std::string name) {
    OutputNode node;
    node.name = std::move(name);
    if (next_ >= leaves_.size()) {
      overrun_ = true;
      return node;
    }
    const source::Argument& value = *leaves_[next_++];
    const auto meta = program_.graph.tensors.find(value.text);
    if (value.kind != source::Argument::Kind::tensor) node.kind = OutputNode::Kind::other;
    if (value.kind != source::Argument::Kind::tensor || meta == program_.graph.tensors.end()) return node;
    node.spec.dtype = run_dtype(meta->second.dtype);
    for (const source::Size& size : meta->second.sizes) {
      Dimension dimension;
      if (size.fixed) dimension.size = *size.fixed;
      dimension.batch = !size.fixed && size.expression == batch_;
      node.spec.dimensions.push_back(dimension);
    }
    return node;
  }

  // NOLINTNEXTLINE(misc-no-recursion): bounded by Limits::json_depth.
  OutputNode read(const source::Tree& tree, std::string name) {
    if (tree.kind == source::Tree::Kind::leaf) return leaf(std::move(name));
    OutputNode node;
    node.name = std::move(name);
    node.kind = tree.kind == source::Tree::Kind::dict   ? OutputNode::Kind::dict
                : tree.kind == source::Tree::Kind::list ? OutputNode::Kind::list
                                                        : OutputNode::Kind::tuple;
    for (std::size_t i = 0; i < tree.children.size(); ++i) {
      node.children.push_back(read(tree.children[i], i < tree.keys.size() ? tree.keys[i] : std::string()));
    }
    return node;
  }

  const source::Program& program_;
  std::string batch_;
  std::vector<const source::Argument*> leaves_;
  std::size_t next_ = 0;
  bool overrun_ = false;
};

bool is_classification(const OutputNode& output) {
  const auto& dimensions = output.spec.dimensions;
  return output.kind == OutputNode::Kind::tensor && dimensions.size() == 2 && dimensions[1].size > 1 &&
         is_floating(output.spec.dtype);
}

struct UserInput {
  std::string name;
  const source::TensorMeta* meta;
};

std::vector<UserInput> user_inputs(const source::Program& program) {
  std::vector<UserInput> inputs;
  for (const source::InputSpec& spec : program.inputs) {
    if (spec.kind != source::InputSpec::Kind::user || spec.value.kind != source::Argument::Kind::tensor) continue;
    const auto meta = program.graph.tensors.find(spec.value.text);
    inputs.push_back({spec.value.text, meta == program.graph.tensors.end() ? nullptr : &meta->second});
  }
  return inputs;
}

}  // namespace

DType run_dtype(DType dtype) { return dtype == DType::float16 || dtype == DType::bfloat16 ? DType::float32 : dtype; }

ProgramInterface read_interface(const source::Program& program, const std::string& subject) {
  ProgramInterface interface;
  const std::vector<UserInput> inputs = user_inputs(program);
  if (inputs.empty()) {
    throw Error(ErrorCode::unsupported, subject,
                "the program takes no tensor, expected images; export a module that takes them");
  }
  Signature& signature = interface.signature;
  const bool only = inputs.size() == 1;
  if (!only) signature.form = InputForm::named;
  std::string batch;
  for (const UserInput& input : inputs) {
    if (input.meta == nullptr) {
      throw Error(ErrorCode::bad_model, subject,
                  program.part + ": input '" + printable(input.name, 80) +
                      "' has no entry in tensor_values, expected one; the file is damaged, save the program again");
    }
    if (only && input.meta->sizes.size() != 4) {
      throw Error(ErrorCode::unsupported, subject,
                  "the program takes a tensor of shape " + shape_text(*input.meta) +
                      ", expected images [N, C, H, W]; export it with such an example");
    }
    const auto rules = std::make_shared<const source::ShapeRules>(*input.meta, program, only);
    TensorSpec spec;
    spec.name = input.name;
    spec.dtype = run_dtype(input.meta->dtype);
    for (const source::SizeBounds& bounds : rules->dimensions()) spec.dimensions.push_back(to_dimension(bounds));
    if (only) {
      spec.dimensions[0].batch = true;
      if (!input.meta->sizes[0].fixed) batch = input.meta->sizes[0].expression;
      interface.input_problem = [rules](const std::vector<std::int64_t>& shape) { return rules->problem(shape); };
      for (const std::string& guard : rules->unknown_guards()) {
        interface.notes.push_back("the guard " + printable(guard, 200) +
                                  " of the program is not understood and not checked");
      }
    }
    signature.inputs.push_back(std::move(spec));
  }
  signature.output = OutputReader(program, batch).run();
  if (is_classification(signature.output)) interface.task = Task::classify;
  if (only && is_class_map(signature.output)) interface.task = Task::segment;
  return interface;
}

}  // namespace ptrun::exported
