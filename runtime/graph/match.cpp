#include "graph/match.h"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

namespace ptrun::jit {

using torch::jit::Node;
using torch::jit::toIValue;
using torch::jit::Value;

bool is(const Node& node, const char* kind) { return node.kind() == c10::Symbol::fromQualString(kind); }

const Value* argument(const Node& node, const char* name) {
  const c10::FunctionSchema* schema = node.maybeSchema();
  if (schema == nullptr) return nullptr;
  const auto index = schema->argumentIndexWithName(name);
  return index ? node.inputs().at(static_cast<std::size_t>(*index)) : nullptr;
}

std::optional<c10::IValue> constant(const Node& node, const char* name) {
  const Value* value = argument(node, name);
  return value == nullptr ? std::nullopt : toIValue(value);
}

std::optional<std::vector<std::int64_t>> pair(const Node& node, const char* name) {
  const auto value = constant(node, name);
  if (!value || !value->isIntList()) return std::nullopt;
  std::vector<std::int64_t> list = value->toIntVector();
  if (list.size() == 1) list.push_back(list.front());
  if (list.size() != 2) return std::nullopt;
  return list;
}

bool fits(const at::Tensor& tensor, std::int64_t dimensions) {
  return tensor.defined() && tensor.device().is_cpu() && tensor.layout() == c10::kStrided &&
         tensor.dim() == dimensions && tensor.numel() > 0 &&
         (tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16);
}

std::optional<double> number(const Node& node, const char* name) {
  const auto value = constant(node, name);
  if (!value || !value->isScalar() || value->isComplexDouble()) return std::nullopt;
  return value->toScalar().toDouble();
}

std::optional<Activation> activation(const Node& node) {
  if (is(node, "aten::relu")) return Activation{"relu", {}, ""};
  if (is(node, "aten::sigmoid")) return Activation{"sigmoid", {}, ""};
  if (is(node, "aten::tanh")) return Activation{"tanh", {}, ""};
  if (is(node, "aten::silu")) return Activation{"swish", {}, ""};
  if (is(node, "aten::hardswish")) return Activation{"hardswish", {}, ""};
  if (is(node, "aten::hardsigmoid")) return Activation{"hardsigmoid", {}, ""};
  if (is(node, "aten::relu6")) return Activation{"hardtanh", {0, 6}, ""};
  if (is(node, "aten::gelu")) {
    const auto how = constant(node, "approximate");
    if (!how || !how->isString()) return std::nullopt;
    return Activation{"gelu", {}, how->toStringRef()};
  }
  if (is(node, "aten::leaky_relu")) {
    const auto slope = number(node, "negative_slope");
    if (slope) return Activation{"leaky_relu", {*slope}, ""};
  }
  if (is(node, "aten::hardtanh")) {
    const auto low = number(node, "min_val");
    const auto high = number(node, "max_val");
    if (low && high) return Activation{"hardtanh", {*low, *high}, ""};
  }
  if (is(node, "aten::clamp")) {
    const auto low = number(node, "min");
    const auto high = number(node, "max");
    if (low && high) return Activation{"hardtanh", {*low, *high}, ""};
  }
  return std::nullopt;
}

Node* only_user(const Value* value) {
  if (value->uses().size() != 1) return nullptr;
  Node* user = value->uses().front().user;
  return user->owningBlock() == value->node()->owningBlock() ? user : nullptr;
}

}  // namespace ptrun::jit
