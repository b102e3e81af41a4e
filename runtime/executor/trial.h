// Which of the plans on trial serves a job: decided once, before the job's first row.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "executor/plan.h"

namespace ptrun {

// Processor time of the calling thread: other programs on the machine do not count.
double processor_seconds();

struct Trial {
  static constexpr double kAnyTime = 1e300;
  const Model& model;
  const PlanKind& reference_kind;
  const Plan& reference;
  std::vector<const PlanKind*> kinds;  // on trial, most promising first
  PlanRequest request;
  LogCallback log;
  // Shares of the reference's time: what a plan may take to be chosen, and what makes further ones not worth trying.
  // Measured times vary by a few hundredths. Plans take 0.3 to 0.7, of networks that are products of large matrices up
  // to 0.9.
  double limit = 0.95;
  double enough = 0.7;
  double leeway = 1;                           // factor on tolerance()
  double agreement = kAnyTime;                 // a bound for every kind beside tolerance()
  const std::atomic<bool>* stopped = nullptr;  // once true, nothing more is tried
  double (*seconds)() = processor_seconds;     // what times are measured with
};

struct Winner {
  const PlanKind* kind = nullptr;  // null: the reference
  std::unique_ptr<Plan> plan;
};

// Takes the first kind that gives the reference's numbers in less processor time on the example, and a later
// one only where the first saves little and it beats that by far: the order decides between equals, not chance, so that
// the same job gets the same plan. What disagrees, throws or is slower is dropped with a line to the log. Never throws
// for a plan's failure.
Winner choose(Trial trial);

// One warning that says what share of `used`'s time the best of trial.kinds takes, when it saves a fifth or more.
void tell_gain(Trial trial, const Plan& used);

// How far results of a precision may be from plain's, as a share of the range of its numbers.
double tolerance(Precision precision);

// Whether this processor multiplies bfloat16 numbers itself (AVX512_BF16; every processor with AMX has that too).
bool has_bf16();
// Whether it multiplies and adds bytes four at a time (AVX512_VNNI).
bool has_int8();

// The largest difference between the numbers of two results, as a share of the range of `expected`'s numbers; infinite
// when the trees, shapes or types differ, or one has a NaN where the other has none.
double difference(const c10::IValue& expected, const c10::IValue& found);

// An image-like batch: smooth waves and noise with mean 0 and deviation 1; the same values on every call.
at::Tensor example_batch(const std::vector<std::int64_t>& sizes);

}  // namespace ptrun
