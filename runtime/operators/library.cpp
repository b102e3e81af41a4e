#include "operators/library.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <dlfcn.h>
#include <torch/version.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <mutex>

#include "core/text.h"
#include "operators/operators.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

std::vector<std::string> registered_names() {
  std::vector<std::string> names;
  for (const c10::OperatorName& name : c10::Dispatcher::singleton().getAllOpNames()) names.push_back(name.name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace

std::vector<std::string> load_operator_library(const std::string& path) {
  static std::mutex mutex;
  static auto* const opened = new std::map<std::string, std::vector<std::string>>();
  const std::lock_guard lock(mutex);
  std::error_code unreadable;
  // A bare name would be looked for in the system's folders.
  const std::filesystem::path file = std::filesystem::canonical(path, unreadable);
  if (unreadable || !std::filesystem::is_regular_file(file, unreadable)) {
    throw Error(ErrorCode::not_found, path, "does not exist or is no file, expected a shared library of operators");
  }
  const auto known = opened->find(file);
  if (known != opened->end()) return known->second;
  if (operators_are_registered()) {
    throw Error(ErrorCode::invalid_argument, path,
                "comes after a TorchScript file was loaded, expected libraries of operators before the first one; open "
                "them all with the first model");
  }
  const std::vector<std::string> before = registered_names();
  if (dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) {
    const char* reason = dlerror();
    throw Error(ErrorCode::unsupported, path,
                "cannot be opened as a library of operators (" + printable(reason == nullptr ? "" : reason, 300) +
                    "); it has to be built for LibTorch " TORCH_VERSION " without Python");
  }
  const std::vector<std::string> after = registered_names();
  std::vector<std::string> names;
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(), std::back_inserter(names));
  return opened->emplace(file, std::move(names)).first->second;
}

}  // namespace ptrun
