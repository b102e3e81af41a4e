#include "executor/cuda_module.h"

#include <dlfcn.h>
#include <unistd.h>

#include <mutex>

#include "ptrun/error.h"

namespace ptrun {
namespace {

// Folder of the library (or program) that this code is in.
std::string own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&gpu_present), &info) == 0 || info.dli_fname == nullptr) return {};
  const std::string path = info.dli_fname;
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash + 1);
}

struct Opened {
  const CudaModule* module = nullptr;
  std::string why;
};

Opened open_module() {
  const std::string path = own_folder() + kCudaModuleFile;
  if (access(path.c_str(), R_OK) != 0) {
    return {nullptr, "this build of ptrun has no CUDA module (" + std::string(kCudaModuleFile) + ")"};
  }
  // Local symbols: nothing of CUDA's libraries becomes visible to the host program.
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return {nullptr, std::string("the CUDA module cannot be loaded: ") + dlerror()};
  const auto entry = reinterpret_cast<const CudaModule* (*)()>(dlsym(handle, "ptrun_cuda_module"));
  const CudaModule* module = entry != nullptr ? entry() : nullptr;
  if (module == nullptr || module->version != kCudaModuleVersion) {
    return {nullptr, "the CUDA module " + path + " belongs to another build of ptrun"};
  }
  return {module, {}};
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

std::unique_ptr<Plan> make_cuda_plan(const Module& module, const Device& device) {
  std::string why;
  const CudaModule* cuda = cuda_module(why);
  if (cuda == nullptr) throw Error(ErrorCode::device_unavailable, to_string(device), why + "; use --device cpu");
  return cuda->make_plan(module, device);
}

}  // namespace ptrun
