#pragma once

namespace ptrun {

// Sets how many OpenMP threads the calling thread's LibTorch operators use, and nothing else: every other thread of
// the process, also one made later, keeps its count.
void set_own_openmp_threads(int count);

}  // namespace ptrun
