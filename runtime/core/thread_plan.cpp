#include "core/thread_plan.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

namespace ptrun {
namespace {

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The number at the front of `text`, or -1 ("max", missing file).
long long leading_number(std::string_view text) {
  long long value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end != text.data() ? value : -1;
}

int cpus_of(long long quota, long long period) {
  if (quota <= 0 || period <= 0) return 0;
  return static_cast<int>(std::min<long long>((quota + period - 1) / period, 1 << 20));
}

int smaller_quota(int a, int b) {
  if (a == 0 || b == 0) return std::max(a, b);
  return std::min(a, b);
}

// Version 2 writes "quota period" or "max period" into one file.
int quota_v2(const std::string& folder) {
  const std::string text = read_text(folder + "/cpu.max");
  const std::size_t space = text.find(' ');
  if (space == std::string::npos) return 0;
  return cpus_of(leading_number(text), leading_number(std::string_view(text).substr(space + 1)));
}

int quota_v1(const std::string& folder) {
  return cpus_of(leading_number(read_text(folder + "/cpu.cfs_quota_us")),
                 leading_number(read_text(folder + "/cpu.cfs_period_us")));
}

// A group's own quota and its parents': the tightest counts. In a container the path of /proc/self/cgroup may lie
// outside the mount; the walk then ends at the mount's root, which is the container's own group.
int quota_along(const std::string& mount, std::string group, int (*quota)(const std::string&)) {
  int tightest = quota(mount);
  while (group.size() > 1) {
    tightest = smaller_quota(tightest, quota(mount + group));
    group.resize(group.rfind('/'));
  }
  return tightest;
}

int affinity_cpus() {
  // A fixed cpu_set_t ends at 1024 CPUs and fails with EINVAL on larger machines.
  for (int capacity = 1024; capacity <= (1 << 20); capacity *= 4) {
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(capacity));
    if (set == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(capacity));
    const int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

int cgroup_cpu_quota(const std::string& cgroup_root, std::string_view proc_self_cgroup) {
  int tightest = 0;
  while (!proc_self_cgroup.empty()) {
    const std::size_t newline = std::min(proc_self_cgroup.find('\n'), proc_self_cgroup.size());
    const std::string_view line = proc_self_cgroup.substr(0, newline);
    proc_self_cgroup.remove_prefix(std::min(newline + 1, proc_self_cgroup.size()));
    // hierarchy:controllers:path; version 2 has hierarchy 0 and no controllers.
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string controllers = "," + std::string(line.substr(first + 1, second - first - 1)) + ",";
    const std::string group(line.substr(second + 1));
    if (group.empty() || group.front() != '/') continue;
    if (controllers == ",,") {
      tightest = smaller_quota(tightest, quota_along(cgroup_root, group, quota_v2));
      tightest = smaller_quota(tightest, quota_along(cgroup_root + "/unified", group, quota_v2));
    } else if (controllers.find(",cpu,") != std::string::npos) {
      tightest = smaller_quota(tightest, quota_along(cgroup_root + "/cpu", group, quota_v1));
    }
  }
  return tightest;
}

int usable_cpus() {
  const int quota = cgroup_cpu_quota("/sys/fs/cgroup", read_text("/proc/self/cgroup"));
  const int affinity = affinity_cpus();
  return quota > 0 ? std::min(quota, affinity) : affinity;
}

ThreadPlan plan_threads(const ThreadRequest& request) {
  ThreadPlan plan;
  const int cpus = std::max(1, request.cpus);
  const bool latency = request.expected_images == 1 && request.workers <= 1;
  if (latency) {
    plan.workers = 1;
    plan.threads_per_worker = cpus;
  } else {
    plan.workers = cpus;
    if (request.expected_images > 0) {
      plan.workers = static_cast<int>(std::min<std::size_t>(request.expected_images, static_cast<std::size_t>(cpus)));
    }
  }
  if (request.workers > 0) plan.workers = request.workers;
  if (request.threads_per_worker > 0) {
    plan.threads_per_worker = request.threads_per_worker;
    // Threads of the caller's choice share the CPUs; more workers than that would only contend.
    if (request.workers == 0) plan.workers = std::clamp(cpus / plan.threads_per_worker, 1, plan.workers);
  }
  return plan;
}

}  // namespace ptrun
