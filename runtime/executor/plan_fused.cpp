// "cpu_fused": the folded graph with its 1x1 and depthwise convolutions, in float32 most 3x3 ones of stride 1, and its
// linear layers as our own operators, its other convolutions as oneDNN operators with packed weights. "cpu_mixed":
// float32, but products of 16-bit integers, or of parts with 16 binary digits and of integers of two digits.
#include <ATen/core/ivalue.h>
#include <c10/core/InferenceMode.h>

#include "executor/folded.h"
#include "graph/own_operators.h"
#include "graph/pack.h"
#include "kernels/kernels.h"
#include "operators/fused.h"

namespace ptrun {
namespace {

std::unique_ptr<Plan> make(const Module& module, const PlanRequest& request, c10::ScalarType type,
                           jit::Products products = jit::Products::usual) {
  const c10::InferenceMode guard;
  register_fused_operators();
  Folded folded = folded_copy(module, request, c10::kFloat);
  const int own = jit::use_own_operators(folded.graph, folded.shapes, type, products);
  const int winograd = jit::count_winograd(*folded.graph);
  const int own_dense = jit::count_dense(*folded.graph);
  if (own == 0) return nullptr;
  cast(folded, type);
  const int others = jit::pack(folded.graph, std::move(folded.shapes));
  // oneDNN's graph compiler runs networks of dense convolutions faster, unless some of them take fewer multiplications
  // here (Inception v3, with one in five, gains a quarter). In bfloat16 that holds for those of our own, too (ResNet-50
  // by AMX: 40 ms for 4 images, 48 here).
  const int dense = others + (type == c10::kBFloat16 ? own_dense : 0);
  if (products == jit::Products::usual && dense > 5 && dense > (own + others - dense) / 4 && dense > 8 * winograd) {
    return nullptr;
  }
  return channels_last_plan(folded, folded.graph, {type, type});
}

}  // namespace

std::unique_ptr<Plan> make_fused_plan(const Module& module, const PlanRequest& request) {
  return make(module, request, c10::kFloat);
}
std::unique_ptr<Plan> make_fused_bf16_plan(const Module& module, const PlanRequest& request) {
  return make(module, request, c10::kBFloat16);
}

std::unique_ptr<Plan> make_mixed_plan(const Module& module, const PlanRequest& request) {
  if (kernels::best_loops(kernels::Element::float32)->coarse != nullptr) {
    return make(module, request, c10::kFloat, jit::Products::coarse);
  }
  // Without instructions for it, float32 is faster.
  if (kernels::best_loops(kernels::Element::int16) == kernels::sets().back().int16) return nullptr;
  return make(module, request, c10::kFloat, jit::Products::integers);
}

}  // namespace ptrun
