#include "archive/foreign_names.h"

#include <algorithm>
#include <array>
#include <unordered_set>

namespace ptrun::archive {
namespace {

using namespace std::string_view_literals;

std::string_view package_of(std::string_view name) { return name.substr(0, name.find('.')); }

template <std::size_t N>
bool holds(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_common(std::string_view name) {
  constexpr std::array kPackages = {"torch"sv, "torchvision"sv, "numpy"sv, "collections"sv, "_codecs"sv, "copyreg"sv};
  constexpr std::array kBuiltins = {"set"sv,   "frozenset"sv, "bytearray"sv, "bytes"sv, "complex"sv,
                                    "dict"sv,  "float"sv,     "int"sv,       "list"sv,  "object"sv,
                                    "slice"sv, "range"sv,     "str"sv,       "tuple"sv, "bool"sv};
  if (package_of(name) == "builtins") return holds(kBuiltins, name.substr(name.find('.') + 1));
  return holds(kPackages, package_of(name));
}

}  // namespace

std::vector<std::string> foreign_names(const Pickle& data) {
  std::vector<std::string> names;
  std::unordered_set<std::string> seen;
  for (NodeId id = 0; id < data.nodes.size(); ++id) {
    if (!data.is(id, PickleNode::Type::global)) continue;
    std::string name = data.global_name(id);
    if ((is_common(name) && !runs_code(name)) || !seen.insert(name).second) continue;
    names.push_back(std::move(name));
  }
  return names;
}

bool runs_code(std::string_view name) {
  // The packages that scanners of pickles look for, as far as no model names them for another reason.
  constexpr std::array kPackages = {"os"sv,         "posix"sv,   "nt"sv,       "sys"sv,      "subprocess"sv,
                                    "socket"sv,     "shutil"sv,  "runpy"sv,    "pty"sv,      "importlib"sv,
                                    "webbrowser"sv, "ctypes"sv,  "pickle"sv,   "_pickle"sv,  "pip"sv,
                                    "code"sv,       "pdb"sv,     "bdb"sv,      "timeit"sv,   "cProfile"sv,
                                    "profile"sv,    "asyncio"sv, "requests"sv, "urllib"sv,   "http"sv,
                                    "httplib"sv,    "smtplib"sv, "ftplib"sv,   "tempfile"sv, "multiprocessing"sv,
                                    "marshal"sv,    "pydoc"sv,   "commands"sv};
  constexpr std::array kFunctions = {"builtins.eval"sv,
                                     "builtins.exec"sv,
                                     "builtins.compile"sv,
                                     "builtins.open"sv,
                                     "builtins.__import__"sv,
                                     "builtins.breakpoint"sv,
                                     "builtins.input"sv,
                                     "torch.load"sv,
                                     "torch.hub.load"sv,
                                     "torch.serialization.load"sv,
                                     "numpy.testing._private.utils.runstring"sv};
  return holds(kPackages, package_of(name)) || holds(kFunctions, name);
}

}  // namespace ptrun::archive
