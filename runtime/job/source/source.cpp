#include "job/source/source.h"

#include <algorithm>

#include "core/text.h"
#include "ptrun/error.h"

namespace ptrun {
namespace job {
namespace {

std::string lower_extension(const std::string& path) {
  const std::size_t name = path.rfind('/') == std::string::npos ? 0 : path.rfind('/') + 1;
  const std::size_t dot = path.rfind('.');
  if (dot == std::string::npos || dot <= name) return {};
  std::string extension = path.substr(dot);
  for (char& c : extension) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return extension;
}

}  // namespace

void Listing::offer(std::string path) {
  if (options.all_files) {
    paths.push_back(std::move(path));
    return;
  }
  std::string extension = lower_extension(path);
  if (std::find(extensions.begin(), extensions.end(), extension) != extensions.end()) {
    paths.push_back(std::move(path));
  } else {
    ++skipped[extension.empty() ? "no extension" : printable(extension, 20)];
  }
}

std::string joined(const std::string& folder, const std::string& name) {
  if (folder.empty()) return name;
  return folder.back() == '/' ? folder + name : folder + '/' + name;
}

const std::vector<SourceKind>& source_kinds() {
  // What exists is taken literally, so files and folders stand before globs.
  static const std::vector<SourceKind> kKinds = {
      {"standard input", is_stdin, list_stdin},
      {"list", is_list, list_list},
      {"folder", is_folder, list_folder},
      {"file", is_file, list_file},
      {"glob", is_glob, list_glob},
  };
  return kKinds;
}

}  // namespace job

InputList list_inputs(const SourceOptions& options) {
  if (std::count(options.sources.begin(), options.sources.end(), "-") > 1) {
    throw Error(ErrorCode::invalid_argument, "-", "found twice, expected once: standard input can be read only once");
  }
  job::Listing listing{options, image_extensions(), {}, {}};
  for (const std::string& source : options.sources) {
    const auto& kinds = job::source_kinds();
    const auto kind =
        std::find_if(kinds.begin(), kinds.end(), [&](const job::SourceKind& row) { return row.matches(source); });
    if (kind == kinds.end()) {
      throw Error(ErrorCode::not_found, printable(source),
                  "no such file or folder; give an image, a folder, a quoted glob, @list.txt or -");
    }
    kind->list(source, listing);
  }
  InputList inputs;
  inputs.paths = std::move(listing.paths);
  for (auto& [what, count] : listing.skipped) inputs.skipped.push_back({what, count});
  std::stable_sort(inputs.skipped.begin(), inputs.skipped.end(),
                   [](const SkippedNames& a, const SkippedNames& b) { return a.count > b.count; });
  return inputs;
}

}  // namespace ptrun
