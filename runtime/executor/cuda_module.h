// The door to libptrun_cuda.so, which is opened only when a GPU is asked for and present.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "executor/plan.h"

namespace ptrun {

// What libptrun_cuda.so offers, handed over by its one exported function `ptrun_cuda_module`. Both sides come from one
// build; `version` catches a mixture.
struct CudaModule {
  int version;
  int (*device_count)();
  std::string (*device_name)(int index);
  std::unique_ptr<Plan> (*make_plan)(const Module& module, const Device& device);
};
inline constexpr int kCudaModuleVersion = 1;
inline constexpr const char* kCudaModuleFile = "libptrun_cuda.so";

// True when the NVIDIA driver shows at least one GPU; loads nothing.
bool gpu_present();

// Opens the module beside libptrun.so. Null when it is not installed or cannot be loaded, with the reason in `why`.
const CudaModule* cuda_module(std::string& why);

std::unique_ptr<Plan> make_cuda_plan(const Module& module, const PlanRequest& request);

}  // namespace ptrun
