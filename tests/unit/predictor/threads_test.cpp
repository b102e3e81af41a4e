// Which threads there are, and that they rest.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <thread>

#include "ptrun/predictor.h"
#include "support/tiny_model.h"

namespace ptrun {
namespace {

namespace fs = std::filesystem;

std::ptrdiff_t thread_count() {
  const fs::directory_iterator tasks("/proc/self/task");
  return std::distance(begin(tasks), end(tasks));
}

double process_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

class ThreadsTest : public ::testing::Test {
 protected:
  void SetUp() override { at::set_num_threads(2); }
  void TearDown() override { at::set_num_threads(before_); }

 private:
  const int before_ = at::get_num_threads();
};

// A pool of the calling thread's would put the workers' to sleep between two loops.
TEST_F(ThreadsTest, TimingTheModelLeavesTheCallerNoPool) {
  PredictOptions options;
  options.workers = 1;
  options.threads_per_worker = 2;
  options.batch_size = 1000;  // enough for LibTorch to use two threads
  const Predictor predictor(test::mean_colour_model(), options);
  const std::ptrdiff_t before = thread_count();
  predictor.time_model(1, 1);
  // A thread that was joined may be listed for a moment.
  for (int i = 0; i < 500 && thread_count() > before; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(thread_count(), before);
}

TEST_F(ThreadsTest, AtRestNoThreadTakesProcessorTime) {
  ASSERT_TRUE(fs::exists(PTRUN_TEST_WEIGHTS)) << PTRUN_TEST_WEIGHTS << " is missing; scripts/test.sh brings it";
  PredictOptions options;
  options.workers = 1;
  options.threads_per_worker = 2;
  Predictor predictor(load_model(PTRUN_TEST_WEIGHTS), options);
  Input input;
  input.path = PTRUN_TEST_DATA "/photos/cat.jpg";
  ASSERT_TRUE(predictor.predict(input).ok());
  // The pool's threads wait awake for some milliseconds of processor time, longer where CPUs are shared.
  double used = 1;
  for (int i = 0; i < 50 && used > 0.002; ++i) {
    const double begin = process_seconds();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    used = process_seconds() - begin;
  }
  EXPECT_LE(used, 0.002);
}

}  // namespace
}  // namespace ptrun
