#include "graph/narrow.h"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "graph/jit_api.h"
#include "graph/match.h"
#include "graph/own_layers.h"

namespace ptrun::jit {
namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::toIValue;
using torch::jit::Value;

// Positions [first, last) of a dimension.
struct Range {
  std::int64_t dimension, first, last;
  friend bool operator==(const Range& a, const Range& b) {
    return a.dimension == b.dimension && a.first == b.first && a.last == b.last;
  }
};

// What a value's readers read of it.
struct Demand {
  enum class Kind : std::uint8_t { nothing, range, everything };
  Kind kind = Kind::nothing;
  Range range{};

  void add(const Demand& other) {
    if (other.kind == Kind::nothing || kind == Kind::everything) return;
    const bool apart = kind == Kind::range && other.kind == Kind::range && range.dimension != other.range.dimension;
    if (kind == Kind::nothing) {
      *this = other;
    } else if (other.kind == Kind::everything || apart) {
      kind = Kind::everything;
    } else {
      range.first = std::min(range.first, other.range.first);
      range.last = std::max(range.last, other.range.last);
    }
  }
};
const Demand kEverything{Demand::Kind::everything, {}};

Demand positions(std::int64_t dimension, const Range& range) {
  return {Demand::Kind::range, {dimension, range.first, range.last}};
}

bool is_tensor(const Value* value) { return value->type()->kind() == c10::TypeKind::TensorType; }

bool is_one_of(const Node& node, const std::vector<std::string_view>& names) {
  return std::find(names.begin(), names.end(), node.kind().toQualString()) != names.end();
}

// Their first argument gives each number of the result from the one in its place.
bool is_unary(const Node& node) {
  static const std::vector<std::string_view> kNames = {
      "aten::gelu",      "aten::relu",        "aten::relu6",          "aten::silu",    "aten::sigmoid",
      "aten::hardswish", "aten::hardsigmoid", "aten::tanh",           "aten::dropout", "aten::hardtanh",
      "aten::clone",     "aten::contiguous",  "aten::feature_dropout"};
  return is_one_of(node, kNames);
}

bool is_binary(const Node& node) { return is_one_of(node, {"aten::add", "aten::sub", "aten::mul", "aten::div"}); }

std::optional<std::int64_t> dimension(const Node& node, const char* name, std::int64_t dimensions) {
  const auto value = constant(node, name);
  if (!value || !value->isInt()) return std::nullopt;
  return value->toInt() < 0 ? value->toInt() + dimensions : value->toInt();
}

class Narrower {
 public:
  Narrower(Graph& graph, Shapes& shapes) : graph_(graph), shapes_(shapes) {}

  int run() {
    for (const Value* output : graph_.outputs()) demands_[output].add(kEverything);
    for (Node* node : graph_.nodes().reverse()) look_at(node);
    const auto gains =
        std::count_if(steps_.begin(), steps_.end(), [](const Step& step) { return is_work(*step.node); });
    if (gains == 0) return 0;
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) rewrite(*step);
    return static_cast<int>(gains);
  }

 private:
  // A node that is to work for a range of its result alone, with what it then reads of its inputs, or that selects it.
  struct Step {
    Node* node;
    Range range;
    std::vector<Demand> inputs;  // empty: it selects
  };

  static bool is_work(const Node& node) {
    return is(node, "aten::linear") || is(node, "aten::scaled_dot_product_attention");
  }

  const std::vector<std::int64_t>* sizes(const Value* value) const {
    const auto found = shapes_.find(value);
    return found == shapes_.end() ? nullptr : &found->second.sizes;
  }

  // What the node reads of its inputs, noted.
  void look_at(Node* node) {
    if (const auto range = selected(*node)) {
      demands_[node->input(0)].add({Demand::Kind::range, *range});
      steps_.push_back({node, *range, {}});
      return;
    }
    std::vector<Demand> demands;
    if (can_be_narrow(*node)) {
      const Range range = demands_[node->output()].range;
      demands = demands_of(*node, range);
      if (!demands.empty()) steps_.push_back({node, range, demands});
    }
    if (demands.empty()) {
      demands.assign(node->inputs().size(), kEverything);
      // The batch's stays as it is.
      if (is(*node, "aten::size") && number(*node, "dim") == 0.0) demands[0] = {};
    }
    for (std::size_t i = 0; i < demands.size(); ++i) demands_[node->input(i)].add(demands[i]);
    for (torch::jit::Block* block : node->blocks()) take_everything(block);
  }

