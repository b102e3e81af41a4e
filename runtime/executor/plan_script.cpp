// "script": a TorchScript module with its own objects and functions through LibTorch's interpreter. Its forward graph
// is inlined once and compiled by us: no profiling runs, so the second call costs what the first does.
#include <c10/core/InferenceMode.h>

#include <mutex>

#include "executor/plan.h"
#include "graph/jit_api.h"

namespace ptrun {
namespace {

class ScriptPlan : public Plan {
 public:
  explicit ScriptPlan(const ScriptModule& module) : program_(*module.module) {}

  c10::IValue run(std::vector<c10::IValue> inputs) const override {
    const c10::InferenceMode guard;
    // Only modules that change their own attributes stay scripts: two calls at once would race on those.
    const std::lock_guard lock(mutex_);
    return program_.run(std::move(inputs));
  }

 private:
  jit::Program program_;
  mutable std::mutex mutex_;
};

}  // namespace

bool accepts_script(const Module& module) { return std::holds_alternative<ScriptModule>(module); }

std::unique_ptr<Plan> make_script_plan(const Module& module, const PlanRequest& /*request*/) {
  return std::make_unique<ScriptPlan>(std::get<ScriptModule>(module));
}

}  // namespace ptrun
