#include "predictor/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "core/text.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& problem) {
  throw Error(ErrorCode::not_found, printable(path), problem);
}

std::string reason(int error) { return std::generic_category().message(error); }

void require_regular(const std::string& path, mode_t mode) {
  if (S_ISREG(mode)) return;
  const char* what = S_ISDIR(mode) ? "a folder" : S_ISFIFO(mode) ? "a FIFO" : S_ISSOCK(mode) ? "a socket" : "a device";
  fail(path, std::string(what) + " was found, expected an image file");
}

// Closes its number; a plain int would leak on each throw.
struct Descriptor {
  explicit Descriptor(int number) : value(number) {}
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value;
};

}  // namespace

std::string_view read_file(const std::string& path, std::uint64_t max_bytes, std::vector<char>& buffer) {
  // The system would end the name there and open another file.
  if (path.find('\0') != std::string::npos) fail(path, "the name holds a NUL byte, which no file name can");
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat info {};
  if (file.value < 0) {
    const int error = errno;
    // A socket and some devices cannot be opened at all; say what they are.
    if (error == ENXIO && ::stat(path.c_str(), &info) == 0) require_regular(path, info.st_mode);
    fail(path, error == ENOENT ? "no such file" : "cannot be opened: " + reason(error));
  }
  if (::fstat(file.value, &info) != 0) fail(path, "cannot be read: " + reason(errno));
  require_regular(path, info.st_mode);

  const auto too_large = [&](std::uint64_t size) {
    throw Error(ErrorCode::limit_exceeded, printable(path),
                "the file has " + human_bytes(size) + ", the limit is " + human_bytes(max_bytes) +
                    " (max_image_bytes); raise it for files you trust");
  };
  const auto size = static_cast<std::uint64_t>(std::max<off_t>(info.st_size, 0));
  if (size > max_bytes) too_large(size);
  // One byte more than the size says shows the end without another call, or that the file grows.
  if (buffer.size() < size + 1) buffer.resize(size + 1);
  std::size_t count = 0;
  for (;;) {
    if (count == buffer.size()) buffer.resize(std::max<std::size_t>(2 * count, 65536));
    const ssize_t got = ::read(file.value, buffer.data() + count, buffer.size() - count);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(path, "reading failed: " + reason(errno));
    if (got == 0) break;
    count += static_cast<std::size_t>(got);
    if (count > max_bytes) too_large(count);
  }
  return {buffer.data(), count};
}

}  // namespace ptrun
