// A folder: its files and, in natural order among them, those of its folders.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "job/source/natural_order.h"
#include "job/source/source.h"

namespace ptrun::job {
namespace {

// `above`: the folders on the way from the root to here; a link to one of them would never end.
void walk(const std::string& path, std::vector<FolderId>& above, Listing& listing) {
  FolderId id;
  std::vector<FolderEntry> entries;
  if (!folder_id(path, id)) {
    listing.paths.push_back(path);
    return;
  }
  if (std::find(above.begin(), above.end(), id) != above.end()) {
    ++listing.skipped["folder loop"];
    return;
  }
  if (!read_folder(path, entries)) {
    listing.paths.push_back(path);
    return;
  }
  above.push_back(id);
  for (const FolderEntry& entry : entries) {
    if (entry.name.front() == '.') {
      ++listing.skipped["hidden"];
      continue;
    }
    switch (entry.kind) {
      case FolderEntry::Kind::file: listing.offer(joined(path, entry.name)); break;
      case FolderEntry::Kind::folder: walk(joined(path, entry.name), above, listing); break;
      case FolderEntry::Kind::other: ++listing.skipped["no file"]; break;
    }
  }
  above.pop_back();
}

FolderEntry::Kind kind_of(const std::string& folder, const dirent& entry) {
  if (entry.d_type == DT_REG) return FolderEntry::Kind::file;
  if (entry.d_type == DT_DIR) return FolderEntry::Kind::folder;
  if (entry.d_type != DT_LNK && entry.d_type != DT_UNKNOWN) return FolderEntry::Kind::other;
  struct stat info {};
  // A broken or looping link is a name that somebody expected to be an image: its row says what is wrong.
  if (::stat(joined(folder, entry.d_name).c_str(), &info) != 0) return FolderEntry::Kind::file;
  if (S_ISDIR(info.st_mode)) return FolderEntry::Kind::folder;
  return S_ISREG(info.st_mode) ? FolderEntry::Kind::file : FolderEntry::Kind::other;
}

}  // namespace

bool folder_id(const std::string& path, FolderId& id) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) return false;
  id = {info.st_dev, info.st_ino};
  return true;
}

bool read_folder(const std::string& path, std::vector<FolderEntry>& entries) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), ::closedir);
  if (!folder) return false;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(folder.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") entries.push_back({entry->d_name, kind_of(path, *entry)});
  }
  if (errno != 0) return false;
  std::sort(entries.begin(), entries.end(),
            [](const FolderEntry& a, const FolderEntry& b) { return natural_less(a.name, b.name); });
  return true;
}

bool is_folder(const std::string& source) {
  FolderId id;
  return folder_id(source, id);
}

void list_folder(const std::string& source, Listing& listing) {
  std::vector<FolderId> above;
  walk(source, above, listing);
}

}  // namespace ptrun::job
