// The plan of --precision auto alone.
#pragma once

#include <memory>

#include "executor/plan.h"

namespace ptrun {

// Null where the processor multiplies 16-bit integers no faster than floats.
std::unique_ptr<Plan> make_mixed_plan(const Module& module, const PlanRequest& request);

}  // namespace ptrun
