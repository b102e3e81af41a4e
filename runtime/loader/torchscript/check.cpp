#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/inliner.h>

#include <algorithm>
#include <unordered_map>

#include "core/text.h"
#include "loader/torchscript/allow.h"
#include "loader/torchscript/program.h"
#include "ptrun/error.h"

namespace ptrun::torchscript {
namespace {

using torch::jit::Block;
using torch::jit::Function;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

constexpr double kMaxNodes = 1e6;                       // of forward after inlining
constexpr double kMaxText = 16e6;                       // bytes of one folded string
constexpr double kMaxAllocation = 1e9 * 1.073741824;    // bytes of one tensor made from constants
constexpr double kMaxAllocations = 4 * kMaxAllocation;  // of all of them, which may be kept at once

// Calls visit(node) for every node of `block` and the blocks below it, in order.
template <typename Visit>
void for_each_node(const Block* block, const Visit& visit) {
  for (const Node* node : block->nodes()) {
    visit(node);
    for (const Block* inner : node->blocks()) for_each_node(inner, visit);
  }
}

// What inlining and folding a function can come to.
struct Cost {
  double nodes = 0;
  double text = 1;       // longest string it returns, for arguments of length 1
  double text_peak = 1;  // longest string inside it
};

class ProgramCheck {
 public:
  ProgramCheck(const torch::jit::Module& module, const std::string& subject, const AllowRule& rule)
      : subject_(subject), rule_(rule) {
    for (const auto& named : module.named_modules()) {
      paths_.emplace(named.value.type()->name()->qualifiedName(), named.name);
    }
  }

  void run(torch::jit::CompilationUnit& unit) {
    for (Function* function : unit.get_functions()) cost_of(*function);
  }

 private:
  std::string place(const Function& function) const {
    const std::string name = function.qualname().qualifiedName();
    const auto path = paths_.find(function.qualname().prefix());
    std::string text = printable(name);
    if (path != paths_.end())
      text += path->second.empty() ? " (the model itself)" : " (module " + printable(path->second) + ")";
    return text;
  }

  [[noreturn]] void refuse_size(const Function& function, const std::string& what) const {
    throw Error(ErrorCode::limit_exceeded, subject_,
                place(function) + " " + what + "; no exporter writes this, refuse the file");
  }

  void check_operator(const Function& function, const Node& node) const {
    const std::string name = node.kind().toQualString();
    const bool call = node.kind() == c10::prim::CallFunction;
    const bool opaque = call && callee(node) == nullptr;
    if (!opaque && rule_.allows(name)) return;
    const std::string_view reason = opaque ? "calls a function that cannot be looked at" : refusal_reason(name);
    throw Error(ErrorCode::unsupported, subject_,
                place(function) + " uses the operator " + printable(name) + ", which " +
                    (reason.empty() ? "is not among those that image models use" : std::string(reason)) +
                    "; --trust runs it, only for a file that you wrote or trust like a program");
  }

  // The function that a call node reaches; an interface's callee is one of the functions that are checked anyway.
  static Function* callee(const Node& node) {
    if (node.kind() == c10::prim::CallFunction) {
      const auto type = node.input(0)->type()->cast<c10::FunctionType>();
      return type == nullptr || node.input(0)->node()->kind() != c10::prim::Constant ? nullptr : type->function();
    }
    if (node.kind() != c10::prim::CallMethod) return nullptr;
    const auto type = node.input(0)->type()->cast<c10::ClassType>();
    return type == nullptr ? nullptr : type->findMethod(node.s(c10::attr::name));
  }

  // Called for each function before its callers; recursion is an error of the language, a cycle counts as nothing.
  const Cost& cost_of(Function& function) {
    const auto [known, fresh] = costs_.emplace(&function, Cost());
    if (!fresh) return known->second;
    Cost cost;
    torch::jit::GraphFunction* body = torch::jit::tryToGraphFunction(function);
    if (body == nullptr) return known->second;
    body->ensure_defined();
    std::unordered_map<const Value*, double> sizes;
    const std::shared_ptr<Graph> graph = body->graph();
    for (const Value* input : graph->inputs()) sizes[input] = is_text(*input) ? 1 : 0;
    add_block(function, *graph->block(), sizes, cost);
    for (const Value* output : graph->outputs()) cost.text = std::max(cost.text, sizes[output]);
    if (cost.nodes > kMaxNodes) refuse_size(function, "has more than 1,000,000 operators when its calls are inlined");
    return costs_[&function] = cost;
  }

  static bool is_text(const Value& value) {
    const c10::TypeKind kind = value.type()->kind();
    return kind == c10::TypeKind::StringType || kind == c10::TypeKind::TupleType;
  }

  void add_block(const Function& function, const Block& block, std::unordered_map<const Value*, double>& sizes,
                 Cost& cost) {
    for (const Node* node : block.nodes()) {
      cost.nodes += 1;
      if (!rule_.trust) check_operator(function, *node);
      double total = node->kind() == c10::prim::Constant ? constant_text(*node) : 0;
      for (const Value* input : node->inputs()) total += sizes[input];
      double factor = 1;
      double peak = 1;
      if (Function* called = callee(*node)) {
        const Cost below = cost_of(*called);
        cost.nodes += below.nodes;
        factor = below.text;
        peak = below.text_peak;
      }
      for (const Block* inner : node->blocks()) {
        for (const Value* input : inner->inputs()) sizes[input] = is_text(*input) ? 1 : 0;
        add_block(function, *inner, sizes, cost);
        for (const Value* output : inner->outputs()) total += sizes[output];
      }
      cost.text_peak = std::max(cost.text_peak, std::max(total, 1.0) * peak);
      if (cost.text_peak > kMaxText) refuse_size(function, "folds constants to a text of more than 16 MB");
      for (const Value* output : node->outputs()) sizes[output] = is_text(*output) ? std::max(total, 1.0) * factor : 0;
    }
  }

