// Replaces the global operator new of the test program, so link it only into tests that measure.
#include "support/resource_guard.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <new>
#include <sstream>
#include <string>

namespace {

std::atomic<std::size_t> alive{0};
std::atomic<std::size_t> peak{0};

void* counted(std::size_t bytes) {
  void* block = std::malloc(bytes == 0 ? 1 : bytes);
  if (block == nullptr) throw std::bad_alloc();
  const std::size_t now = alive += malloc_usable_size(block);
  std::size_t seen = peak;
  while (now > seen && !peak.compare_exchange_weak(seen, now)) {
  }
  return block;
}

void uncounted(void* block) noexcept {
  if (block != nullptr) alive -= malloc_usable_size(block);
  std::free(block);
}

std::size_t status_bytes(const char* field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field, 0) != 0) continue;
    std::istringstream words(line.substr(std::string(field).size()));
    std::size_t kilobytes = 0;
    words >> kilobytes;
    return kilobytes * 1024;
  }
  return 0;
}

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace

void* operator new(std::size_t bytes) { return counted(bytes); }
void* operator new[](std::size_t bytes) { return counted(bytes); }
void operator delete(void* block) noexcept { uncounted(block); }
void operator delete[](void* block) noexcept { uncounted(block); }
void operator delete(void* block, std::size_t) noexcept { uncounted(block); }
void operator delete[](void* block, std::size_t) noexcept { uncounted(block); }

namespace ptrun::test {

bool resident_size_means_something() {
#if defined(__SANITIZE_ADDRESS__)
  return false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
  return false;
#else
  return true;
#endif
#else
  return true;
#endif
}

Cost measure(const std::function<void()>& action) {
  // "5" sets the peak resident size back to the present one (proc(5), clear_refs).
  const bool resettable = static_cast<bool>(std::ofstream("/proc/self/clear_refs") << "5" << std::flush);
  const std::size_t resident_before = status_bytes("VmRSS:");
  const std::size_t alive_before = alive;
  peak = alive_before;
  const double begin = processor_seconds();
  action();
  Cost cost;
  cost.seconds = processor_seconds() - begin;
  cost.heap_bytes = peak - std::min<std::size_t>(peak, alive_before);
  const std::size_t resident_peak = status_bytes("VmHWM:");
  if (resettable && resident_peak > resident_before) cost.resident_bytes = resident_peak - resident_before;
  return cost;
}

}  // namespace ptrun::test
