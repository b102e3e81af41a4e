// "cpu_packed": the folded graph with its convolutions and linear layers as oneDNN operators with packed weights.
#include <ATen/core/ivalue.h>
#include <c10/core/InferenceMode.h>

#include "executor/folded.h"
#include "graph/pack.h"

namespace ptrun {
namespace {

std::unique_ptr<Plan> make(const Module& module, const PlanRequest& request, c10::ScalarType type) {
  const c10::InferenceMode guard;
  Folded folded = folded_copy(module, request, type);
  if (jit::pack(folded.graph, std::move(folded.shapes)) == 0) return nullptr;
  return channels_last_plan(folded, folded.graph, {type, type});
}

}  // namespace

std::unique_ptr<Plan> make_packed_plan(const Module& module, const PlanRequest& request) {
  return make(module, request, c10::kFloat);
}
std::unique_ptr<Plan> make_packed_bf16_plan(const Module& module, const PlanRequest& request) {
  return make(module, request, c10::kBFloat16);
}

}  // namespace ptrun
