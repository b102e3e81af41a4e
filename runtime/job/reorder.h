// Answers come in any order, rows leave in the order of their inputs.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>

#include "ptrun/prediction.h"

namespace ptrun::job {

// Any thread may put; one thread takes. Holds as many answers as the taker lets be in flight.
class Reorder {
 public:
  void put(std::size_t sequence, Outcome&& outcome);
  // How many answers have been put.
  std::size_t arrived();
  // The answer number `sequence`. Nothing when another one came first, so that there are more than `seen`, or none
  // within `timeout`.
  std::optional<Outcome> take(std::size_t sequence, std::size_t seen, std::chrono::milliseconds timeout);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::size_t, Outcome> waiting_;
  std::size_t arrived_ = 0;
};

}  // namespace ptrun::job
