// Loops on the threads of LibTorch's OpenMP pool.
#pragma once

#include <cstdint>
#include <functional>

namespace ptrun {

// Calls `body` for parts of [begin, end), each of at least `grain` but the last, on as many threads as the calling one
// may use (at::get_num_threads), at once; on the calling one alone when it is a part of such a loop itself. What a part
// throws is thrown here, after all have ended. at::parallel_for does the same only where a file is compiled with
// -fopenmp, which would bind it to an OpenMP library of the compiler's beside LibTorch's.
void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain,
                  const std::function<void(std::int64_t, std::int64_t)>& body);

// Whether the other threads of the calling one came at once to its last loops: they wait awake for 4 ms, but sleep when
// the process has more threads in OpenMP pools than CPUs, and come late when other programs use the CPUs.
bool threads_are_awake();

}  // namespace ptrun
