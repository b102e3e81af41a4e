#include "archive/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "archive/fail.h"

namespace ptrun::archive {
namespace {

std::string system_text(int number) { return std::generic_category().message(number); }

void check_range(const ByteSource& source, std::uint64_t offset, std::size_t count) {
  if (offset > source.size() || count > source.size() - offset) {
    fail_bad(source.name(), count, " bytes at byte ", offset, " are outside the file of ", source.size(),
             " bytes; the file is damaged or truncated, download it again");
  }
}

class FileSource final : public ByteSource {
 public:
  FileSource(std::string path, int descriptor, std::uint64_t size)
      : path_(std::move(path)), descriptor_(descriptor), size_(size) {}
  ~FileSource() override { ::close(descriptor_); }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  const std::string& name() const noexcept override { return path_; }
  std::uint64_t size() const noexcept override { return size_; }

  void read(std::uint64_t offset, void* to, std::size_t count) const override {
    check_range(*this, offset, count);
    auto* out = static_cast<char*>(to);
    while (count > 0) {
      const ssize_t got = ::pread(descriptor_, out, count, static_cast<off_t>(offset));
      if (got < 0) {
        if (errno == EINTR) continue;
        fail(ErrorCode::not_found, path_, "reading failed at byte ", offset, ": ", system_text(errno),
             "; check the disk or the network share");
      }
      if (got == 0) {
        fail_bad(path_, "became shorter while it was read: nothing at byte ", offset, " of ", size_,
                 "; do not change a model file while it is loaded");
      }
      out += got;
      offset += static_cast<std::uint64_t>(got);
      count -= static_cast<std::size_t>(got);
    }
  }

 private:
  std::string path_;
  int descriptor_;
  std::uint64_t size_;
};

class MemorySource final : public ByteSource {
 public:
  MemorySource(std::string name, std::string bytes) : name_(std::move(name)), bytes_(std::move(bytes)) {}

  const std::string& name() const noexcept override { return name_; }
  std::uint64_t size() const noexcept override { return bytes_.size(); }

  void read(std::uint64_t offset, void* to, std::size_t count) const override {
    check_range(*this, offset, count);
    if (count > 0) std::memcpy(to, bytes_.data() + offset, count);
  }

 private:
  std::string name_;
  std::string bytes_;
};

void refuse_special_file(const std::string& path, mode_t mode) {
  if (S_ISREG(mode)) return;
  const auto refuse = [&](const char* what, const char* remedy) {
    fail(ErrorCode::unsupported, path, "is ", what, ", expected a model file; ", remedy);
  };
  if (S_ISDIR(mode)) refuse("a directory", "give the path of the file inside it");
  if (S_ISFIFO(mode))
    refuse("a FIFO (named pipe)", "save its content to a file first, models are read by random access");
  if (S_ISSOCK(mode)) refuse("a socket", "give the path of a regular file");
  if (S_ISCHR(mode)) refuse("a character device", "give the path of a regular file");
  if (S_ISBLK(mode)) refuse("a block device", "give the path of a regular file");
  refuse("not a regular file", "give the path of a regular file");
}

}  // namespace

std::string ByteSource::read_string(std::uint64_t offset, std::size_t count) const {
  check_range(*this, offset, count);
  std::string bytes(count, '\0');
  read(offset, bytes.data(), count);
  return bytes;
}

std::shared_ptr<const ByteSource> open_file(const std::string& path) {
  if (path.find('\0') != std::string::npos) {
    fail(ErrorCode::not_found, printable(path), "the path holds a NUL byte, which no file name has; check the path");
  }
  const auto cannot_open = [&](int number) {
    if (number == ENOENT || number == ENOTDIR) {
      fail(ErrorCode::not_found, path, "does not exist, expected a model file; check the path");
    }
    if (number == EACCES || number == EPERM) {
      fail(ErrorCode::not_found, path, "cannot be read: ", system_text(number), "; check the file's permissions");
    }
    fail(ErrorCode::not_found, path, "cannot be opened: ", system_text(number), "; check the path");
  };
  struct stat facts = {};
  // Looked at before it is opened: opening a device can have effects, opening a FIFO can wait for ever.
  if (::stat(path.c_str(), &facts) != 0) cannot_open(errno);
  refuse_special_file(path, facts.st_mode);
  int descriptor = -1;
  do {
    descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) cannot_open(errno);
  // From here on the descriptor is owned, whatever is thrown.
  const bool known = ::fstat(descriptor, &facts) == 0;
  const int number = errno;
  auto source = std::make_shared<FileSource>(path, descriptor, known ? static_cast<std::uint64_t>(facts.st_size) : 0);
  if (!known) cannot_open(number);
  refuse_special_file(path, facts.st_mode);
  if (source->size() == 0) {
    fail_bad(path, "is empty (0 bytes), expected a model file; copy or download it again");
  }
  return source;
}

std::shared_ptr<const ByteSource> from_memory(std::string name, std::string bytes) {
  if (bytes.empty()) fail_bad(name, "is empty (0 bytes), expected a model file; copy or download it again");
  return std::make_shared<MemorySource>(std::move(name), std::move(bytes));
}

}  // namespace ptrun::archive
