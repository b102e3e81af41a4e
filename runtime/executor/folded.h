// What the CPU plans on trial have in common: the folded graph, its shapes, and how the result runs.
#pragma once

#include <ATen/core/ivalue.h>
#include <c10/core/ScalarType.h>

#include <memory>
#include <vector>

#include "executor/plan.h"
#include "graph/module.h"
#include "graph/record_shapes.h"

namespace ptrun {

struct Folded {
  std::shared_ptr<torch::jit::Graph> graph;  // normal, batch norms folded, window arguments complete
  jit::Shapes shapes;                        // of its values, for the example
  std::shared_ptr<const void> owner;         // what the nodes point to
};

// From the module's graph, which stays as it is; with `one_shape` right for the shapes of `example` only. Runs it once
// or twice on `example`. Throws what LibTorch throws.
Folded fold_for(const GraphModule& module, const std::vector<c10::IValue>& example, bool one_shape);

// The request's, or made now; a copy of its own with every float32 constant in `type`.
Folded folded_copy(const Module& module, const PlanRequest& request, c10::ScalarType type);

// Brings its float32 constants, and what is noted of its values, into `type`.
void cast(Folded& folded, c10::ScalarType type);

// The example of `request` as the plan will get it.
std::vector<c10::IValue> channels_last(std::vector<c10::IValue> inputs, c10::ScalarType type);

// Element types of a plan's floating numbers.
struct NumberTypes {
  c10::ScalarType inputs;   // what the graph takes
  c10::ScalarType between;  // what it calculates with
};

// Runs `graph` on inputs whose channels lie side by side, floating ones in `types.inputs`; results are float32 where
// they are of `types.between`, and contiguous.
// With `only`, inputs of other sizes than these throw before the graph sees them.
std::unique_ptr<Plan> channels_last_plan(const Folded& folded, const std::shared_ptr<torch::jit::Graph>& graph,
                                         const NumberTypes& types, const std::vector<c10::IValue>& only = {});

}  // namespace ptrun
