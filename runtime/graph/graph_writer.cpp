#include "graph/graph_writer.h"

#include <ATen/ATen.h>
#include <ATen/ScalarOps.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <array>
#include <limits>

#include "ptrun/error.h"

namespace ptrun::jit {
namespace {

using c10::TypeKind;
using torch::jit::Node;
using torch::jit::Value;

c10::TypePtr without_optional(c10::TypePtr type) {
  while (const auto optional = type->cast<c10::OptionalType>()) type = optional->getElementType();
  return type;
}

bool is_number(const Operand& operand) {
  if (const auto* value = std::get_if<Value*>(&operand)) {
    const TypeKind kind = (*value)->type()->kind();
    return kind == TypeKind::IntType || kind == TypeKind::FloatType || kind == TypeKind::BoolType ||
           kind == TypeKind::NumberType || kind == TypeKind::ComplexType;
  }
  const auto& constant = std::get<c10::IValue>(operand);
  return constant.isScalar();
}

const c10::Argument* find_formal(const c10::FunctionSchema& schema, const std::string& name) {
  for (const c10::Argument& formal : schema.arguments()) {
    if (formal.name() == name) return &formal;
  }
  return nullptr;
}

// The formal argument that `arguments[index]` fills; null when the schema has none.
const c10::Argument* formal_of(const c10::FunctionSchema& schema, const std::vector<CallArgument>& arguments,
                               std::size_t index) {
  if (!arguments[index].name.empty()) return find_formal(schema, arguments[index].name);
  return index < schema.arguments().size() ? &schema.arguments()[index] : nullptr;
}

bool wants_tensor(const c10::Argument& formal) {
  return without_optional(formal.type())->kind() == TypeKind::TensorType;
}

// Overloads by the kinds of their arguments: tensor, number.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kForNumbers = {
    {{".Tensor", ".Scalar"},
     {".Tensor_Tensor", ".Tensor_Scalar"},
     {".Tensor_mode", ".Scalar_mode"},
     {".self", ".ScalarOther"},
     {"", ".Scalar"}}};

struct Overload {
  std::string name;
  const c10::FunctionSchema* formals = nullptr;
};

// The overload that takes numbers where `arguments` has them; `schema` itself when there is none. Null formals when
// LibTorch does not have `schema`.
Overload overload_for(const std::string& schema, const std::vector<CallArgument>& arguments) {
  const c10::FunctionSchema* own = find_schema(schema);
  if (own == nullptr) return {};
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto* single = std::get_if<Operand>(&arguments[i].value);
    const c10::Argument* formal = formal_of(*own, arguments, i);
    if (single != nullptr && formal != nullptr && wants_tensor(*formal) && is_number(*single)) numbers.push_back(i);
  }
  if (numbers.empty()) return {schema, own};
  const std::size_t dot = schema.find('.');
  const std::string overload = dot == std::string::npos ? std::string() : schema.substr(dot);
  for (const auto& [tensor, number] : kForNumbers) {
    if (tensor != overload) continue;
    const std::string other = schema.substr(0, dot) + std::string(number);
    const c10::FunctionSchema* found = find_schema(other);
    if (found == nullptr) continue;
    bool fits = true;
    for (const std::size_t i : numbers) {
      const c10::Argument* formal = formal_of(*found, arguments, i);
      fits = fits && formal != nullptr && !wants_tensor(*formal);
    }
    if (fits) return {other, found};
  }
  return {schema, own};
}

}  // namespace

GraphWriter::GraphWriter() : graph_(std::make_shared<torch::jit::Graph>()) {}
GraphWriter::~GraphWriter() = default;

Value* GraphWriter::tensor_input() {
  Value* value = graph_->addInput();
  value->setType(c10::TensorType::get());
  return value;
}

Value* GraphWriter::constant(const c10::IValue& value) { return graph_->insertConstant(value); }

Value* GraphWriter::value_of(const Operand& operand) {
  if (const auto* value = std::get_if<Value*>(&operand)) return *value;
  return constant(std::get<c10::IValue>(operand));
}

c10::IValue GraphWriter::constant_of(const Value* value) { return torch::jit::toIValue(value).value_or(c10::IValue()); }

