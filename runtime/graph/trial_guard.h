// Bounds on what a graph out of a foreign file may take while it is tried.
#pragma once

#include <cstdint>
#include <memory>

namespace ptrun::jit {

struct TrialLimits {
  std::uint64_t bytes = 48ULL << 20U;  // of the tensors that live at one time
  double seconds = 60.0;               // of the calling thread's processor time
};

// While it lives, a tensor that the calling thread makes on the CPU beyond a limit is not made, its memory never
// touched, and the operator throws instead. One thread; two do not nest.
class TrialGuard {
 public:
  explicit TrialGuard(const TrialLimits& limits);
  ~TrialGuard();
  TrialGuard(const TrialGuard&) = delete;
  TrialGuard& operator=(const TrialGuard&) = delete;

  bool too_large() const noexcept;  // The limit of bytes was met.
  bool too_long() const noexcept;   // That of seconds was.

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ptrun::jit
