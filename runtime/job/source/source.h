// Kinds of sources, one file each, in one table (source.cpp).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ptrun/job.h"

namespace ptrun::job {

// Where a source puts what it finds.
struct Listing {
  const SourceOptions& options;
  std::vector<std::string> extensions;  // known images', lower case with the dot
  std::vector<std::string> paths;
  std::map<std::string, std::size_t> skipped;

  // Takes `path` (a file below a folder or glob) when its extension is known or all are wanted, else counts it.
  void offer(std::string path);
};

// A row of the table; the first that matches lists.
struct SourceKind {
  std::string_view name;
  bool (*matches)(const std::string& source);
  void (*list)(const std::string& source, Listing& listing);
};
const std::vector<SourceKind>& source_kinds();

bool is_stdin(const std::string& source);
void list_stdin(const std::string& source, Listing& listing);
bool is_list(const std::string& source);
void list_list(const std::string& source, Listing& listing);
bool is_folder(const std::string& source);
void list_folder(const std::string& source, Listing& listing);
bool is_file(const std::string& source);
void list_file(const std::string& source, Listing& listing);
bool is_glob(const std::string& source);
void list_glob(const std::string& source, Listing& listing);

// Paths from `descriptor`, one before each `separator`, added to the listing; a carriage return before a newline and
// a byte order mark at the start are dropped, empty lines skipped. `subject` names the list in errors.
void read_paths(int descriptor, char separator, const std::string& subject, Listing& listing);

// A name in a folder and what it is, links followed.
// Device and number of a folder: the same however it is reached. Returns false when `path` is no folder.
using FolderId = std::pair<dev_t, ino_t>;
bool folder_id(const std::string& path, FolderId& id);

struct FolderEntry {
  enum class Kind { file, folder, other };
  std::string name;
  Kind kind = Kind::other;
};
// Entries in natural order without "." and ".."; a broken link is a file. Returns false with errno when the folder
// cannot be read.
bool read_folder(const std::string& path, std::vector<FolderEntry>& entries);

// `folder` and `name` with one slash between; `name` alone below "".
std::string joined(const std::string& folder, const std::string& name);

}  // namespace ptrun::job