ValueType GraphWriter::type_of(const Operand& operand) {
  const auto* value = std::get_if<Value*>(&operand);
  if (value == nullptr) {
    const auto& constant = std::get<c10::IValue>(operand);
    if (constant.isTensor()) return ValueType::tensor;
    if (constant.isInt()) return ValueType::integer;
    if (constant.isDouble()) return ValueType::real;
    return constant.isBool() ? ValueType::boolean : ValueType::other;
  }
  switch ((*value)->type()->kind()) {
    case TypeKind::TensorType: return ValueType::tensor;
    case TypeKind::IntType: return ValueType::integer;
    case TypeKind::FloatType: return ValueType::real;
    case TypeKind::BoolType: return ValueType::boolean;
    default: return ValueType::other;
  }
}

bool GraphWriter::has_operator(const std::string& schema) { return find_schema(schema) != nullptr; }

namespace {

// Fits values to the formal arguments of one schema.
class Fitter {
 public:
  Fitter(GraphWriter& writer, torch::jit::Graph& graph) : writer_(writer), graph_(graph) {}

  Operand fit(const Operand& operand, const c10::TypePtr& wanted) {
    const c10::TypePtr type = without_optional(wanted);
    const auto* constant = std::get_if<c10::IValue>(&operand);
    if (type->kind() == TypeKind::FloatType && GraphWriter::type_of(operand) == ValueType::integer) {
      if (constant != nullptr) return c10::IValue(static_cast<double>(constant->toInt()));
      return writer_.number("aten::Float", {operand});
    }
    if (type->kind() == TypeKind::TensorType && is_number(operand)) return as_tensor(operand);
    // One number for a list of them: int[2] kernel_size=3.
    if (type->kind() == TypeKind::ListType && is_number(operand)) return fit_list({operand}, type);
    return operand;
  }

  Operand fit_list(const std::vector<Operand>& items, const c10::TypePtr& wanted) {
    const auto list = without_optional(wanted)->cast<c10::ListType>();
    if (list == nullptr) throw Error(ErrorCode::internal, "a list", "where the operator takes none");
    const c10::TypePtr element = list->getElementType();
    const TypeKind kind = without_optional(element)->kind();
    if (kind == TypeKind::IntType || kind == TypeKind::SymIntType) {
      if (const auto known = integers(items)) return *known;
    }
    std::vector<Value*> values;
    for (const Operand& item : items) values.push_back(writer_.value_of(fit(item, element)));
    const bool symbolic = kind == TypeKind::SymIntType;
    return graph_.insertNode(graph_.createList(symbolic ? c10::IntType::get() : element, values))->output();
  }

 private:
  // A number that takes part in type promotion like one, as Python passes it.
  Operand as_tensor(const Operand& operand) {
    if (const auto* constant = std::get_if<c10::IValue>(&operand)) {
      return c10::IValue(at::native::wrapped_scalar_tensor(constant->toScalar()));
    }
    return writer_.call("aten::scalar_tensor", {{"", operand}}).front();
  }

  static std::optional<c10::IValue> integers(const std::vector<Operand>& items) {
    std::vector<std::int64_t> found;
    for (const Operand& item : items) {
      const auto* constant = std::get_if<c10::IValue>(&item);
      if (constant == nullptr || !constant->isInt()) return std::nullopt;
      found.push_back(constant->toInt());
    }
    return c10::IValue(found);
  }

  GraphWriter& writer_;
  torch::jit::Graph& graph_;
};

}  // namespace

Values GraphWriter::call(const std::string& schema, const std::vector<CallArgument>& arguments) {
  const auto [chosen, formals] = overload_for(schema, arguments);
  if (formals == nullptr) throw Error(ErrorCode::internal, schema, "LibTorch has no such operator overload");
  Fitter fitter(*this, *graph_);
  std::vector<Operand> positional;
  std::vector<std::pair<std::string, Operand>> named;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const CallArgument& argument = arguments[i];
    const c10::Argument* formal = formal_of(*formals, arguments, i);
    if (formal == nullptr) throw Error(ErrorCode::internal, chosen, "has no argument '" + argument.name + "'");
    const auto* items = std::get_if<std::vector<Operand>>(&argument.value);
    const Operand fitted = items != nullptr ? fitter.fit_list(*items, formal->type())
                                            : fitter.fit(std::get<Operand>(argument.value), formal->type());
    if (argument.name.empty()) {
      positional.push_back(fitted);
    } else {
      named.emplace_back(argument.name, fitted);
    }
  }
  return insert_operator(*graph_, chosen, positional, named);
}

