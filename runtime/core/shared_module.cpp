#include "core/shared_module.h"

#include <dlfcn.h>

#include <filesystem>

#include "ptrun/error.h"

namespace ptrun {
namespace {

// The folder of the file that holds this code: libptrun.so, or a test program.
std::filesystem::path own_folder() {
  Dl_info place{};
  if (dladdr(reinterpret_cast<const void*>(&own_folder), &place) == 0 || place.dli_fname == nullptr) return {};
  return std::filesystem::path(place.dli_fname).parent_path();
}

// AddressSanitizer has to come first in every module.
#if defined(__SANITIZE_ADDRESS__)
constexpr int kOwnFirst = 0;
#else
constexpr int kOwnFirst = RTLD_DEEPBIND;
#endif

void* open_symbol(const std::string& file_name, const char* symbol, int flags) {
  const std::filesystem::path folder = own_folder();
  // Programs lie in bin/ beside lib/, in a build folder as after an install.
  for (const std::filesystem::path& path : {folder / file_name, folder / ".." / "lib" / file_name}) {
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) continue;
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | flags);
    const char* reason = handle == nullptr ? dlerror() : nullptr;
    void* found = handle == nullptr ? nullptr : dlsym(handle, symbol);
    if (found != nullptr) return found;
    throw Error(ErrorCode::unsupported, path.string(),
                reason != nullptr
                    ? std::string("the module cannot be opened: ") + reason
                    : std::string("the module lacks ") + symbol + "; it belongs to another version of ptrun");
  }
  throw Error(
      ErrorCode::unsupported, file_name,
      "the module was not found in " + folder.string() + " or ../lib; this ptrun was built or installed without it");
}

}  // namespace

void* module_symbol(const std::string& file_name, const char* symbol) { return open_symbol(file_name, symbol, 0); }

void* own_module_symbol(const std::string& file_name, const char* symbol) {
  return open_symbol(file_name, symbol, kOwnFirst);
}

}  // namespace ptrun
