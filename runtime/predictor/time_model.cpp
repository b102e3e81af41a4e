#include "predictor/time_model.h"

#include <ATen/ATen.h>
#include <ATen/core/ivalue.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <exception>
#include <system_error>
#include <thread>
#include <vector>

#include "core/apart.h"
#include "core/signals.h"
#include "executor/openmp.h"
#include "executor/trial.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

struct WorkerTimes {
  std::vector<double> seconds;
  Clock::time_point begin;
  Clock::time_point end;
  std::exception_ptr failure;
};

// The same made-up images for every worker.
class Calls {
 public:
  explicit Calls(const TimeModelRequest& request) : request_(request) {
    const Preset& preset = request.model.preset().values;
    const bool list = request.model.signature().form == InputForm::list_chw;
    batch_ = example_batch({list ? 1 : request.executor.batch_size(), 3, preset.input_height, preset.input_width});
    if (list) images_.push_back(batch_[0]);
  }

  void one() const {
    if (images_.empty()) {
      request_.executor.run(batch_);
    } else {
      request_.executor.run_list(images_);
    }
  }

 private:
  const TimeModelRequest& request_;
  at::Tensor batch_;
  std::vector<at::Tensor> images_;
};

void work(const TimeModelRequest& request, const Calls& calls, std::barrier<>& together, WorkerTimes& times) {
  leave_signals_to_the_host();
  set_own_openmp_threads(request.threads_per_worker);
  const c10::InferenceMode inference;
  try {
    for (int i = 0; i < request.warm_up; ++i) calls.one();
  } catch (...) {
    times.failure = std::current_exception();
  }
  // Also after a failure: the others wait here.
  together.arrive_and_wait();
  if (times.failure) return;
  try {
    times.begin = times.end = Clock::now();
    for (int i = 0; i < request.calls; ++i) {
      calls.one();
      const Clock::time_point now = Clock::now();
      times.seconds.push_back(seconds_between(times.end, now));
      times.end = now;
    }
  } catch (...) {
    times.failure = std::current_exception();
  }
}

}  // namespace

ModelTimes time_model(const TimeModelRequest& request) {
  // Otherwise the calling thread would have a pool beside the workers'.
  const Calls calls = apart([&] { return Calls(request); });
  std::vector<WorkerTimes> times(static_cast<std::size_t>(request.workers));
  for (WorkerTimes& worker : times) worker.seconds.reserve(static_cast<std::size_t>(request.calls));
  std::barrier together(request.workers);
  std::vector<std::thread> threads;
  threads.reserve(times.size());
  for (WorkerTimes& worker : times) {
    try {
      threads.emplace_back(work, std::cref(request), std::cref(calls), std::ref(together), std::ref(worker));
    } catch (const std::system_error&) {
      // Those that run wait for one that will never come.
      together.arrive_and_drop();
      worker.failure = std::make_exception_ptr(
          Error(ErrorCode::limit_exceeded, "workers", "a thread could not be started; use fewer workers"));
    }
  }
  for (std::thread& thread : threads) thread.join();
  ModelTimes result;
  Clock::time_point begin = Clock::time_point::max();
  Clock::time_point end = Clock::time_point::min();
  for (const WorkerTimes& worker : times) {
    if (worker.failure) std::rethrow_exception(worker.failure);
    result.calls.insert(result.calls.end(), worker.seconds.begin(), worker.seconds.end());
    begin = std::min(begin, worker.begin);
    end = std::max(end, worker.end);
  }
  const bool list = request.model.signature().form == InputForm::list_chw;
  result.images = result.calls.size() * static_cast<std::size_t>(list ? 1 : request.executor.batch_size());
  result.seconds = seconds_between(begin, end);
  return result;
}

}  // namespace ptrun
