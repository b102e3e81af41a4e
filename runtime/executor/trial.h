// Which of the plans on trial serves a job: decided once, before the job's first row.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "executor/plan.h"

namespace ptrun {

struct Trial {
  const Model& model;
  const PlanKind& reference_kind;
  const Plan& reference;
  std::vector<const PlanKind*> kinds;  // on trial, most promising first
  PlanRequest request;
  LogCallback log;
};

struct Winner {
  const PlanKind* kind = nullptr;  // null: the reference
  std::unique_ptr<Plan> plan;
};

// Makes each kind, compares its numbers and its processor time on the example with the reference and keeps the fastest.
// What disagrees, throws or is slower is dropped with a line to the log. Never throws for a plan's failure.
Winner choose(const Trial& trial);

// The largest difference between the numbers of two results, as a share of the range of `expected`'s numbers; infinite
// when the trees, shapes or types differ, or one has a NaN where the other has none.
double difference(const c10::IValue& expected, const c10::IValue& found);

// An image-like batch: smooth waves and noise with mean 0 and deviation 1; the same values on every call.
at::Tensor example_batch(const std::vector<std::int64_t>& sizes);

}  // namespace ptrun
