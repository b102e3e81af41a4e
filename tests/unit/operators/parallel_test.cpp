// Loops over LibTorch's OpenMP pool.
#include "operators/parallel.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace ptrun {
namespace {

class ParallelFor : public ::testing::Test {
 protected:
  void SetUp() override { at::set_num_threads(2); }
  void TearDown() override { at::set_num_threads(1); }
};

TEST_F(ParallelFor, RunsEveryNumberOnceOnTwoThreads) {
  std::vector<std::atomic<int>> seen(101);
  std::set<std::thread::id> threads;
  std::mutex mutex;
  parallel_for(0, 101, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) ++seen.at(static_cast<std::size_t>(i));
    const std::lock_guard<std::mutex> lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  for (const auto& count : seen) EXPECT_EQ(count, 1);
  EXPECT_EQ(threads.size(), 2U);
}

TEST_F(ParallelFor, KeepsSmallWorkAndInnerLoopsOnOneThread) {
  std::atomic<int> calls = 0;
  parallel_for(3, 9, 6, [&](std::int64_t first, std::int64_t last) {
    EXPECT_EQ(first, 3);
    EXPECT_EQ(last, 9);
    ++calls;
  });
  EXPECT_EQ(calls, 1);
  parallel_for(5, 5, 1, [&](std::int64_t /*first*/, std::int64_t /*last*/) { ++calls; });
  EXPECT_EQ(calls, 1);
  std::atomic<int> inner = 0;
  parallel_for(0, 2, 1, [&](std::int64_t /*first*/, std::int64_t /*last*/) {
    parallel_for(0, 10, 1,
                 [&](std::int64_t first, std::int64_t last) { inner += (first == 0 && last == 10) ? 1 : 100; });
  });
  EXPECT_EQ(inner, 2);
}

TEST_F(ParallelFor, ThrowsWhatAPartThrows) {
  std::atomic<int> ended = 0;
  const auto run = [&] {
    parallel_for(0, 2, 1, [&](std::int64_t first, std::int64_t /*last*/) {
      ++ended;
      if (first == 1) throw std::runtime_error("the second part");
    });
  };
  EXPECT_THROW(run(), std::runtime_error);
  EXPECT_EQ(ended, 2);
}

TEST_F(ParallelFor, KnowsThreadsThatAreLateAndTriesThemAgain) {
  // On a thread whose pool nobody has seen before.
  std::thread([] {
    EXPECT_TRUE(threads_are_awake());
    for (int i = 0; i < 3; ++i) {
      parallel_for(0, 2, 1, [](std::int64_t first, std::int64_t /*last*/) {
        if (first == 1) std::this_thread::sleep_for(std::chrono::milliseconds(50));
      });
    }
    int asked = 1;
    while (!threads_are_awake() && asked < 10000) ++asked;
    EXPECT_GT(asked, 10);
    EXPECT_LT(asked, 10000);
    EXPECT_FALSE(threads_are_awake());
  }).join();
}

}  // namespace
}  // namespace ptrun
