#include "core/signals.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <initializer_list>
#include <thread>

namespace ptrun {
namespace {

TEST(SignalsTest, SignalsOfTheProcessGoToOtherThreads) {
  sigset_t mask;
  std::thread([&] {
    leave_signals_to_the_host();
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  }).join();
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1, SIGALRM}) {
    EXPECT_EQ(sigismember(&mask, number), 1) << number;
  }
}

TEST(SignalsTest, AFaultReachesTheHostsHandler) {
  const auto fault = [] {
    std::signal(SIGSEGV, [](int) { std::_Exit(7); });
    std::thread([] {
      leave_signals_to_the_host();
      std::raise(SIGSEGV);  // to this thread, as a fault is
    }).join();
  };
  EXPECT_EXIT(fault(), testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace ptrun
