#include "job/reorder.h"

#include <utility>

namespace ptrun::job {

void Reorder::put(std::size_t sequence, Outcome&& outcome) {
  bool wanted = false;
  {
    const std::lock_guard lock(mutex_);
    waiting_.emplace(sequence, std::move(outcome));
    wanted = sequence == wanted_;
  }
  // Only the row to be written next is worth waking the writer.
  if (wanted) arrived_.notify_one();
}

std::optional<Outcome> Reorder::take(std::size_t sequence, std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  wanted_ = sequence;
  arrived_.wait_for(lock, timeout, [&] { return waiting_.count(sequence) != 0; });
  const auto found = waiting_.find(sequence);
  if (found == waiting_.end()) return std::nullopt;
  std::optional<Outcome> outcome(std::move(found->second));
  waiting_.erase(found);
  return outcome;
}

}  // namespace ptrun::job
