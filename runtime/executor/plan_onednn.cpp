// "cpu_onednn": the folded graph compiled by the oneDNN Graph fuser for one input shape.
#include <ATen/core/ivalue.h>
#include <c10/core/InferenceMode.h>

#include "executor/folded.h"
#include "graph/drop_guards.h"
#include "graph/onednn_graph.h"

namespace ptrun {
namespace {

std::unique_ptr<Plan> make(const Module& module, const PlanRequest& request, c10::ScalarType type) {
  if (request.any_batch) return nullptr;  // another one would run unfused
  const c10::InferenceMode guard;
  const Folded folded = folded_copy(module, request, type);
  if (!jit::may_fuse(*folded.graph, folded.shapes)) return nullptr;
  const auto fused = jit::fuse(folded.graph, channels_last(request.example, type));
  const bool one_shape = jit::drop_guards(fused);
  return channels_last_plan(folded, fused, {type, type}, one_shape ? request.example : std::vector<c10::IValue>());
}

}  // namespace

std::unique_ptr<Plan> make_onednn_plan(const Module& module, const PlanRequest& request) {
  return make(module, request, c10::kFloat);
}
std::unique_ptr<Plan> make_onednn_bf16_plan(const Module& module, const PlanRequest& request) {
  return make(module, request, c10::kBFloat16);
}

}  // namespace ptrun
