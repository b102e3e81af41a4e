// Threads: each predictor has its own plan, the host keeps its counts, and what was unloaded leaves nothing behind.
#include <gmock/gmock.h>

#include <fstream>
#include <string>
#include <thread>

#include "guest/host.h"
#include "guest/host_state.h"

namespace ptrun::test {
namespace {

// LibTorch's and OpenMP's own counts, as a host thread sees them.
struct Counts {
  int torch = 0;
  int interop = 0;
  int openmp = 0;
  bool operator==(const Counts& other) const {
    return torch == other.torch && interop == other.interop && openmp == other.openmp;
  }
};

std::ostream& operator<<(std::ostream& text, const Counts& counts) {
  return text << "LibTorch " << counts.torch << ", interop " << counts.interop << ", OpenMP " << counts.openmp;
}

Counts counts(const Library& ptrun) {
  return {ptrun.function<int()>("_ZN2at15get_num_threadsEv")(),
          ptrun.function<int()>("_ZN2at23get_num_interop_threadsEv")(), ptrun.function<int()>("omp_get_max_threads")()};
}

Counts counts_of_a_new_thread(const Library& ptrun) {
  Counts found;
  std::thread([&] { found = counts(ptrun); }).join();
  return found;
}

TEST(GuestThreadsTest, TwoPredictorsKeepTheirPlansAndTheHostItsCounts) {
  const Library ptrun;
  const Counts before = counts(ptrun);
  const Counts new_before = counts_of_a_new_thread(ptrun);
  const std::string cat = kData + "/photos/cat.jpg";
  {
    const Loaded wide(ptrun, nullptr, 1, before.openmp + 1);
    const Loaded narrow(ptrun, nullptr, 3, 1);
    ptrun_predictor_info info{};
    info.size = sizeof(info);
    ASSERT_EQ(ptrun.predictor_get_info(wide.predictor, &info), PTRUN_OK);
    EXPECT_EQ(info.threads_per_worker, before.openmp + 1);
    ASSERT_EQ(ptrun.predictor_get_info(narrow.predictor, &info), PTRUN_OK);
    EXPECT_EQ(info.threads_per_worker, 1);
    EXPECT_EQ(info.workers, 3);
    const Scores alone = narrow.predict(cat);
    EXPECT_EQ(alone.at(0).first, 285);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        for (int round = 0; round < 3; ++round) {
          const Scores scores = (i % 2 == 0 ? wide : narrow).predict(cat);
          ASSERT_EQ(scores.size(), alone.size());
          for (std::size_t k = 0; k < scores.size(); ++k) {
            EXPECT_EQ(scores[k].first, alone[k].first);
            EXPECT_NEAR(scores[k].second, alone[k].second, 1e-5);
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(counts(ptrun), before);
    EXPECT_EQ(counts_of_a_new_thread(ptrun), new_before);
  }
  EXPECT_EQ(counts(ptrun), before);
  EXPECT_EQ(counts_of_a_new_thread(ptrun), new_before);
}

TEST(GuestThreadsTest, UnloadingLeavesNoThread) {
  const int before = thread_count();
  const Library ptrun;
  EXPECT_EQ(thread_count(), before) << "opening the library started threads";
  for (int round = 0; round < 2; ++round) {
    {
      const Loaded loaded(ptrun, nullptr, 2, 2);
      loaded.predict(kData + "/photos/cat.jpg");
      EXPECT_GE(thread_count(), before + 2);
    }
    EXPECT_EQ(thread_count(before), before) << "round " << round;
  }
}

long resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::stol(line.substr(6));
  }
  return 0;
}

// scripts/bench/load_cycles.py does a thousand.
TEST(GuestThreadsTest, MemoryStaysAfterTheTenthCycle) {
  const Library ptrun;
  long tenth = 0;
  int threads = 0;
  for (int cycle = 1; cycle <= 30; ++cycle) {
    {
      const Loaded loaded(ptrun, nullptr, 1, 1);
      EXPECT_EQ(loaded.predict(kData + "/photos/cat.jpg").at(0).first, 285);
    }
    if (cycle == 10) {
      tenth = resident_kib();
      threads = thread_count();
    }
  }
  ASSERT_GT(tenth, 0);
  // The allocator has given one model's weights, 14 MB, back or not yet. A leak of 1 MB a cycle would be 20.
  EXPECT_LE(resident_kib(), tenth + 18L * 1024);
  EXPECT_EQ(thread_count(threads), threads);
}

}  // namespace
}  // namespace ptrun::test
