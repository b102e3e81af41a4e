// What one refusal cost: time and memory, measured around an action.
#pragma once

#include <cstddef>
#include <functional>

namespace ptrun::test {

struct Cost {
  double seconds = 0.0;            // of processor time: what else runs on the machine does not count
  std::size_t heap_bytes = 0;      // most bytes alive at once through operator new, above what was alive before
  std::size_t resident_bytes = 0;  // growth of the peak resident size; 0 where the kernel does not let it be reset
};

// Runs `action`, which must not throw. The counters are one for the process: one thread at a time.
Cost measure(const std::function<void()>& action);

// False under a sanitizer, whose own memory would be counted.
bool resident_size_means_something();

}  // namespace ptrun::test
