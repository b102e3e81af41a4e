// How many threads do what. One plan for the whole process, from what it may really use.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ptrun {

// CPUs this process may use at the same time: the smaller of its affinity mask and its cgroup quota (version 2:
// cpu.max, version 1: cpu.cfs_quota_us), rounded up, at least 1. Any thread.
int usable_cpus();

// The quota in whole CPUs, rounded up, that `cgroup_root` (usually /sys/fs/cgroup) sets for the groups named in
// `proc_self_cgroup` (the text of /proc/self/cgroup) and their parents; 0: no quota.
int cgroup_cpu_quota(const std::string& cgroup_root, std::string_view proc_self_cgroup);

struct ThreadRequest {
  int cpus = 1;                     // usable_cpus()
  std::size_t expected_images = 0;  // 0: unknown
  int workers = 0;                  // 0: chosen
  int threads_per_worker = 0;       // 0: chosen
};

struct ThreadPlan {
  int workers = 1;             // threads that read, decode and run the model
  int threads_per_worker = 1;  // OpenMP threads of one model call
};

// One image: one worker, the model on all CPUs (latency). More: a worker for each CPU with one thread each
// (throughput); threads_per_worker stays 1 when the caller gives fewer workers, so that the number of workers
// never changes a result's bytes.
ThreadPlan plan_threads(const ThreadRequest& request);

}  // namespace ptrun
