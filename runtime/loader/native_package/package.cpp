#include "loader/native_package/package.h"

#include <sys/utsname.h>
#include <torch/version.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "archive/fail.h"
#include "core/text.h"
#include "ptrun/error.h"

namespace ptrun::native {
namespace {

constexpr std::string_view kFolder = "data/aotinductor/";
constexpr std::uint64_t kMetadataBytes = 1U << 16U;
constexpr std::size_t kMaxFiles = 1000;

// torch/_inductor/cpu_vec_isa.py: the words of an instruction set, and the processor flags that its code uses.
struct InstructionSet {
  std::string_view word;
  std::string_view flags;  // separated by blanks
};
constexpr std::array kInstructionSets = {
    InstructionSet{"AVX512", "avx512f avx512dq avx512vl avx512bw fma"},
    InstructionSet{"AVX512_VNNI", "avx512_vnni"},
    InstructionSet{"AVX512_BF16", "avx512_bf16"},
    InstructionSet{"AVX2", "avx2 fma f16c"},
    InstructionSet{"AMX_TILE", "amx_tile amx_bf16 amx_int8"},
    InstructionSet{"AMX_FP16", "amx_fp16"},
    InstructionSet{"AVX10_2", "avx10_2"},
    InstructionSet{"asimd", "asimd"},
    InstructionSet{"INVALID_VEC_ISA", ""},
};

bool ends_with(std::string_view text, std::string_view tail) {
  return text.size() >= tail.size() && text.substr(text.size() - tail.size()) == tail;
}

// "[A-Za-z0-9._-]", not hidden, so that it can be a file in a folder of ours.
bool is_plain_name(std::string_view name) {
  if (name.empty() || name.front() == '.' || name.size() > 255) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

std::string_view model_of(std::string_view name) {
  if (name.substr(0, kFolder.size()) != kFolder) return {};
  name.remove_prefix(kFolder.size());
  return name.substr(0, name.find('/'));
}

std::string choose_model(const archive::ZipArchive& zip) {
  std::set<std::string> names;
  for (const archive::ZipEntry& entry : zip.entries()) {
    const std::string_view model = model_of(zip.short_name(entry));
    if (!model.empty()) names.insert(std::string(model));
  }
  if (names.size() == 1) return *names.begin();
  if (names.contains("model")) return "model";
  std::vector<std::string> shown;
  shown.reserve(names.size());
  for (const std::string& name : names) shown.push_back(printable(name));
  archive::fail(ErrorCode::unsupported, zip.source().name(), "holds ", names.size(), " compiled models (",
                join_some(shown), "), expected one, or one named 'model'; package one alone");
}

void read_metadata(Package& package, const archive::ZipEntry& entry) {
  const std::string text = package.zip->read(entry, kMetadataBytes);
  const auto json = nlohmann::json::parse(text, nullptr, false);
  const std::string record(package.zip->short_name(entry));
  if (!json.is_object()) {
    archive::fail_bad(package.zip->source().name(), "record ", archive::in_quotes(record),
                      " is not a JSON object, expected what the code was compiled for");
  }
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) continue;
    const auto [known, fresh] = package.metadata.emplace(key, value.get<std::string>());
    if (!fresh && known->second != value.get<std::string>()) {
      archive::fail_bad(package.zip->source().name(), "its metadata files disagree about ", archive::in_quotes(key),
                        "; compile and package the model again");
    }
  }
}

std::string minor_version(const std::string& version) {
  const std::size_t first = version.find('.');
  return first == std::string::npos ? version : version.substr(0, version.find('.', first + 1));
}

std::string value_of(const Package& package, const char* key) {
  const auto found = package.metadata.find(key);
  return found == package.metadata.end() ? std::string() : found->second;
}

[[noreturn]] void refuse(const Package& package, const std::string& what, const std::string& found,
                         const std::string& expected) {
  throw Error(ErrorCode::unsupported, package.zip->source().name(),
              "holds native code for the " + what + " " + (found.empty() ? "(not said)" : printable(found)) +
                  ", expected " + expected +
                  "; compile it on such a machine with torch._inductor.aoti_compile_and_package, or save it with "
                  "torch.export.save, which runs everywhere");
}

}  // namespace

