#include "job/reorder.h"

#include <utility>

namespace ptrun::job {

void Reorder::put(std::size_t sequence, Outcome&& outcome) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.emplace(sequence, std::move(outcome));
    ++arrived_;
  }
  changed_.notify_one();
}

std::size_t Reorder::arrived() {
  const std::lock_guard lock(mutex_);
  return arrived_;
}

std::optional<Outcome> Reorder::take(std::size_t sequence, std::size_t seen, std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout, [&] { return waiting_.count(sequence) != 0 || arrived_ != seen; });
  const auto found = waiting_.find(sequence);
  if (found == waiting_.end()) return std::nullopt;
  std::optional<Outcome> outcome(std::move(found->second));
  waiting_.erase(found);
  return outcome;
}

}  // namespace ptrun::job
