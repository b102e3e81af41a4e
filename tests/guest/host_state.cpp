#include "guest/host_state.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xmmintrin.h>

#include <cfenv>
#include <chrono>
#include <clocale>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <thread>

extern char** environ;

namespace ptrun::test {
namespace {

void add_signals(std::ostream& text) {
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action {};
    if (sigaction(number, nullptr, &action) != 0) continue;
    text << "signal " << number << ' ' << reinterpret_cast<const void*>(action.sa_handler) << ' ' << action.sa_flags
         << '\n';
  }
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  text << "blocked";
  for (int number = 1; number < NSIG; ++number) text << (sigismember(&mask, number) == 1 ? '1' : '0');
  text << '\n';
  stack_t stack{};
  sigaltstack(nullptr, &stack);
  text << "signal stack " << stack.ss_sp << '\n';
}

int entries(const char* folder) {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

}  // namespace

std::string host_state() {
  std::ostringstream text;
  add_signals(text);
  text << "locale " << std::setlocale(LC_ALL, nullptr) << '\n';
  text << "rounding " << std::fegetround() << '\n';
  // Without the sticky flags of what was calculated.
  text << "mxcsr " << (_mm_getcsr() & ~0x3FU) << '\n';
  for (char** variable = environ; *variable != nullptr; ++variable) text << "environment " << *variable << '\n';
  text << "folder " << std::filesystem::current_path() << '\n';
  const mode_t mask = umask(0);
  umask(mask);
  text << "umask " << mask << '\n';
  for (const int resource : {RLIMIT_STACK, RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_AS}) {
    rlimit limit{};
    getrlimit(static_cast<__rlimit_resource_t>(resource), &limit);
    text << "limit " << resource << ' ' << limit.rlim_cur << ' ' << limit.rlim_max << '\n';
  }
  text << "descriptors " << entries("/proc/self/fd") << '\n';
  return text.str();
}

int thread_count() { return entries("/proc/self/task"); }

int thread_count(int expected) {
  for (int i = 0; i < 1000 && thread_count() > expected; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return thread_count();
}

}  // namespace ptrun::test
