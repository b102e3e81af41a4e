// "native": the compiled code of an AOTInductor package.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "executor/plan.h"

namespace ptrun {
namespace {

class NativePlan : public Plan {
 public:
  explicit NativePlan(const NativeModule& module) : program_(module.program) {}

  c10::IValue run(std::vector<c10::IValue> inputs) const override {
    const c10::InferenceMode guard;
    std::vector<at::Tensor> tensors;
    for (const c10::IValue& input : inputs) tensors.push_back(input.toTensor());
    std::vector<at::Tensor> outputs = program_->run(std::move(tensors));
    if (outputs.size() == 1) return outputs[0];
    std::vector<c10::IValue> elements(outputs.begin(), outputs.end());
    return c10::ivalue::Tuple::create(std::move(elements));
  }

 private:
  std::shared_ptr<const NativeProgram> program_;
};

}  // namespace

bool accepts_native(const Module& module) { return std::holds_alternative<NativeModule>(module); }

std::unique_ptr<Plan> make_native_plan(const Module& module, const PlanRequest& /*request*/) {
  return std::make_unique<NativePlan>(std::get<NativeModule>(module));
}

}  // namespace ptrun
