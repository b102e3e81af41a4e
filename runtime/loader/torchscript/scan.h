// What a TorchScript archive holds, read and checked without LibTorch and without running anything.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "archive/zip.h"
#include "loader/torchscript/text.h"

namespace ptrun::torchscript {

struct ScriptArchive {
  std::shared_ptr<const archive::ZipArchive> zip;
  int format_version = 0;
  std::vector<CodeFile> code;
  // Sizes of the tensors that forward was traced with, in the order of its arguments; empty for a scripted module.
  std::vector<std::vector<std::int64_t>> traced_inputs;
  std::uint64_t tensor_bytes = 0;  // of all storages in data/ and constants/
};

// Opens the archive and refuses what LibTorch would read without looking: a record that is shorter or longer than the
// tensor it holds, tensors outside their storage, unknown classes in the pickles, format versions outside 1 to 10
// (unsupported), big-endian files, a code/ record over its limit. Does not check the source text (check_text) nor the
// CRC of the tensor records (ScriptReader does, while LibTorch reads them). `memory_limit`: bytes of all tensors.
ScriptArchive read_script_archive(std::shared_ptr<const archive::ByteSource> source, std::uint64_t memory_limit);

// Operators that the program names, sorted ("aten::conv2d"); for ptrun inspect. Nothing is executed or compiled.
std::vector<std::string> list_operators(std::shared_ptr<const archive::ByteSource> source);

}  // namespace ptrun::torchscript
