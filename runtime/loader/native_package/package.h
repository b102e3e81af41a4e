// An AOTInductor package as data: nothing of it is extracted, loaded or run here. Links no LibTorch.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "archive/zip.h"

namespace ptrun::native {

struct Package {
  std::shared_ptr<const archive::ZipArchive> zip;
  std::string model;                            // name of the one that is used: "model", or the only one
  std::vector<const archive::ZipEntry*> files;  // below data/aotinductor/MODEL/
  const archive::ZipEntry* library = nullptr;   // the shared library among them
  std::map<std::string, std::string> metadata;  // "AOTI_DEVICE_KEY": "cpu", ... as the compiler wrote it
};

// What the code is compared with. `flags` are those of /proc/cpuinfo.
struct Host {
  std::string platform = "linux";
  std::string machine;  // "x86_64"
  std::set<std::string> flags;
  std::string torch;  // "2.15.0"
};
Host this_host();

// Throws bad_model for a damaged package, limit_exceeded for files of more than `memory_limit` bytes, unsupported for
// one that holds several models and none named "model", no compiled library, or file names that are no plain names.
Package read_package(std::shared_ptr<const archive::ByteSource> source, std::uint64_t memory_limit);

// Throws unsupported unless the code was compiled for `host`: device cpu, platform, machine, every instruction set,
// and `torch` (version that compiled it) of the same minor version.
void require_host(const Package& package, const Host& host, const std::string& torch);

}  // namespace ptrun::native
