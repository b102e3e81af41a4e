#include "core/thread_plan.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "support/scratch.h"

namespace ptrun {
namespace {

namespace fs = std::filesystem;

class CgroupTest : public testing::Test {
 protected:
  void SetUp() override { root_ = test::scratch_path("cgroup"); }
  void TearDown() override { fs::remove_all(root_); }
  void write(const std::string& name, const std::string& text) {
    const fs::path path = fs::path(root_) / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  std::string root_;
};

TEST_F(CgroupTest, Version2QuotaIsRoundedUp) {
  write("app/cpu.max", "150000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root_, "0::/app\n"), 2);
}

TEST_F(CgroupTest, Version2WithoutAQuota) {
  write("app/cpu.max", "max 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root_, "0::/app\n"), 0);
}

TEST_F(CgroupTest, TheTightestParentCounts) {
  write("slice/cpu.max", "100000 100000\n");
  write("slice/app/cpu.max", "400000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root_, "0::/slice/app\n"), 1);
}

TEST_F(CgroupTest, AContainerSeesItsGroupAtTheRoot) {
  write("cpu.max", "200000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root_, "0::/outside/the/mount\n"), 2);
}

TEST_F(CgroupTest, Version1Quota) {
  write("cpu/app/cpu.cfs_quota_us", "300000\n");
  write("cpu/app/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root_, "4:memory:/m\n3:cpu,cpuacct:/app\n0::/\n"), 3);
  write("cpu/app/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(cgroup_cpu_quota(root_, "3:cpu,cpuacct:/app\n"), 0);
}

TEST_F(CgroupTest, OddTextIsNoQuota) {
  write("app/cpu.max", "garbage");
  for (const char* text : {"", "\n\n", "0::/app", "nonsense\n", "1:cpu", ":::::\n"}) {
    EXPECT_EQ(cgroup_cpu_quota(root_, text), 0) << text;
  }
}

TEST(UsableCpusTest, FollowsTheAffinityMask) {
  // In a thread of its own: the mask ends with it.
  std::thread([] {
    cpu_set_t set;
    ASSERT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
    int first = 0;
    while (!CPU_ISSET(static_cast<std::size_t>(first), &set)) ++first;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(first), &set);
    ASSERT_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
    EXPECT_EQ(usable_cpus(), 1);
  }).join();
}

struct PlanCase {
  const char* what;
  ThreadRequest request;
  int workers;
  int threads;
};

TEST(ThreadPlanTest, EveryCase) {
  const PlanCase cases[] = {
      {"one image uses all CPUs in the model", {8, 1, 0, 0}, 1, 8},
      {"unknown count is throughput", {8, 0, 0, 0}, 8, 1},
      {"many images", {8, 1000, 0, 0}, 8, 1},
      {"fewer images than CPUs", {8, 3, 0, 0}, 3, 1},
      {"the number of workers never changes the threads of a call", {8, 1000, 1, 0}, 1, 1},
      {"given workers", {2, 1000, 6, 0}, 6, 1},
      {"given workers for one image", {4, 1, 1, 0}, 1, 4},
      {"given threads share the CPUs", {8, 1000, 0, 4}, 2, 4},
      {"more threads than CPUs", {2, 1000, 0, 4}, 1, 4},
      {"both given", {2, 1000, 3, 5}, 3, 5},
      {"no CPU known", {0, 0, 0, 0}, 1, 1},
  };
  for (const PlanCase& c : cases) {
    const ThreadPlan plan = plan_threads(c.request);
    EXPECT_EQ(plan.workers, c.workers) << c.what;
    EXPECT_EQ(plan.threads_per_worker, c.threads) << c.what;
  }
}

}  // namespace
}  // namespace ptrun
