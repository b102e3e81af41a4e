#pragma once

#include <atomic>
#include <memory>

namespace ptrun {

// Calls off work that was given a copy of it: copies share one state, any thread may call any method. It cannot be
// taken back; new work gets a new one.
class Cancellation {
 public:
  Cancellation() : flag_(std::make_shared<std::atomic<bool>>(false)) {}

  void cancel() const noexcept { flag_->store(true, std::memory_order_relaxed); }     // Calls the work off.
  bool cancelled() const noexcept { return flag_->load(std::memory_order_relaxed); }  // True once it was called off.

 private:
  std::shared_ptr<std::atomic<bool>> flag_;
};

}  // namespace ptrun
