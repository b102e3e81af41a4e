#pragma once

#include <string>
#include <vector>

#include "ptrun/export.h"

namespace ptrun {

// A processor that runs models.
struct Device {
  // The makes there are.
  enum class Kind { cpu, cuda };
  Kind kind = Kind::cpu;
  int index = 0;  // CUDA device number
};

// A device that is there.
struct DeviceInfo {
  Device device;
  std::string name;         // "cpu", "cuda:0"
  std::string description;  // processor or GPU, in words
};

// Every device that this machine and build can use; the CPU is always the first. Any thread.
PTRUN_API std::vector<DeviceInfo> devices();

// "auto", "cpu", "cuda", "cuda:N" or "N" -> a device that is there ("auto": the CPU where no GPU is usable).
// Throws device_unavailable naming what was asked for and what there is, invalid_argument for another text.
PTRUN_API Device parse_device(const std::string& text);

// "cpu", "cuda:0".
PTRUN_API std::string to_string(const Device& device);

}  // namespace ptrun
