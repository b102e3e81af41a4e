// One worker: reads, decodes and preprocesses images into its own batch, runs the model, answers.
#pragma once

#include <memory>
#include <mutex>

#include "predictor/queue.h"
#include "ptrun/predictor.h"

namespace ptrun {

class Executor;
class TaskHead;

// What all workers of a predictor share; immutable but for the queue and the times.
struct WorkerShared {
  const Model& model;
  const PredictOptions& options;
  const Executor& executor;
  const TaskHead& head;
  RequestQueue& queue;
  int threads_per_worker;
  std::mutex times_mutex;
  StageTimes times;
};

// Body of a worker thread; returns when the queue is closed and empty. Everything that goes wrong with an image or the
// model is that image's Failure.
void run_worker(WorkerShared& shared);

}  // namespace ptrun
