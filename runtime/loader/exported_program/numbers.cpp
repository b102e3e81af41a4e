// Arithmetic on sizes and numbers: Python's operators, PyTorch's symbolic functions, sizes of and numbers in tensors.
#include <algorithm>
#include <array>

#include "loader/exported_program/translator.h"

namespace ptrun::exported {
namespace {

using jit::Operand;
using jit::Values;

struct Row {
  std::string_view target;
  const char* operation;
};

// Targets as they stand in the file; both operands are numbers.
constexpr std::array kOperators = {
    Row{"_operator.add", "aten::add"},
    Row{"_operator.sub", "aten::sub"},
    Row{"_operator.mul", "aten::mul"},
    Row{"_operator.floordiv", "aten::floordiv"},
    Row{"_operator.mod", "aten::remainder"},
    Row{"_operator.truediv", "aten::div"},
    Row{"_operator.neg", "aten::neg"},
    Row{"_operator.eq", "aten::eq"},
    Row{"_operator.ne", "aten::ne"},
    Row{"_operator.lt", "aten::lt"},
    Row{"_operator.le", "aten::le"},
    Row{"_operator.gt", "aten::gt"},
    Row{"_operator.ge", "aten::ge"},
    Row{"_operator.and_", "aten::__and__"},
    Row{"_operator.or_", "aten::__or__"},
    Row{"_operator.lshift", "aten::__lshift__"},
    Row{"_operator.rshift", "aten::__rshift__"},
    Row{"torch.sym_not", "aten::__not__"},
    Row{"torch.sym_max", "prim::max"},
    Row{"torch.sym_min", "prim::min"},
    Row{"torch.sym_int", "aten::Int"},
    Row{"torch.sym_float", "aten::Float"},
    Row{"math.trunc", "aten::Int"},
    Row{"torch.sym_sqrt", "aten::sqrt"},
    Row{"torch._sym_sqrt", "aten::sqrt"},
    Row{"math.sqrt", "aten::sqrt"},
    Row{"math.ceil", "aten::ceil"},
    Row{"math.floor", "aten::floor"},
    Row{"builtins.round", "aten::round"},
};

// Sizes: the dispatcher's symbolic operators, as the JIT's own.
constexpr std::array kSizes = {
    Row{"torch.ops.aten.sym_size.int", "aten::size.int"},
    Row{"torch.ops.aten.sym_stride.int", "aten::stride.int"},
    Row{"torch.ops.aten.sym_numel.default", "aten::numel"},
    Row{"torch.ops.aten.sym_storage_offset.default", "aten::storage_offset"},
};

template <typename Rows>
const char* operation_of(const Rows& rows, std::string_view target) {
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& one) { return one.target == target; });
  return row == rows.end() ? nullptr : row->operation;
}

std::vector<Operand> plain_operands(Translator& translator, const Call& call) {
  std::vector<Operand> operands;
  for (const source::NamedArgument& input : call.node.inputs) {
    operands.push_back(translator.operand(input.value, call.scope));
  }
  return operands;
}

std::vector<Operand> plain_operands(Translator& translator, const Call& call, std::size_t count) {
  if (call.node.inputs.size() != count) {
    translator.bad("has " + std::to_string(call.node.inputs.size()) + " arguments, expected " + std::to_string(count));
  }
  return plain_operands(translator, call);
}

torch::jit::Value* power(Translator& translator, const std::vector<Operand>& operands) {
  const bool integers = operands.size() == 2 && std::all_of(operands.begin(), operands.end(), [](const Operand& one) {
                          return jit::GraphWriter::type_of(one) == jit::ValueType::integer;
                        });
  if (!integers) return translator.writer().number("aten::pow", operands);
  return translator.writer().call("aten::pow.int_to_int", {{"", operands[0]}, {"", operands[1]}}).front();
}

// The number in a tensor of one element, of the kind that the result has.
torch::jit::Value* item(Translator& translator, const Call& call) {
  const Operand tensor = translator.operand(call, "self");
  const source::Argument* output = call.node.outputs.empty() ? nullptr : &call.node.outputs.front();
  const DType dtype = output == nullptr ? DType::unknown : output->dtype;
  const char* operation = dtype == DType::float64   ? "aten::Float"
                          : dtype == DType::boolean ? "aten::Bool"
                                                    : "aten::Int";
  return translator.writer().number(operation, {tensor});
}

}  // namespace

bool is_number(std::string_view name) {
  const bool size = std::any_of(kSizes.begin(), kSizes.end(), [&](const Row& row) {
    constexpr std::string_view kPrefix = "torch.ops.aten.";
    const std::string_view bare = row.target.substr(kPrefix.size());
    return name.substr(0, 6) == "aten::" && name.substr(6) == bare.substr(0, bare.find('.'));
  });
  return size || operation_of(kOperators, name) != nullptr || name == "_operator.pow" || name == "torch.sym_pow" ||
         name == "_operator.pos" || name == "torch.sym_sum" || name == "torch.sym_ite";
}

bool write_number(Translator& translator, Call& call) {
  const std::string& target = call.node.target;
  torch::jit::Value* result = nullptr;
  if (const char* size = operation_of(kSizes, target)) {
    std::vector<jit::CallArgument> arguments;
    for (const Operand& one : plain_operands(translator, call)) arguments.push_back({"", one});
    result = translator.writer().call(size, arguments).front();
  } else if (const char* operation = operation_of(kOperators, target)) {
    result = translator.writer().number(operation, plain_operands(translator, call));
  } else if (target == "_operator.pow" || target == "torch.sym_pow") {
    result = power(translator, plain_operands(translator, call));
  } else if (target == "_operator.pos") {
    result = translator.writer().value_of(plain_operands(translator, call, 1)[0]);
  } else if (target == "torch.sym_sum") {
    if (call.node.inputs.size() != 1) translator.bad("has not one argument");
    const auto terms = translator.operands(call.node.inputs[0].value, call.scope);
    Operand sum = c10::IValue(std::int64_t{0});
    for (const Operand& term : terms) sum = translator.writer().number("aten::add", {sum, term});
    result = translator.writer().value_of(sum);
  } else if (target == "torch.sym_ite") {
    const auto parts = plain_operands(translator, call, 3);
    const auto branch = [&](std::size_t i) {
      return [&, i] { return Values{translator.writer().value_of(parts[i])}; };
    };
    result = translator.writer().branch(parts[0], branch(1), branch(2)).front();
  } else if (call.name == "aten::item" || call.name == "aten::_local_scalar_dense") {
    result = item(translator, call);
  } else {
    return false;
  }
  translator.bind(call, {result});
  return true;
}

}  // namespace ptrun::exported
