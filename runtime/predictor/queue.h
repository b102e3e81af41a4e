// Bounded queue of work: submitters wait for room, workers wait for work.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>

#include "ptrun/predictor.h"

namespace ptrun {

struct Request {
  Input input;
  Predictor::Callback done;
  std::optional<Cancellation> cancellation;
};

// The answer of what was cancelled before a worker took it.
Outcome cancelled_outcome();

// Any thread may call any method.
class RequestQueue {
 public:
  explicit RequestQueue(std::size_t capacity) : capacity_(capacity) {}

  // Waits for room; false when the queue was closed, and `request` is untouched.
  bool push(Request& request);
  // The oldest request; waits for one, nothing once the queue is closed and empty.
  std::optional<Request> pop();
  // The oldest request, or nothing when there is none now.
  std::optional<Request> try_pop();
  // Everything that no worker has taken.
  std::deque<Request> take_all();
  // No request enters any more.
  void close();

 private:
  std::optional<Request> take(std::unique_lock<std::mutex>& lock);

  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::condition_variable work_;
  std::deque<Request> requests_;
  bool closed_ = false;
};

}  // namespace ptrun
