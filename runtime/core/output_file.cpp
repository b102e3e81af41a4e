#include "core/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>

#include "core/text.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string resolved(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  return real ? std::string(real.get()) : path;
}

// Same folder, so that rename stays on one file system. The time makes it unique where process ids repeat, as they
// do in containers.
std::string temporary_name(const std::string& target) {
  static std::atomic<unsigned> counter{0};
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  return folder_of(target) + "/.ptrun-" + std::to_string(::getpid()) + "-" + std::to_string(now) + "-" +
         std::to_string(counter++) + ".tmp";
}

}  // namespace

OutputFile::OutputFile(std::string path, bool atomic, bool replace) : path_(std::move(path)), replace_(replace) {
  target_ = resolved(path_);
  struct stat info {};
  const bool exists = ::stat(target_.c_str(), &info) == 0;
  regular_ = !exists || S_ISREG(info.st_mode);
  if (exists && regular_ && !replace_) fail("cannot be written", EEXIST);
  if (atomic && regular_) temporary_ = temporary_name(target_);
  const std::string& name = temporary_.empty() ? target_ : temporary_;
  const int exclusive = !temporary_.empty() || (regular_ && !replace_) ? O_EXCL : O_TRUNC;
  descriptor_ = ::open(name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | exclusive, 0666);
  if (descriptor_ < 0) {
    const int error = errno;
    temporary_.clear();
    fail("cannot be written", error);
  }
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void OutputFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0) {
      if (errno == EINTR) continue;
      fail("writing failed", errno);
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void OutputFile::commit(bool complete) {
  if (regular_ && ::fsync(descriptor_) != 0) fail("writing failed", errno);
  // close() may be the first to report an error of a network file system.
  if (::close(std::exchange(descriptor_, -1)) != 0) fail("writing failed", errno);
  if (temporary_.empty()) return;
  const std::string name = complete ? target_ : target_ + ".partial";
  // link() fails where rename() would silently replace a file made in the meantime; some file systems have no links.
  const bool keep_others = complete && !replace_;
  if (keep_others && ::link(temporary_.c_str(), name.c_str()) == 0) {
    ::unlink(temporary_.c_str());
  } else if ((keep_others && errno == EEXIST) || ::rename(temporary_.c_str(), name.c_str()) != 0) {
    fail("cannot get its final name", errno);
  }
  temporary_.clear();
  const int folder = ::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
}

void OutputFile::fail(const std::string& what, int error) const {
  throw Error(ErrorCode::output_failed, printable(path_), what + ": " + std::generic_category().message(error));
}

}  // namespace ptrun
