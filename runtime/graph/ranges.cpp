#include "graph/ranges.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/ir/ir.h>

#include <functional>

#include "graph/histogram.h"
#include "graph/jit_api.h"
#include "graph/layer_nodes.h"
#include "graph/probe.h"

namespace ptrun::jit {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

namespace {

bool is_layer(const Node& node) {
  return is(node, "aten::conv2d") || is(node, "aten::_convolution") || is(node, "aten::linear");
}

bool feeds_layer(const Value& value) {
  const auto& uses = value.uses();
  return std::any_of(uses.begin(), uses.end(),
                     [](const torch::jit::Use& use) { return use.offset == 0 && is_layer(*use.user); });
}

// Bytes are given after the activation, never before.
bool needs_range(const Value& value) {
  const Node* user = only_user(&value);
  return user == nullptr || !activation(*user);
}

struct Statistics {
  std::string made_by;
  bool needed = false;
  bool feeds_layer = false;
  Histogram histogram;
  at::Tensor sums;  // of each channel, float64
  double count = 0;

  void add(const at::Tensor& tensor) {
    if (!needed || tensor.scalar_type() != at::kFloat || tensor.numel() == 0) return;
    // The order of values does not matter, so a copy is not needed where they lie together.
    const at::Tensor dense = tensor.is_non_overlapping_and_dense() ? tensor : tensor.contiguous();
    histogram.add(dense.const_data_ptr<float>(), static_cast<std::size_t>(dense.numel()));
    if (!feeds_layer || tensor.dim() < 2) return;
    const std::int64_t channel = tensor.dim() == 4 ? 1 : tensor.dim() - 1;
    std::vector<std::int64_t> others;
    for (std::int64_t i = 0; i < tensor.dim(); ++i) {
      if (i != channel) others.push_back(i);
    }
    const at::Tensor sum = tensor.sum(others, false, at::kDouble);
    sums = sums.defined() ? sums + sum : sum;
    count += static_cast<double>(tensor.numel()) / static_cast<double>(tensor.size(channel));
  }

  TensorRange range(float low, float high) const {
    TensorRange range{made_by, low, high, {}};
    if (histogram.empty()) {
      range.low = 1;
      range.high = 0;
    }
    if (!sums.defined() || count <= 0) return range;
    const at::Tensor means = (sums / count).to(at::kFloat).contiguous();
    range.means.assign(means.const_data_ptr<float>(), means.const_data_ptr<float>() + means.numel());
    return range;
  }
};

}  // namespace

std::vector<const Value*> numbered_tensors(const Graph& graph) {
  std::vector<const Value*> tensors;
  const auto take = [&](const Value* value) {
    if (value->type()->isSubtypeOf(*c10::TensorType::get())) tensors.push_back(value);
  };
  for (const Value* input : graph.inputs()) take(input);
  for (const Node* node : graph.nodes()) {
    if (node->kind() == c10::prim::Constant) continue;
    for (const Value* output : node->outputs()) take(output);
  }
  return tensors;
}

struct RangeObserver::Impl {
  std::vector<Statistics> statistics;
  std::unordered_map<const Value*, std::size_t> numbers;
  std::shared_ptr<Graph> graph;
  std::unique_ptr<Probes> probes;
  std::unique_ptr<Program> program;

  explicit Impl(std::shared_ptr<Graph> given) : graph(std::move(given)) {
    for (const Value* value : numbered_tensors(*graph)) {
      numbers[value] = statistics.size();
      statistics.emplace_back();
      const bool input = value->node()->kind() == c10::prim::Param;
      statistics.back().made_by = input ? "input" : value->node()->kind().toQualString();
      statistics.back().feeds_layer = feeds_layer(*value);
      statistics.back().needed = needs_range(*value);
    }
    probes = std::make_unique<Probes>(*graph, [this](const Value* value, const at::Tensor& tensor) {
      const auto found = numbers.find(value);
      if (found != numbers.end()) statistics[found->second].add(tensor);
    });
    program = std::make_unique<Program>(graph);
  }
};

RangeObserver::RangeObserver(std::shared_ptr<Graph> graph) : impl_(std::make_unique<Impl>(std::move(graph))) {}
RangeObserver::~RangeObserver() = default;

void RangeObserver::add(std::vector<c10::IValue> inputs) { impl_->program->run(std::move(inputs)); }

Ranges RangeObserver::extremes() const {
  Ranges ranges;
  for (const Statistics& seen : impl_->statistics) {
    ranges.push_back(seen.range(seen.histogram.minimum(), seen.histogram.maximum()));
  }
  return ranges;
}

Ranges RangeObserver::percentiles(double outside) const {
  Ranges ranges;
  for (const Statistics& seen : impl_->statistics) {
    ranges.push_back(seen.range(seen.histogram.quantile(outside), seen.histogram.quantile(1 - outside)));
  }
  return ranges;
}

}  // namespace ptrun::jit
