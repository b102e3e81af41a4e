#include "output/picture_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string_view>
#include <system_error>

#include "core/text.h"
#include "output/class_png.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& what, int error) {
  throw Error(ErrorCode::output_failed, printable(path, 4096),
              what + " (" + std::generic_category().message(error) + ")");
}

// The folders and the name, without "." and what is empty.
std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    if (!part.empty() && part != ".") parts.push_back(part);
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return parts;
}

// Folders that all paths begin with.
std::size_t shared_parts(const std::vector<std::string>& paths) {
  if (paths.empty()) return 0;
  const std::vector<std::string_view> first = parts_of(paths.front());
  std::size_t shared = first.empty() ? 0 : first.size() - 1;
  for (const std::string& path : paths) {
    const std::vector<std::string_view> parts = parts_of(path);
    shared = std::min(shared, parts.empty() ? 0 : parts.size() - 1);
    for (std::size_t i = 0; i < shared; ++i) {
      if (parts[i] != first[i]) shared = i;
    }
  }
  return shared;
}

// Complete or not there: a picture gets its name when all of it is written.
void write_file(const std::string& path, std::string_view bytes) {
  const std::string temporary = path + ".partial";
  const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (descriptor < 0) fail(path, "cannot be written", errno);
  int error = 0;
  while (!bytes.empty() && error == 0) {
    const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (::close(descriptor) != 0 && error == 0) error = errno;
  if (error == 0 && std::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error == 0) return;
  ::unlink(temporary.c_str());
  fail(path, "writing failed", error);
}

}  // namespace

bool names_picture_folder(const std::string& output) { return !output.empty() && output.back() == '/'; }

PictureFolder::PictureFolder(const std::string& folder, const std::vector<std::string>& images)
    : folder_(folder), shared_(shared_parts(images)) {
  // The folder itself may be a link: the user named it.
  if (::mkdir(folder_.c_str(), 0777) != 0 && errno != EEXIST) fail(folder_, "cannot be made", errno);
}

std::string PictureFolder::write(const std::string& image, const Prediction& prediction) {
  if (prediction.segment_map.empty()) {
    throw Error(ErrorCode::model_failed, printable(folder_, 4096),
                "the model lists objects, expected a class of every pixel for a picture; leave the folder out, .jsonl "
                "has the masks of objects");
  }
  const std::string path = folder_ + free_name(image);
  write_file(
      path, class_png(prediction.segment_map, prediction.geometry.original_width, prediction.geometry.original_height));
  return path;
}

std::string PictureFolder::free_name(const std::string& image) {
  std::vector<std::string_view> parts = parts_of(image);
  parts.erase(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(std::min(shared_, parts.size())));
  std::string name;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    name.append(parts[i] == ".." ? "_" : parts[i]);
    make_folder(folder_ + name);
    name += '/';
  }
  const std::string_view file = parts.empty() ? std::string_view("image") : parts.back();
  const std::size_t dot = file.rfind('.');
  name += file == ".." ? "_" : file.substr(0, dot == 0 ? file.size() : dot);
  std::string free = name + ".png";
  for (int i = 2; !names_.insert(free).second; ++i) free = name + "_" + std::to_string(i) + ".png";
  return free;
}

void PictureFolder::make_folder(const std::string& path) {
  if (!folders_.insert(path).second) return;
  if (::mkdir(path.c_str(), 0777) == 0) return;
  const int error = errno;
  struct stat info {};
  if (error != EEXIST || ::lstat(path.c_str(), &info) != 0) fail(path, "cannot be made", error);
  if (!S_ISDIR(info.st_mode)) fail(path, "is no folder, expected one; remove it", ENOTDIR);
}

}  // namespace ptrun
