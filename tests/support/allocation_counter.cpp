#include "support/allocation_counter.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define PTRUN_COUNTS 1
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#undef PTRUN_COUNTS
#endif
#endif

namespace {

thread_local std::size_t own = 0;
std::atomic<std::size_t> all{0};

}  // namespace

#ifdef PTRUN_COUNTS
namespace {

void count() noexcept {
  ++own;
  all.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

// The allocator under its own names; glibc keeps them for those who stand before it.
extern "C" {
void* __libc_malloc(std::size_t size);                           // NOLINT(bugprone-reserved-identifier)
void* __libc_calloc(std::size_t count, std::size_t size);        // NOLINT(bugprone-reserved-identifier)
void* __libc_realloc(void* memory, std::size_t size);            // NOLINT(bugprone-reserved-identifier)
void* __libc_memalign(std::size_t alignment, std::size_t size);  // NOLINT(bugprone-reserved-identifier)

void* malloc(std::size_t size) {
  count();
  return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) {
  count();
  return __libc_calloc(number, size);
}
void* realloc(void* memory, std::size_t size) {
  count();
  return __libc_realloc(memory, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  count();
  *memory = __libc_memalign(alignment, size);
  return *memory != nullptr ? 0 : ENOMEM;
}
}  // extern "C"
#endif

namespace ptrun::test {

bool counts_allocations() noexcept {
#ifdef PTRUN_COUNTS
  return true;
#else
  return false;
#endif
}

AllocationCounter::AllocationCounter() noexcept : own_(own), all_(all.load()) {}
std::size_t AllocationCounter::of_this_thread() const noexcept { return own - own_; }
std::size_t AllocationCounter::of_all_threads() const noexcept { return all.load() - all_; }

}  // namespace ptrun::test
