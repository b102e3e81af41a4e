// "cpu_onednn": the graph folded and compiled by the oneDNN Graph fuser for one input shape.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/ir/ir.h>

#include "executor/plan.h"
#include "graph/jit_api.h"
#include "graph/onednn_graph.h"

namespace ptrun {
namespace {

class OnednnPlan : public Plan {
 public:
  OnednnPlan(const std::shared_ptr<torch::jit::Graph>& graph, std::shared_ptr<const void> owner)
      : owner_(std::move(owner)), program_(graph) {}

  c10::IValue run(std::vector<c10::IValue> inputs) const override {
    const c10::InferenceMode guard;
    for (c10::IValue& input : inputs) {
      // Convolutions are fastest with the channels of a pixel side by side; the order passes from layer to layer.
      if (input.isTensor() && input.toTensor().dim() == 4) {
        input = input.toTensor().contiguous(at::MemoryFormat::ChannelsLast);
      }
    }
    return program_.run(std::move(inputs));
  }

 private:
  std::shared_ptr<const void> owner_;
  jit::Program program_;
};

}  // namespace

std::unique_ptr<Plan> make_onednn_plan(const Module& module, const PlanRequest& request) {
  const auto& given = std::get<GraphModule>(module);
  const c10::InferenceMode guard;
  const std::shared_ptr<torch::jit::Graph> graph = given.graph->copy();
  jit::normalise(graph);
  jit::fold(graph);
  jit::complete_windows(graph);
  jit::Shapes shapes;
  jit::record_shapes(graph, request.example, shapes);
  if (!jit::may_fuse(*graph, shapes)) return nullptr;
  std::vector<c10::IValue> example;
  for (const c10::IValue& input : request.example) {
    example.emplace_back(input.toTensor().contiguous(at::MemoryFormat::ChannelsLast));
  }
  return std::make_unique<OnednnPlan>(jit::fuse(graph, std::move(example)), given.owner);
}

}  // namespace ptrun
