#include "predictor/queue.h"

#include <utility>

namespace ptrun {

Outcome cancelled_outcome() {
  Outcome outcome;
  outcome.failure = {Stage::read, "cancelled before it was started"};
  outcome.cancelled = true;
  return outcome;
}

bool RequestQueue::push(Request& request) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [&] { return closed_ || requests_.size() < capacity_; });
  if (closed_) return false;
  requests_.push_back(std::move(request));
  lock.unlock();
  work_.notify_one();
  return true;
}

std::optional<Request> RequestQueue::pop() {
  std::unique_lock lock(mutex_);
  work_.wait(lock, [&] { return closed_ || !requests_.empty(); });
  return take(lock);
}

std::optional<Request> RequestQueue::try_pop() {
  std::unique_lock lock(mutex_);
  return take(lock);
}

std::optional<Request> RequestQueue::take(std::unique_lock<std::mutex>& lock) {
  if (requests_.empty()) return std::nullopt;
  std::optional<Request> request(std::move(requests_.front()));
  requests_.pop_front();
  lock.unlock();
  room_.notify_one();
  return request;
}

std::deque<Request> RequestQueue::take_all() {
  std::deque<Request> all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(requests_);
  }
  room_.notify_all();
  return all;
}

void RequestQueue::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  room_.notify_all();
  work_.notify_all();
}

}  // namespace ptrun