  // NOLINTNEXTLINE(misc-no-recursion): the depth is that of the graph's blocks.
  void take_everything(torch::jit::Block* block) {
    for (const Value* output : block->outputs()) demands_[output].add(kEverything);
    for (Node* node : block->nodes()) {
      for (const Value* input : node->inputs()) demands_[input].add(kEverything);
      for (torch::jit::Block* inner : node->blocks()) take_everything(inner);
    }
  }

  // The one position that aten::select reads.
  std::optional<Range> selected(const Node& node) const {
    const auto* known = is(node, "aten::select") ? sizes(node.input(0)) : nullptr;
    if (known == nullptr) return std::nullopt;
    const auto chosen = dimension(node, "dim", static_cast<std::int64_t>(known->size()));
    if (!chosen || *chosen < 1 || *chosen >= static_cast<std::int64_t>(known->size())) return std::nullopt;
    const std::int64_t size = (*known)[static_cast<std::size_t>(*chosen)];
    const auto index = dimension(node, "index", size);
    // A dimension as long as the batch could be the batch.
    if (!index || *index < 0 || *index >= size || size == known->front()) return std::nullopt;
    return Range{*chosen, *index, *index + 1};
  }

  // At most half of it is read.
  bool can_be_narrow(const Node& node) const {
    if (node.outputs().size() != 1) return false;
    const auto found = demands_.find(node.output());
    if (found == demands_.end() || found->second.kind != Demand::Kind::range) return false;
    const Range& range = found->second.range;
    const auto* known = sizes(node.output());
    const auto at = static_cast<std::size_t>(range.dimension);
    return known != nullptr && at < known->size() && (range.last - range.first) * 2 <= (*known)[at];
  }

  // For each input, what `range` of the result takes of it; empty when the node does not work by positions.
  std::vector<Demand> demands_of(const Node& node, const Range& range) const {
    const auto* known = sizes(node.output());
    const auto dimensions = static_cast<std::int64_t>(known->size());
    std::vector<Demand> demands(node.inputs().size(), kEverything);
    const auto first = [&](std::int64_t at) {
      demands[0] = positions(at, range);
      return demands;
    };
    if (is(node, "aten::linear")) return range.dimension < dimensions - 1 ? first(range.dimension) : no();
    if (is(node, "aten::layer_norm")) {
      const auto normalised = constant(node, "normalized_shape");
      const bool apart = normalised && normalised->isIntList() &&
                         range.dimension < dimensions - static_cast<std::int64_t>(normalised->toListRef().size());
      return apart ? first(range.dimension) : no();
    }
    if (is_unary(node)) return first(range.dimension);
    if (is_binary(node)) return of_binary(node, range, dimensions);
    if (is(node, "aten::transpose")) {
      const auto a = dimension(node, "dim0", dimensions);
      const auto b = dimension(node, "dim1", dimensions);
      if (!a || !b) return no();
      return first(range.dimension == *a ? *b : range.dimension == *b ? *a : range.dimension);
    }
    if (is(node, "aten::flatten") || is(node, "aten::reshape") || is(node, "aten::view")) {
      return keeps(node, range) ? first(range.dimension) : no();
    }
    if (is(node, "aten::scaled_dot_product_attention")) {
      const bool rows = range.dimension == dimensions - 2 && attention_scale(node, known->back());
      return rows ? first(range.dimension) : no();
    }
    return no();
  }

  static std::vector<Demand> no() { return {}; }

