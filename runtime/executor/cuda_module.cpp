#include "executor/cuda_module.h"

#include <torch/csrc/jit/ir/ir.h>
#include <unistd.h>

#include <mutex>

#include "core/shared_module.h"
#include "loader/torchscript/program.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

struct Opened {
  const CudaModule* module = nullptr;
  std::string why;
};

Opened open_module() {
  try {
    const auto entry =
        reinterpret_cast<const CudaModule* (*)()>(module_symbol(std::string(kCudaModuleFile), "ptrun_cuda_module"));
    const CudaModule* module = entry();
    if (module->version != kCudaModuleVersion) return {nullptr, "the CUDA module belongs to another build of ptrun"};
    return {module, {}};
  } catch (const Error& error) {
    return {nullptr, error.what()};
  }
}

}  // namespace

bool gpu_present() { return access("/dev/nvidia0", F_OK) == 0 || access("/dev/dxg", F_OK) == 0; }

const CudaModule* cuda_module(std::string& why) {
  static std::once_flag once;
  static Opened opened;
  std::call_once(once, [] { opened = open_module(); });
  why = opened.why;
  return opened.module;
}

std::unique_ptr<Plan> make_cuda_plan(const Module& module, const PlanRequest& request) {
  std::string why;
  const CudaModule* cuda = cuda_module(why);
  if (cuda == nullptr) {
    throw Error(ErrorCode::device_unavailable, to_string(request.device), why + "; use --device cpu");
  }
  GraphModule here = std::get<GraphModule>(module);
  here.graph = here.graph->copy();
  torchscript::retarget_devices(*here.graph, request.device);
  return cuda->make_plan(here, request.device);
}

}  // namespace ptrun
