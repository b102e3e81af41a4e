// Bytes of a model file, by random access. The only door through which foreign bytes enter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace ptrun::archive {

// Immutable; any thread may read.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // The path or a name for messages.
  virtual const std::string& name() const noexcept = 0;
  virtual std::uint64_t size() const noexcept = 0;
  // Copies exactly `count` bytes from `offset` to `to`. Throws bad_model when the range is not inside the source
  // or the file became shorter, not_found when reading fails.
  virtual void read(std::uint64_t offset, void* to, std::size_t count) const = 0;

  // `count` bytes from `offset`; the caller has compared `count` with a limit.
  std::string read_string(std::uint64_t offset, std::size_t count) const;
};

// Opens a regular file. Throws not_found for what does not exist or cannot be read, unsupported for a directory,
// FIFO, socket or device (named), bad_model for an empty file. Never blocks on a FIFO.
std::shared_ptr<const ByteSource> open_file(const std::string& path);

// Bytes in memory, for tests and embedding programs.
std::shared_ptr<const ByteSource> from_memory(std::string name, std::string bytes);

}  // namespace ptrun::archive