  std::vector<Demand> of_binary(const Node& node, const Range& range, std::int64_t dimensions) const {
    std::vector<Demand> demands(node.inputs().size(), kEverything);
    const std::int64_t size = (*sizes(node.output()))[static_cast<std::size_t>(range.dimension)];
    for (const std::size_t i : {0U, 1U}) {
      if (!is_tensor(node.input(i))) continue;
      const auto* known = sizes(node.input(i));
      if (known == nullptr) return no();
      const std::int64_t at = range.dimension - dimensions + static_cast<std::int64_t>(known->size());
      if (at >= 0 && (*known)[static_cast<std::size_t>(at)] == size) demands[i] = positions(at, range);
    }
    return demands;
  }

  // Whether the range's dimension and those before it are the same on both sides of a change of shape.
  bool keeps(const Node& node, const Range& range) const {
    const auto* in = sizes(node.input(0));
    const auto* out = sizes(node.output());
    const auto count = static_cast<std::ptrdiff_t>(range.dimension + 1);
    if (in == nullptr || static_cast<std::ptrdiff_t>(in->size()) < count) return false;
    if (!std::equal(in->begin(), in->begin() + count, out->begin())) return false;
    if (is(node, "aten::flatten")) {
      const auto start = dimension(node, "start_dim", static_cast<std::int64_t>(in->size()));
      return start && *start > range.dimension;
    }
    const Node& list = *node.input(1)->node();
    const auto whole = toIValue(node.input(1));
    return whole ? whole->isIntList() && whole->toListRef().size() == out->size()
                 : list.kind() == c10::prim::ListConstruct && list.inputs().size() == out->size();
  }

  // The sizes of a reshape with `length` in one place.
  Value* resized(Value* sizes, std::size_t place, std::int64_t length) {
    if (const auto whole = toIValue(sizes)) {
      std::vector<std::int64_t> list = whole->toIntVector();
      list[place] = length;
      return graph_.insertConstant(list);
    }
    const auto given = sizes->node()->inputs();
    std::vector<Value*> items(given.begin(), given.end());
    items[place] = graph_.insertConstant(length);
    return graph_.insertNode(graph_.createList(c10::IntType::get(), items))->output();
  }

  void rewrite(const Step& step) {
    Node* node = step.node;
    const Range& range = step.range;
    const torch::jit::WithInsertPoint here(node);
    if (step.inputs.empty()) {
      const auto narrow = narrow_.find(node->input(0));
      if (narrow == narrow_.end()) return;
      node->replaceInput(2, graph_.insertConstant(range.first - narrow->second.first));
      return;
    }
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      if (step.inputs[i].kind == Demand::Kind::range) {
        node->replaceInput(i, part_of(node->input(i), step.inputs[i].range));
      }
    }
    const std::int64_t length = range.last - range.first;
    if (is(*node, "aten::reshape") || is(*node, "aten::view")) {
      node->replaceInput(1, resized(node->input(1), static_cast<std::size_t>(range.dimension), length));
    }
    narrow_.emplace(node->output(), range);
    shapes_.at(node->output()).sizes[static_cast<std::size_t>(range.dimension)] = length;
  }

  // The narrow value itself, or what is to be read of it.
  Value* part_of(Value* value, Range range) {
    if (const auto narrow = narrow_.find(value); narrow != narrow_.end()) {
      if (narrow->second == range) return value;
      range.first -= narrow->second.first;
      range.last -= narrow->second.first;
    }
    Value* part = insert_operator(graph_, "aten::slice.Tensor",
                                  {value, range.dimension, range.first, range.last, std::int64_t{1}}, {})
                      .front();
    TensorShape shape = shapes_.at(value);
    shape.sizes[static_cast<std::size_t>(range.dimension)] = range.last - range.first;
    shape.contiguous = false;
    shapes_[part] = std::move(shape);
    return part;
  }

  Graph& graph_;
  Shapes& shapes_;
  std::unordered_map<const Value*, Demand> demands_;
  std::vector<Step> steps_;  // the last node's first
  std::unordered_map<const Value*, Range> narrow_;
};

}  // namespace

int narrow(const std::shared_ptr<Graph>& graph, Shapes& shapes) { return Narrower(*graph, shapes).run(); }

}  // namespace ptrun::jit