  static double constant_text(const Node& node) {
    const auto value = torch::jit::toIValue(node.output());
    return value.has_value() && value->isString() ? static_cast<double>(value->toStringRef().size()) : 0;
  }

  const std::string& subject_;
  const AllowRule& rule_;
  std::unordered_map<std::string, std::string> paths_;  // class -> where its first instance sits
  std::unordered_map<const Function*, Cost> costs_;
};

// Number of elements that the constant sizes of `value` ask for; what depends on the input counts as 1.
double constant_elements(const Value& value) {
  if (const auto known = torch::jit::toIValue(&value)) {
    if (known->isInt()) return std::max(1.0, static_cast<double>(known->toInt()));
    if (known->isDouble()) return std::max(1.0, known->toDouble());
    if (known->isIntList()) {
      double product = 1;
      for (const std::int64_t size : known->toIntVector()) product *= std::max<double>(1.0, static_cast<double>(size));
      return product;
    }
    return 1;
  }
  if (value.node()->kind() != c10::prim::ListConstruct) return 1;
  double product = 1;
  for (const Value* item : value.node()->inputs()) product *= constant_elements(*item);
  return product;
}

// Operators that make a tensor or list as large as an argument says, and which argument.
struct Maker {
  const char* name;
  std::size_t argument;
};
constexpr Maker kMakers[] = {
    {"aten::zeros", 0},
    {"aten::ones", 0},
    {"aten::full", 0},
    {"aten::empty", 0},
    {"aten::rand", 0},
    {"aten::randn", 0},
    {"aten::new_zeros", 1},
    {"aten::new_ones", 1},
    {"aten::new_full", 1},
    {"aten::new_empty", 1},
    {"aten::eye", 0},
    {"aten::randperm", 0},
    {"aten::repeat", 1},
    {"aten::tile", 1},
    {"aten::expand", 1},
    {"aten::expand_copy", 1},
    {"aten::broadcast_to", 1},
    {"aten::one_hot", 1},
    {"aten::hann_window", 0},
    {"aten::hamming_window", 0},
    {"aten::linspace", 2},
    {"aten::logspace", 2},
    {"aten::tril_indices", 0},
    {"aten::triu_indices", 0},
    {"aten::upsample_nearest2d", 1},
    {"aten::mul", 1},
    {"aten::upsample_nearest1d", 1},
    {"aten::upsample_bilinear2d", 1},
    {"aten::upsample_bicubic2d", 1},
    {"aten::upsample_linear1d", 1},
    {"aten::upsample_nearest3d", 1},
    {"aten::upsample_trilinear3d", 1},
    {"aten::_upsample_bilinear2d_aa", 1},
    {"aten::_upsample_bicubic2d_aa", 1},
    {"aten::constant_pad_nd", 1},
    {"aten::pad", 1},
    {"aten::repeat_interleave", 1},
    {"aten::adaptive_avg_pool2d", 1},
    {"aten::adaptive_max_pool2d", 1},
    {"aten::adaptive_avg_pool1d", 1},
    {"aten::grid_sampler", 9},
};

double made_elements(const Node& node) {
  const std::string_view name = node.kind().toQualString();
  if (name == "aten::arange" || name == "aten::range" || name == "aten::randint") {
    double most = 1;
    for (const Value* input : node.inputs()) most = std::max(most, constant_elements(*input));
    return most;
  }
  if (name == "aten::mul" && node.output()->type()->kind() != c10::TypeKind::ListType) return 1;
  if (name == "aten::eye" && !node.inputs().empty()) {
    const double side = constant_elements(*node.input(0));
    return side * side;
  }
  for (const Maker& maker : kMakers) {
    if (name == maker.name && node.inputs().size() > maker.argument)
      return constant_elements(*node.input(maker.argument));
  }
  return 1;
}

}  // namespace

void check_program(const torch::jit::Module& module, const std::string& subject, const AllowRule& rule) {
  ProgramCheck(module, subject, rule).run(*module._ivalue()->compilation_unit());
}

void check_allocations(const Graph& graph, const std::string& subject) {
  double total = 0;
  for_each_node(graph.block(), [&](const Node* node) {
    // The smallest element that counts; most are 4 bytes.
    constexpr double kElementBytes = 4;
    const double bytes = made_elements(*node) * kElementBytes;
    total += bytes;
    const bool one = bytes > kMaxAllocation;
    if (!one && total <= kMaxAllocations) return;
    const auto text = [](double size) { return human_bytes(static_cast<std::uint64_t>(std::min(size, 1e18))); };
    throw Error(ErrorCode::limit_exceeded, subject,
                (one ? "forward makes a tensor of about " + text(bytes) + " with "
                     : "forward makes tensors of about " + text(total) + " up to ") +
                    node->kind().toQualString() + ", the limit is " + text(one ? kMaxAllocation : kMaxAllocations) +
                    " for sizes that are written in the model; no image model needs it, refuse the file");
  });
}

}  // namespace ptrun::torchscript
