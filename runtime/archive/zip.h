// The zip container of PyTorch files: central directory, zip64, stored and deflated records, CRC-32.
// Format: PKWARE APPNOTE 6.3; what PyTorch writes: pytorch/pytorch:caffe2/serialize/inline_container.cc.
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
  // Reads and checks the whole directory and every local header: sizes, offsets, overlaps, duplicate names (refused:
  // readers disagree which one counts), names with "..", NUL or over the limit, encryption, unknown methods, bytes in
  // front of or behind the archive. Throws bad_model, unsupported or limit_exceeded. Folder entries are dropped.
  static std::shared_ptr<const ZipArchive> open(std::shared_ptr<const ByteSource> source, const Limits& limits = {});

  const ByteSource& source() const noexcept { return *source_; }
  const std::vector<ZipEntry>& entries() const noexcept { return entries_; }
  // First path component of the first entry ("archive"), or empty when entries have none in common.
  const std::string& top_folder() const noexcept { return top_folder_; }
  // The entry's name below the top folder.
  std::string_view short_name(const ZipEntry& entry) const;
  // By name below the top folder ("data.pkl"), or by whole name when there is no top folder.
  const ZipEntry* find(std::string_view name) const;
  const ZipEntry& require(std::string_view name) const;  // throws bad_model naming the record
  // True when an entry's name below the top folder begins with `prefix` ("code/").
  bool has_prefix(std::string_view prefix) const;

  // The record's bytes, CRC checked where one is recorded. `limit`: largest size accepted, compared before allocating.
  std::string read(const ZipEntry& entry, std::uint64_t limit) const;
  // The same into `to`, which has exactly entry.size bytes.
  void read_into(const ZipEntry& entry, void* to) const;
  // Reads the record in pieces and checks its CRC without keeping it.
  void verify(const ZipEntry& entry) const;

 private:
  ZipArchive() = default;
  void check_crc(const ZipEntry& entry, std::uint32_t crc) const;
  template <typename Sink>
  void stream(const ZipEntry& entry, Sink&& sink) const;

  std::shared_ptr<const ByteSource> source_;
  std::vector<ZipEntry> entries_;
  std::string top_folder_;
  std::unordered_map<std::string, std::size_t> index_;  // whole name -> entry
  Limits limits_;
};

// True when `source` ends with a zip end record whose comment reaches exactly to the end of the file.
bool ends_as_zip(const ByteSource& source);

}  // namespace ptrun::archive
