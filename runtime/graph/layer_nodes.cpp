#include "graph/layer_nodes.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>

namespace ptrun::jit {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

namespace {

const TensorShape* shape(const Shapes& shapes, const Value* value) {
  const auto found = shapes.find(value);
  return found == shapes.end() ? nullptr : &found->second;
}

}  // namespace

std::optional<Layer> conv_layer(const Node& node, const Shapes& shapes) {
  const auto weight = constant(node, "weight");
  const auto bias = constant(node, "bias");
  auto stride = pair(node, "stride");
  auto padding = pair(node, "padding");
  auto dilation = pair(node, "dilation");
  const auto groups = constant(node, "groups");
  const TensorShape* input = shape(shapes, node.input(0));
  if (!weight || !weight->isTensor() || !fits(weight->toTensor(), 4) || !bias || !stride || !padding || !dilation ||
      !groups || input == nullptr || input->sizes.size() != 4 || input->type != weight->toTensor().scalar_type()) {
    return std::nullopt;
  }
  if (const auto transposed = constant(node, "transposed"); transposed && transposed->toBool()) return std::nullopt;
  if (argument(node, "transposed") != nullptr && !constant(node, "transposed")) return std::nullopt;
  if (std::find(input->sizes.begin(), input->sizes.end(), 0) != input->sizes.end()) return std::nullopt;
  return Layer{weight->toTensor(),   *bias,          std::move(*stride), std::move(*padding),
               std::move(*dilation), groups->toInt()};
}

std::optional<Layer> linear_layer(const Node& node, const Shapes& shapes, std::int64_t& rows) {
  const auto weight = constant(node, "weight");
  const auto bias = constant(node, "bias");
  const TensorShape* input = shape(shapes, node.input(0));
  if (!weight || !weight->isTensor() || !fits(weight->toTensor(), 2) || !bias || input == nullptr ||
      input->sizes.size() < 2 || input->type != weight->toTensor().scalar_type()) {
    return std::nullopt;
  }
  rows = 1;
  for (std::size_t i = 0; i + 1 < input->sizes.size(); ++i) rows *= input->sizes[i];
  if (rows < 1) return std::nullopt;
  return Layer{weight->toTensor(), *bias, {}, {}, {}, 1};
}

bool same_shape(const Shapes& shapes, const Value* a, const Value* b) {
  const TensorShape* first = shape(shapes, a);
  const TensorShape* second = shape(shapes, b);
  return first != nullptr && second != nullptr && first->sizes == second->sizes && first->type == second->type;
}

Value* summand(const Node& add, const Value* value, const Shapes& shapes) {
  if (!is(add, "aten::add") || add.inputs().size() != 3 || number(add, "alpha") != 1.0) return nullptr;
  Value* other = add.input(0) == value ? add.input(1) : add.input(0);
  return other != value && same_shape(shapes, other, value) ? other : nullptr;
}

at::Tensor call(const char* name, std::vector<c10::IValue> stack) {
  c10::Dispatcher::singleton().findSchemaOrThrow(name, "").callBoxed(&stack);
  return stack.front().toTensor();
}

Value* insert_tensor(Graph& graph, at::Tensor tensor) {
  Node* node = graph.create(c10::prim::Constant);
  node->t_(c10::attr::value, std::move(tensor));
  node->output()->setType(c10::TensorType::get());
  return graph.insertNode(node)->output();
}

Value* insert_scalars(Graph& graph, const std::vector<double>& scalars) {
  c10::impl::GenericList list(c10::OptionalType::create(c10::NumberType::get()));
  for (const double scalar : scalars) list.push_back(scalar);
  return graph.insertConstant(std::move(list));
}

}  // namespace ptrun::jit
