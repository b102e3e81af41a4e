#include "executor/folded.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>

#include "executor/batch.h"
#include "graph/cast.h"
#include "graph/jit_api.h"
#include "graph/narrow.h"
#include "graph/onednn_graph.h"
#include "graph/specialise.h"

namespace ptrun {
namespace {

class ChannelsLastPlan : public Plan {
 public:
  ChannelsLastPlan(const Folded& folded, const std::shared_ptr<torch::jit::Graph>& graph, const NumberTypes& types,
                   const std::vector<c10::IValue>& only)
      : owner_(folded.owner), types_(types), program_(graph) {
    for (const c10::IValue& input : only) {
      only_.push_back(input.toTensor().sizes().vec());
      only_types_.push_back(input.toTensor().scalar_type());
    }
  }

  c10::IValue run(std::vector<c10::IValue> inputs) const override {
    const c10::InferenceMode guard;
    for (std::size_t i = 0; i < only_.size(); ++i) {
      TORCH_CHECK(inputs.size() == only_.size() && inputs[i].isTensor() && inputs[i].toTensor().sizes() == only_[i] &&
                      inputs[i].toTensor().scalar_type() == only_types_[i],
                  "the plan was made for inputs of another shape or type");
    }
    return map_tensors(program_.run(channels_last(std::move(inputs), types_.inputs)), [this](const at::Tensor& tensor) {
      if (!tensor.defined()) return tensor;
      const bool cast = types_.between != at::kFloat && tensor.scalar_type() == types_.between;
      return (cast ? tensor.to(at::kFloat) : tensor).contiguous();
    });
  }

 private:
  std::shared_ptr<const void> owner_;
  NumberTypes types_;
  std::vector<std::vector<std::int64_t>> only_;
  std::vector<c10::ScalarType> only_types_;
  jit::Program program_;
};

}  // namespace

Folded fold_for(const GraphModule& module, const std::vector<c10::IValue>& example, bool one_shape) {
  const c10::InferenceMode guard;
  Folded folded{module.graph->copy(), {}, module.owner};
  jit::normalise(folded.graph);
  const auto nodes = folded.graph->nodes();
  const bool branches =
      std::any_of(nodes.begin(), nodes.end(), [](const auto* node) { return !node->blocks().empty(); });
  if (one_shape && branches) {
    jit::record_shapes(folded.graph, example, folded.shapes);
    jit::specialise(folded.graph, folded.shapes);
    folded.shapes.clear();
  }
  jit::fold(folded.graph);
  jit::complete_windows(folded.graph);
  jit::record_shapes(folded.graph, example, folded.shapes);
  jit::narrow(folded.graph, folded.shapes);
  return folded;
}

Folded folded_copy(const Module& module, const PlanRequest& request, c10::ScalarType type) {
  const std::shared_ptr<const Folded> base =
      request.folded ? request.folded
                     : std::make_shared<const Folded>(
                           fold_for(std::get<GraphModule>(module), request.example, !request.any_batch));
  const c10::InferenceMode guard;
  Folded copy{base->graph->copy(), {}, base->owner};
  copy.shapes = jit::shapes_of_copy(*base->graph, base->shapes, *copy.graph);
  cast(copy, type);
  return copy;
}

void cast(Folded& folded, c10::ScalarType type) {
  if (type == at::kFloat) return;
  jit::cast(folded.graph, type);
  for (auto& [value, shape] : folded.shapes) {
    if (shape.type == at::kFloat) shape.type = type;
  }
}

std::vector<c10::IValue> channels_last(std::vector<c10::IValue> inputs, c10::ScalarType type) {
  for (c10::IValue& input : inputs) {
    if (!input.isTensor() || !input.toTensor().defined()) continue;
    at::Tensor tensor = input.toTensor();
    if (tensor.is_floating_point()) tensor = tensor.to(type);
    // The order of the input passes from layer to layer.
    input = tensor.dim() == 4 ? tensor.contiguous(at::MemoryFormat::ChannelsLast) : tensor;
  }
  return inputs;
}

std::unique_ptr<Plan> channels_last_plan(const Folded& folded, const std::shared_ptr<torch::jit::Graph>& graph,
                                         const NumberTypes& types, const std::vector<c10::IValue>& only) {
  return std::make_unique<ChannelsLastPlan>(folded, graph, types, only);
}

}  // namespace ptrun
