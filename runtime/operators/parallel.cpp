#include "operators/parallel.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>

// Of the OpenMP library that LibTorch brings (libgomp; LLVM's has the same entry). Weak: a LibTorch built without
// OpenMP has none, and loops run on the calling thread.
extern "C" {
__attribute__((weak)) void GOMP_parallel(void (*body)(void*), void* data, unsigned threads, unsigned flags);
__attribute__((weak)) int omp_get_thread_num();
__attribute__((weak)) int omp_get_num_threads();
}

namespace ptrun {
namespace {

using Clock = std::chrono::steady_clock;

// A thread that waits awake comes within 1 us, one that sleeps after 15 to 50.
constexpr std::chrono::microseconds kLate{5};

// How the other threads of the calling one did in its last loops: 0 (well) to 3. A thread that comes late sleeps; one
// that ends late shares its CPU with another program. Once is chance, or the first call after a rest.
constexpr int kMostLate = 3;
constexpr int kAsleep = 2;
thread_local int lateness = 0;

// So many loops later threads that were late are tried again.
constexpr int kTriedAgain = 256;
thread_local int untried = 0;

struct Loop {
  std::int64_t begin, end, grain;
  const std::function<void(std::int64_t, std::int64_t)>& body;
  const Clock::time_point start = Clock::now();
  Clock::time_point own_end = start;  // of the calling thread's part
  std::atomic_flag late = ATOMIC_FLAG_INIT;
  std::atomic_flag failed = ATOMIC_FLAG_INIT;
  std::exception_ptr error = nullptr;
};

void run_part(void* data) {
  auto& loop = *static_cast<Loop*>(data);
  // Fewer threads than asked for may have come.
  const std::int64_t threads = omp_get_num_threads();
  const std::int64_t share = std::max((loop.end - loop.begin + threads - 1) / threads, loop.grain);
  const int index = omp_get_thread_num();
  if (index > 0 && Clock::now() - loop.start > kLate) loop.late.test_and_set();
  const std::int64_t first = loop.begin + index * share;
  if (first >= loop.end) return;
  try {
    const at::internal::ThreadIdGuard guard(index);
    loop.body(first, std::min(first + share, loop.end));
  } catch (...) {
    if (!loop.failed.test_and_set()) loop.error = std::current_exception();
  }
  if (index == 0) loop.own_end = Clock::now();
}

// Whether the others took more than twice as long as the calling thread.
bool ended_late(const Loop& loop) {
  const auto waited = Clock::now() - loop.own_end;
  return waited > 4 * kLate && waited > loop.own_end - loop.start;
}

}  // namespace

void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain,
                  const std::function<void(std::int64_t, std::int64_t)>& body) {
  if (begin >= end) return;
  const std::int64_t parts = (end - begin + std::max<std::int64_t>(grain, 1) - 1) / std::max<std::int64_t>(grain, 1);
  const std::int64_t threads = at::get_num_threads();
  const bool available = GOMP_parallel != nullptr && omp_get_thread_num != nullptr && omp_get_num_threads != nullptr;
  if (threads <= 1 || parts <= 1 || !available || at::in_parallel_region()) {
    body(begin, end);
    return;
  }
  Loop loop{begin, end, std::max<std::int64_t>(grain, 1), body};
  // All of them, also for fewer parts: libgomp ends the threads that a team leaves out, and starts them anew later.
  GOMP_parallel(run_part, &loop, static_cast<unsigned>(threads), 0);
  const bool late = loop.late.test() || ended_late(loop);
  lateness = late ? std::min(lateness + 1, kMostLate) : std::max(lateness - 1, 0);
  untried = 0;
  if (loop.error) std::rethrow_exception(loop.error);
}

bool threads_are_awake() {
  if (lateness < kAsleep) return true;
  if (++untried < kTriedAgain) return false;
  untried = 0;
  return true;
}

}  // namespace ptrun
