// "plain": the graph as it is through LibTorch's interpreter, operator by operator. Always works; every other plan is
// checked against it.
#include <c10/core/InferenceMode.h>

#include "executor/plan.h"
#include "graph/jit_api.h"

namespace ptrun {
namespace {

class PlainPlan : public Plan {
 public:
  explicit PlainPlan(const GraphModule& module) : program_(module.graph) {}

  c10::IValue run(std::vector<c10::IValue> inputs) const override {
    const c10::InferenceMode guard;
    return program_.run(std::move(inputs));
  }

 private:
  jit::Program program_;
};

}  // namespace

bool accepts_graph(const Module& module) { return std::holds_alternative<GraphModule>(module); }

std::unique_ptr<Plan> make_plain_plan(const Module& module, const PlanRequest& /*request*/) {
  return std::make_unique<PlainPlan>(std::get<GraphModule>(module));
}

}  // namespace ptrun