Value* GraphWriter::number(const std::string& name, const std::vector<Operand>& operands) {
  std::vector<torch::jit::NamedValue> values;
  for (const Operand& operand : operands) values.emplace_back(value_of(operand));
  try {
    return graph_->insert(c10::Symbol::fromQualString(name), values);
  } catch (const std::exception& error) {
    throw Error(ErrorCode::internal, name, std::string("arguments do not fit: ") + error.what());
  }
}

Values GraphWriter::unpack(Value* list, std::size_t count) {
  if (list->type()->kind() != TypeKind::ListType) throw Error(ErrorCode::internal, "a result", "is not a list");
  Node* node = graph_->insertNode(graph_->createListUnpack(list, count));
  return {node->outputs().begin(), node->outputs().end()};
}

Values GraphWriter::branch(const Operand& condition, const Block& then, const Block& otherwise) {
  Value* choice = value_of(condition);
  if (choice->type()->kind() != TypeKind::BoolType) choice = number("aten::Bool", {choice});
  Node* node = graph_->insertNode(graph_->create(c10::prim::If, {choice}, 0));
  const std::array<const Block*, 2> writers = {&then, &otherwise};
  std::array<Values, 2> results;
  for (std::size_t i = 0; i < writers.size(); ++i) {
    torch::jit::Block* block = node->addBlock();
    const torch::jit::WithInsertPoint here(block);
    results.at(i) = (*writers.at(i))();
    for (Value* value : results.at(i)) block->registerOutput(value);
  }
  if (results[0].size() != results[1].size()) {
    throw Error(ErrorCode::internal, "a branch", "returns another number of values than the other one");
  }
  Values outputs;
  for (Value* value : results[0]) outputs.push_back(node->addOutput()->setType(value->type()));
  return outputs;
}

Values GraphWriter::loop(const Values& start, const Condition& condition, const Body& body) {
  const auto as_bool = [&](const Operand& operand) {
    Value* value = value_of(operand);
    return value->type()->kind() == TypeKind::BoolType ? value : number("aten::Bool", {value});
  };
  Values inputs{constant(std::numeric_limits<std::int64_t>::max()), as_bool(condition(start))};
  inputs.insert(inputs.end(), start.begin(), start.end());
  Node* node = graph_->insertNode(graph_->create(c10::prim::Loop, inputs, 0));
  torch::jit::Block* block = node->addBlock();
  block->addInput()->setType(c10::IntType::get());
  Values carried;
  for (const Value* value : start) carried.push_back(block->addInput()->setType(value->type()));
  {
    const torch::jit::WithInsertPoint here(block);
    const Values next = body(carried);
    if (next.size() != start.size()) {
      throw Error(ErrorCode::internal, "a loop", "returns another number of values than it takes");
    }
    block->registerOutput(as_bool(condition(next)));
    for (Value* value : next) block->registerOutput(value);
  }
  Values outputs;
  for (const Value* value : start) outputs.push_back(node->addOutput()->setType(value->type()));
  return outputs;
}

Value* GraphWriter::tuple(const Values& values) { return graph_->insertNode(graph_->createTuple(values))->output(); }

namespace {

// The type that all have, or Any.
c10::TypePtr common_type(const Values& values) {
  for (const Value* value : values) {
    if (*value->type() != *values.front()->type()) return c10::AnyType::get();
  }
  return values.empty() ? c10::TypePtr(c10::TensorType::get()) : values.front()->type();
}

}  // namespace

Value* GraphWriter::list(const Values& values) {
  return graph_->insertNode(graph_->createList(common_type(values), values))->output();
}

Value* GraphWriter::dict(const std::vector<std::string>& keys, const Values& values) {
  Values names;
  for (const std::string& key : keys) names.push_back(constant(c10::IValue(key)));
  return graph_->insertNode(graph_->createDict(c10::StringType::get(), common_type(values), names, values))->output();
}

std::shared_ptr<torch::jit::Graph> GraphWriter::finish(Value* output) {
  graph_->registerOutput(output);
  protect(graph_);
  if (!is_normal(*graph_)) normalise(graph_);
  return graph_;
}

}  // namespace ptrun::jit
