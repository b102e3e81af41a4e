#include "loader/one_libtorch.h"

#include <ATen/Version.h>
#include <link.h>
#include <torch/version.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/text.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

int collect(dl_phdr_info* info, std::size_t, void* paths) {
  const std::string_view path = info->dlpi_name == nullptr ? "" : info->dlpi_name;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  // auditwheel puts a hash behind the name: libtorch_cpu-1f2e3d4c.so.
  if (name.substr(0, 12) == "libtorch_cpu") static_cast<std::vector<std::string>*>(paths)->emplace_back(path);
  return 0;
}

// "2.15.0" of "..., TORCH_VERSION=2.15.0, ..."; empty where LibTorch does not say it.
std::string loaded_version() {
  const std::string config = at::show_config();
  const std::size_t begin = config.find("TORCH_VERSION=");
  if (begin == std::string::npos) return {};
  const std::size_t number = begin + 14;
  return config.substr(number, config.find_first_not_of("0123456789.", number) - number);
}

}  // namespace

void require_one_libtorch() {
  std::vector<std::string> paths;
  dl_iterate_phdr(collect, &paths);
  if (paths.size() > 1) {
    throw Error(ErrorCode::unsupported, "LibTorch",
                "is in this process " + std::to_string(paths.size()) + " times (" + join_some(paths) +
                    "), expected once, because two mix up their operators and memory; let the program use the one that "
                    "ptrun was built with, or run ptrun in a process of its own");
  }
  static const std::string found = loaded_version();
  if (found.empty() || found == TORCH_VERSION) return;
  throw Error(ErrorCode::unsupported, "LibTorch",
              "version " + found +
                  " was loaded by this program, expected " TORCH_VERSION
                  ", which ptrun was built with; use that one, or build ptrun with " +
                  found);
}

}  // namespace ptrun
