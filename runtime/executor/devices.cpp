#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "core/text.h"
#include "core/thread_plan.h"
#include "executor/cuda_module.h"
#include "ptrun/device.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

// The value of the first line "KEY : value" of /proc/cpuinfo.
std::string cpuinfo(std::string_view key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || line.compare(0, key.size(), key) != 0) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? std::string() : line.substr(begin);
  }
  return {};
}

// "AMD EPYC 9R14, 2 CPUs, AVX-512, AVX512_BF16".
std::string describe_cpu() {
  const std::string model = cpuinfo("model name");
  const int cpus = usable_cpus();
  std::vector<std::string> parts = {model.empty() ? "unknown processor" : model,
                                    std::to_string(cpus) + (cpus == 1 ? " CPU" : " CPUs")};
  std::istringstream words(cpuinfo("flags"));
  const std::set<std::string> flags{std::istream_iterator<std::string>(words), std::istream_iterator<std::string>()};
  if (flags.count("avx512f") != 0) {
    parts.emplace_back("AVX-512");
  } else if (flags.count("avx2") != 0) {
    parts.emplace_back("AVX2");
  }
  if (flags.count("avx512_bf16") != 0) parts.emplace_back("AVX512_BF16");
  if (flags.count("amx_bf16") != 0) parts.emplace_back("AMX");
  return printable(join_some(parts));
}

std::string what_is_there(const std::vector<DeviceInfo>& all) {
  std::vector<std::string> names;
  names.reserve(all.size());
  for (const DeviceInfo& info : all) names.push_back(info.name + " (" + info.description + ")");
  return "this machine and build have " + join_some(names);
}

// Adds the GPUs; returns why there are none.
std::string append_cuda(std::vector<DeviceInfo>& all) {
  if (!gpu_present()) return "no NVIDIA GPU or driver was found";
  std::string why;
  const CudaModule* cuda = cuda_module(why);
  if (cuda == nullptr) return why;
  const int count = cuda->device_count();
  for (int index = 0; index < count; ++index) {
    const Device device{Device::Kind::cuda, index};
    all.push_back({device, to_string(device), cuda->device_name(index)});
  }
  return count > 0 ? std::string() : "the driver shows no GPU";
}

std::vector<DeviceInfo> find_devices(std::string& why_no_cuda) {
  std::vector<DeviceInfo> all;
  all.push_back({Device{}, "cpu", describe_cpu()});
  why_no_cuda = append_cuda(all);
  return all;
}

}  // namespace

std::string to_string(const Device& device) {
  return device.kind == Device::Kind::cpu ? "cpu" : "cuda:" + std::to_string(device.index);
}

std::vector<DeviceInfo> devices() {
  std::string why;
  return find_devices(why);
}

Device parse_device(const std::string& text) {
  if (text == "cpu") return {};
  const bool first = text == "auto" || text == "cuda";
  const std::string number = first ? std::to_string(0) : text.substr(text.rfind("cuda:", 0) == 0 ? 5 : 0);
  const bool digits = !number.empty() && number.size() <= 3 &&
                      std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) {
    throw Error(ErrorCode::invalid_argument, "device " + printable(text), "expected auto, cpu, cuda, cuda:N or N");
  }
  const Device wanted{Device::Kind::cuda, std::stoi(number)};
  std::string why;
  const std::vector<DeviceInfo> all = find_devices(why);
  for (const DeviceInfo& info : all) {
    if (info.device.kind == wanted.kind && info.device.index == wanted.index) return wanted;
  }
  if (text == "auto") return {};
  throw Error(ErrorCode::device_unavailable, "device " + text,
              (why.empty() ? "there is no such GPU" : why) + "; " + what_is_there(all) + "; use --device cpu");
}

}  // namespace ptrun
