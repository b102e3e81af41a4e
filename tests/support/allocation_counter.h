// Counts what a test binary takes from the heap: linked in, it stands before malloc and its kin for the whole process,
// shared libraries too.
#pragma once

#include <cstddef>

namespace ptrun::test {

// False under a sanitizer, which stands there itself.
bool counts_allocations() noexcept;

// malloc, calloc, realloc and their aligned kin, operator new too, from its construction on.
class AllocationCounter {
 public:
  AllocationCounter() noexcept;
  std::size_t of_this_thread() const noexcept;
  std::size_t of_all_threads() const noexcept;

 private:
  std::size_t own_;
  std::size_t all_;
};

}  // namespace ptrun::test