Host this_host() {
  Host host;
  utsname names{};
  if (uname(&names) == 0) host.machine = static_cast<const char*>(names.machine);
  host.torch = TORCH_VERSION;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("flags", 0) != 0 && line.rfind("Features", 0) != 0) continue;
    std::istringstream words(line.substr(std::min(line.find(':'), line.size() - 1) + 1));
    for (std::string word; words >> word;) host.flags.insert(word);
    break;
  }
  return host;
}

Package read_package(std::shared_ptr<const archive::ByteSource> source, std::uint64_t memory_limit) {
  Package package;
  package.zip = archive::ZipArchive::open(std::move(source));
  const archive::ZipArchive& zip = *package.zip;
  const std::string& subject = zip.source().name();
  package.model = choose_model(zip);
  const std::string folder = std::string(kFolder) + package.model + "/";
  std::uint64_t bytes = 0;
  for (const archive::ZipEntry& entry : zip.entries()) {
    const std::string_view name = zip.short_name(entry);
    if (name.substr(0, folder.size()) != folder) continue;
    const std::string_view file = name.substr(folder.size());
    if (!is_plain_name(file)) {
      archive::fail(ErrorCode::unsupported, subject, "holds the file ", archive::in_quotes(name),
                    ", expected names of letters, digits, '.', '_' and '-'; package it again");
    }
    package.files.push_back(&entry);
    if (package.files.size() > kMaxFiles) {
      archive::fail_limit(subject, "holds more than ", kMaxFiles, " files of native code");
    }
    bytes += entry.size;
    if (ends_with(file, "metadata.json")) read_metadata(package, entry);
    if (!ends_with(file, ".so")) continue;
    if (package.library != nullptr) {
      archive::fail(ErrorCode::unsupported, subject, "holds several compiled libraries of model ",
                    archive::in_quotes(package.model), ", expected one");
    }
    package.library = &entry;
  }
  if (bytes > memory_limit) {
    archive::fail_limit(subject, "its native code and weights take ", human_bytes(bytes), ", the limit is ",
                        human_bytes(memory_limit), "; raise LoadOptions::constant_memory_limit");
  }
  if (package.library == nullptr) {
    archive::fail(
        ErrorCode::unsupported, subject,
        "holds source code without a compiled library (.so), expected one: ptrun runs no compiler; package it "
        "with torch._inductor.aoti_compile_and_package");
  }
  if (package.metadata.empty()) {
    archive::fail(ErrorCode::unsupported, subject,
                  "does not say what its native code was compiled for, expected a record *_metadata.json; compile it "
                  "again with PyTorch 2.7 or newer");
  }
  return package;
}

void require_host(const Package& package, const Host& host, const std::string& torch) {
  const std::string device = value_of(package, "AOTI_DEVICE_KEY");
  if (device != "cpu") {
    const std::string capability = value_of(package, "AOTI_COMPUTE_CAPABILITY");
    refuse(package, "device", device + (capability.empty() ? "" : " of compute capability " + capability),
           "cpu, the only one that ptrun runs native code on");
  }
  const std::string platform = value_of(package, "AOTI_PLATFORM");
  if (platform != host.platform) refuse(package, "platform", platform, host.platform);
  const std::string machine = value_of(package, "AOTI_MACHINE");
  if (machine != host.machine) refuse(package, "machine", machine, host.machine);
  std::istringstream words(value_of(package, "AOTI_CPU_ISA"));
  for (std::string word; words >> word;) {
    const auto* const known = std::find_if(kInstructionSets.begin(), kInstructionSets.end(),
                                           [&](const InstructionSet& row) { return row.word == word; });
    if (known == kInstructionSets.end()) refuse(package, "instruction set", word, "one that ptrun knows");
    std::istringstream flags{std::string(known->flags)};
    for (std::string flag; flags >> flag;) {
      if (!host.flags.contains(flag)) {
        refuse(package, "instruction set", word, "code without " + flag + ", which this processor lacks");
      }
    }
  }
  if (minor_version(torch) != minor_version(host.torch)) {
    refuse(package, "LibTorch version", torch, minor_version(host.torch) + ", which this ptrun is built with");
  }
}

}  // namespace ptrun::native
