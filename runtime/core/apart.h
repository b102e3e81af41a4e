#pragma once

#include <functional>
#include <future>
#include <system_error>
#include <thread>
#include <type_traits>

#include "core/signals.h"

namespace ptrun {

// What `work` returns or throws, done on a thread that ends with it; on the calling one where none can be had. For work
// that opens an OpenMP pool: a pool lives as long as its thread, and while the pools of a process have more threads
// than there are CPUs, those of all of them sleep between two loops, which costs a model call half its time.
template <typename Work>
auto apart(const Work& work) {
  std::packaged_task<std::invoke_result_t<const Work&>()> task(std::cref(work));
  auto result = task.get_future();
  std::thread thread;
  try {
    thread = std::thread([&task] {
      leave_signals_to_the_host();
      task();
    });
  } catch (const std::system_error&) {
    task();
  }
  if (thread.joinable()) thread.join();
  return result.get();
}

}  // namespace ptrun
