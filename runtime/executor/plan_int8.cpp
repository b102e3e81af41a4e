// "cpu_int8": the folded graph with its convolutions and linear layers on bytes, by the ranges that ptrun calibrate
// found; what stands between runs in bfloat16 or float32.
#include <ATen/core/ivalue.h>
#include <c10/core/InferenceMode.h>

#include "executor/folded.h"
#include "executor/trial.h"
#include "graph/pack.h"
#include "graph/quantise.h"
#include "loader/int8_ranges.h"
#include "operators/int8.h"

namespace ptrun {
namespace {

std::unique_ptr<Plan> make(const Module& module, const PlanRequest& request, c10::ScalarType type) {
  if (!request.ranges) return nullptr;
  const c10::InferenceMode guard;
  register_int8_operators();
  Folded folded = folded_copy(module, request, c10::kFloat);
  // Ranges number the tensors of a graph without the branches that one shape settles.
  if (jit::numbered_tensors(*folded.graph).size() != request.ranges->tensors.size()) return nullptr;
  if (jit::quantise(folded.graph, folded.shapes, request.ranges->tensors, type) == 0) return nullptr;
  jit::pack(folded.graph, folded.shapes);
  return channels_last_plan(folded, folded.graph, {c10::kFloat, type});
}

}  // namespace

std::unique_ptr<Plan> make_int8_plan(const Module& module, const PlanRequest& request) {
  return make(module, request, c10::kFloat);
}
std::unique_ptr<Plan> make_int8_bf16_plan(const Module& module, const PlanRequest& request) {
  return has_bf16() ? make(module, request, c10::kBFloat16) : nullptr;
}

}  // namespace ptrun
