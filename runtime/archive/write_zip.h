// Writes a zip archive record by record, in one pass: stored, zip64 where sizes or offsets need it. What PyTorch's
// PyTorchStreamWriter (caffe2/serialize/inline_container.cc) and numpy.savez write, so their readers take it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ptrun::archive {

// Takes bytes in order; what it throws leaves the writer.
using ByteSink = std::function<void(std::string_view bytes)>;

// One thread. Sizes are the caller's promise: Error(internal) when another number of bytes is written.
class ZipWriter {
 public:
  // `alignment`: a record's data begins at a multiple of it (PyTorch: 64), 1: anywhere. `check_sums` false: no CRC-32,
  // as torch.utils.serialization.config.save.compute_crc32 = False.
  explicit ZipWriter(ByteSink sink, std::size_t alignment = 1, bool check_sums = true);

  // A whole record. `name` is UTF-8, at most 65535 bytes, and not used before.
  void add(std::string_view name, std::string_view bytes);
  // A record in pieces: begin, write until `size` bytes are there, end.
  void begin(std::string_view name, std::uint64_t size);
  void write(std::string_view bytes);
  void end();
  // The directory; nothing may follow.
  void finish();

  // Bytes given to the sink so far.
  std::uint64_t offset() const noexcept { return offset_; }

 private:
  struct Entry {
    std::string name;
    std::uint64_t header_offset = 0;
    std::uint64_t size = 0;
    std::uint32_t crc32 = 0;
    bool streamed = false;
  };
  void put(std::string_view bytes);
  void put_header(const Entry& entry);

  ByteSink sink_;
  std::size_t alignment_;
  bool check_sums_;
  std::uint64_t offset_ = 0;
  std::uint64_t written_ = 0;  // of the record in progress
  bool open_ = false;
  std::vector<Entry> entries_;
};

}  // namespace ptrun::archive
