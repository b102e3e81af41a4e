// The model alone, as workers would run it.
#pragma once

#include "executor/executor.h"
#include "ptrun/predictor.h"

namespace ptrun {

struct TimeModelRequest {
  const Model& model;
  const Executor& executor;
  int workers = 1;
  int threads_per_worker = 1;
  int warm_up = 0;  // calls of each worker that are not counted
  int calls = 1;    // of each worker that are
};

// Starts a thread for each worker; all of them begin to count together. Throws what Executor::run throws.
ModelTimes time_model(const TimeModelRequest& request);

}  // namespace ptrun
