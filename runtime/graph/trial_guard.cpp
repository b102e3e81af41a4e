#include "graph/trial_guard.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <ctime>
#include <stdexcept>

namespace ptrun::jit {
namespace {

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// LibTorch's allocator tells whoever profiles this thread of each block, after malloc and before anybody writes into
// it. Pages that nobody wrote into take no memory.
class Watcher final : public c10::MemoryReportingInfoBase {
 public:
  explicit Watcher(const TrialLimits& limits) : limits_(limits), start_(thread_seconds()) {}

  void reportMemoryUsage(void* block, std::int64_t bytes, std::size_t /*allocated*/, std::size_t /*reserved*/,
                         c10::Device device) override {
    if (!device.is_cpu()) return;
    live_ += bytes;
    if (bytes <= 0) return;
    too_large_ = too_large_ || live_ > static_cast<std::int64_t>(limits_.bytes);
    too_long_ = too_long_ || thread_seconds() - start_ > limits_.seconds;
    if (!too_large_ && !too_long_) return;
    // The allocator does not hand out a block while it throws: it is ours to give back.
    c10::profiledCPUMemoryReporter().Delete(block);
    c10::free_cpu(block);
    throw std::runtime_error("the trial run met a limit");
  }
  bool memoryProfilingEnabled() const override { return true; }

  bool too_large() const { return too_large_; }
  bool too_long() const { return too_long_; }

 private:
  TrialLimits limits_;
  double start_;
  std::int64_t live_ = 0;
  bool too_large_ = false;
  bool too_long_ = false;
};

}  // namespace

struct TrialGuard::Impl {
  explicit Impl(const TrialLimits& limits)
      : watcher(std::make_shared<Watcher>(limits)), guard(c10::DebugInfoKind::PROFILER_STATE, watcher) {}
  std::shared_ptr<Watcher> watcher;
  c10::DebugInfoGuard guard;
};

TrialGuard::TrialGuard(const TrialLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
TrialGuard::~TrialGuard() = default;

bool TrialGuard::too_large() const noexcept { return impl_->watcher->too_large(); }
bool TrialGuard::too_long() const noexcept { return impl_->watcher->too_long(); }

}  // namespace ptrun::jit
