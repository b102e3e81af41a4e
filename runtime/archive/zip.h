// The zip container of PyTorch files: central directory, zip64, stored and deflated records, CRC-32.
// Format: PKWARE APPNOTE 6.3; what PyTorch writes: reference in the comments of zip.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "archive/byte_source.h"
#include "archive/limits.h"

namespace ptrun::archive {

struct ZipEntry {
  std::string name;                 // whole, with the top folder
  std::uint64_t header_offset = 0;  // of the local header
  std::uint64_t data_offset = 0;    // of the record's bytes, checked to lie inside the file
  std::uint64_t stored_size = 0;    // bytes in the file
  std::uint64_t size = 0;           // bytes after inflating
  std::uint32_t crc32 = 0;          // 0: not recorded
  bool deflated = false;
};

// Immutable after open; any thread may read.
class ZipArchive {
 public:
  // Reads and checks the whole directory: sizes, offsets, overlaps, duplicate names (refused: readers disagree which
  // one counts), names with "..", NUL or over the limit, encryption, unknown methods. Throws bad_model.
  static std::shared_ptr<const ZipArchive> open(std::shared_ptr<const ByteSource> source, const Limits& limits = {});

  const ByteSource& source() const noexcept { return *source_; }
  const std::vector<ZipEntry>& entries() const noexcept { return entries_; }
  // First path component of the first entry ("archive"), or empty when entries have none in common.
  const std::string& top_folder() const noexcept { return top_folder_; }
  // By name below the top folder ("data.pkl"), or by whole name when there is no top folder.
  const ZipEntry* find(std::string_view name) const;
  const ZipEntry& require(std::string_view name) const;  // throws bad_model naming the record

  // The record's bytes, CRC checked where one is recorded. `limit`: largest size accepted, compared before allocating.
  std::string read(const ZipEntry& entry, std::uint64_t limit) const;
  // The same into `to`, which has exactly entry.size bytes.
  void read_into(const ZipEntry& entry, void* to) const;

 private:
  ZipArchive() = default;
  std::shared_ptr<const ByteSource> source_;
  std::vector<ZipEntry> entries_;
  std::string top_folder_;
  std::unordered_map<std::string, std::size_t> index_;
  Limits limits_;
};

}  // namespace ptrun::archive
