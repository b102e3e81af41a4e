#include "operators/parallel.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
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

struct Loop {
  std::int64_t begin, end, grain;
  const std::function<void(std::int64_t, std::int64_t)>& body;
  std::atomic_flag failed = ATOMIC_FLAG_INIT;
  std::exception_ptr error;
};

void run_part(void* data) {
  auto& loop = *static_cast<Loop*>(data);
  // Fewer threads than asked for may have come.
  const std::int64_t threads = omp_get_num_threads();
  const std::int64_t share = std::max((loop.end - loop.begin + threads - 1) / threads, loop.grain);
  const int index = omp_get_thread_num();
  const std::int64_t first = loop.begin + index * share;
  if (first >= loop.end) return;
  try {
    const at::internal::ThreadIdGuard guard(index);
    loop.body(first, std::min(first + share, loop.end));
  } catch (...) {
    if (!loop.failed.test_and_set()) loop.error = std::current_exception();
  }
}

}  // namespace

void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain,
                  const std::function<void(std::int64_t, std::int64_t)>& body) {
  if (begin >= end) return;
  const std::int64_t parts = (end - begin + std::max<std::int64_t>(grain, 1) - 1) / std::max<std::int64_t>(grain, 1);
  const std::int64_t threads = std::min<std::int64_t>(at::get_num_threads(), parts);
  const bool available = GOMP_parallel != nullptr && omp_get_thread_num != nullptr && omp_get_num_threads != nullptr;
  if (threads <= 1 || !available || at::in_parallel_region()) {
    body(begin, end);
    return;
  }
  Loop loop{begin, end, std::max<std::int64_t>(grain, 1), body, ATOMIC_FLAG_INIT, nullptr};
  GOMP_parallel(run_part, &loop, static_cast<unsigned>(threads), 0);
  if (loop.error) std::rethrow_exception(loop.error);
}

}  // namespace ptrun
