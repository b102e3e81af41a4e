// "@list.txt": a file with one path a line. Every line is an input with a row, also when its path is missing.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "core/text.h"
#include "job/source/source.h"
#include "ptrun/error.h"

namespace ptrun::job {
namespace {

// Paths end at 4096 bytes; a longer line means that the file is no list.
constexpr std::size_t kLongestPath = 65536;

struct Descriptor {
  explicit Descriptor(int number) : value(number) {}
  ~Descriptor() { ::close(value); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value;
};

void add_path(std::string& path, char separator, const std::string& subject, Listing& listing) {
  if (path.find('\0') != std::string::npos) {
    throw Error(
        ErrorCode::invalid_argument, subject,
        "a NUL byte was found, expected one path a line; a list with NUL between the paths needs -0, an image is "
        "given by its name");
  }
  if (separator == '\n' && !path.empty() && path.back() == '\r') path.pop_back();
  if (!path.empty()) listing.paths.push_back(path);
  path.clear();
}

}  // namespace

void read_paths(int descriptor, char separator, const std::string& subject, Listing& listing) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  std::array<char, 65536> block{};
  std::string path;
  bool first = true;
  for (;;) {
    const ssize_t count = ::read(descriptor, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      throw Error(ErrorCode::not_found, subject, "cannot be read: " + std::generic_category().message(errno));
    }
    if (count == 0) break;
    for (const char c : std::string_view(block.data(), static_cast<std::size_t>(count))) {
      if (c != separator) {
        path += c;
        if (path.size() > kLongestPath) {
          throw Error(ErrorCode::limit_exceeded, subject,
                      "a path of more than " + std::to_string(kLongestPath) +
                          " bytes was found, expected one path a line; is this a list of paths?");
        }
        continue;
      }
      if (std::exchange(first, false) && path.rfind(kByteOrderMark, 0) == 0) path.erase(0, kByteOrderMark.size());
      add_path(path, separator, subject, listing);
    }
  }
  if (first && path.rfind(kByteOrderMark, 0) == 0) path.erase(0, kByteOrderMark.size());
  add_path(path, separator, subject, listing);
}

bool is_list(const std::string& source) { return source.size() > 1 && source.front() == '@'; }

void list_list(const std::string& source, Listing& listing) {
  const std::string path = source.substr(1);
  const std::string subject = printable(path);
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.value < 0) {
    throw Error(ErrorCode::not_found, subject,
                "the list cannot be opened: " + std::generic_category().message(errno) +
                    "; @NAME is a file with one path a line, ./@NAME an image of that name");
  }
  read_paths(file.value, '\n', subject, listing);
}

}  // namespace ptrun::job
