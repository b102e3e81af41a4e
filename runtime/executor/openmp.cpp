#include "executor/openmp.h"

#include <ATen/Parallel.h>

// Bound to the OpenMP library that LibTorch brings; linking one of our own would put a second pool and a second set of
// counts into the process. Weak: a LibTorch built without OpenMP has none.
extern "C" __attribute__((weak)) void omp_set_num_threads(int count);

namespace ptrun {

void set_own_openmp_threads(int count) {
  // The first LibTorch operator of a thread sets the thread's count; let that happen before ours. at::set_num_threads
  // is no choice: it also writes the process-wide value that every later thread starts with.
  at::get_num_threads();
  if (omp_set_num_threads != nullptr) omp_set_num_threads(count);
}

}  // namespace ptrun
