// A glob: * ? [abc] within a name, ** as a whole component for any depth of folders. Matches come in natural order;
// a matched folder is listed as a folder source, except with ** which has its files already. A leading dot is matched
// only by a dot.
#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "job/source/source.h"
#include "ptrun/error.h"

namespace ptrun::job {
namespace {

// Of folders below each other that a glob names.
constexpr std::size_t kDeepestFolder = 1000;

bool has_wildcard(std::string_view text) { return text.find_first_of("*?[") != std::string_view::npos; }

bool exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

std::vector<std::string> components(const std::string& pattern) {
  std::vector<std::string> parts;
  std::size_t at = 0;
  while (at < pattern.size()) {
    const std::size_t slash = std::min(pattern.find('/', at), pattern.size());
    if (slash > at) parts.push_back(pattern.substr(at, slash - at));
    at = slash + 1;
  }
  return parts;
}

class Matcher {
 public:
  Matcher(std::vector<std::string> parts, Listing& listing)
      : parts_(std::move(parts)),
        listing_(listing),
        any_depth_(std::find(parts_.begin(), parts_.end(), "**") != parts_.end()) {}
  std::size_t matches() const { return matches_; }

  // Matches parts_[part...] below `folder` ("" is the working folder).
  void match(const std::string& folder, std::size_t part, std::size_t depth) {
    if (part == parts_.size() || depth > kDeepestFolder) return;
    const std::string& name = parts_[part];
    if (!has_wildcard(name)) {
      const std::string path = joined(folder, name);
      if (exists(path)) found(path, is_folder(path), part, depth);
      return;
    }
    std::vector<FolderEntry> entries;
    if (!read_folder(folder.empty() ? "." : folder, entries)) return;
    if (name == "**") {
      // A link to a folder on the way here would never end.
      std::pair<FolderId, std::size_t> place{{}, part};
      if (!folder_id(folder.empty() ? "." : folder, place.first)) return;
      if (std::find(above_.begin(), above_.end(), place) != above_.end()) {
        ++listing_.skipped["folder loop"];
        return;
      }
      above_.push_back(place);
      // ** stands for no folder, or for one more and ** again.
      if (part + 1 < parts_.size()) match(folder, part + 1, depth);
      for (const FolderEntry& entry : entries) {
        if (entry.name.front() == '.') continue;
        const std::string path = joined(folder, entry.name);
        if (entry.kind == FolderEntry::Kind::folder) match(path, part, depth + 1);
        if (entry.kind == FolderEntry::Kind::file && part + 1 == parts_.size()) found(path, false, part, depth);
      }
      above_.pop_back();
      return;
    }
    for (const FolderEntry& entry : entries) {
      if (::fnmatch(name.c_str(), entry.name.c_str(), FNM_PERIOD) != 0) continue;
      if (entry.kind == FolderEntry::Kind::other) {
        ++listing_.skipped["no file"];
        continue;
      }
      found(joined(folder, entry.name), entry.kind == FolderEntry::Kind::folder, part, depth);
    }
  }

 private:
  void found(const std::string& path, bool folder, std::size_t part, std::size_t depth) {
    if (part + 1 < parts_.size()) {
      if (folder) match(path, part + 1, depth + 1);
      return;
    }
    if (!folder) {
      listing_.offer(path);
    } else if (!any_depth_) {
      list_folder(path, listing_);
    } else {
      return;
    }
    ++matches_;
  }

  std::vector<std::string> parts_;
  Listing& listing_;
  bool any_depth_;
  std::size_t matches_ = 0;
  std::vector<std::pair<FolderId, std::size_t>> above_;  // folders between the root and here under each **
};

}  // namespace

bool is_glob(const std::string& source) { return has_wildcard(source); }

void list_glob(const std::string& source, Listing& listing) {
  Matcher matcher(components(source), listing);
  matcher.match(source.front() == '/' ? "/" : "", 0, 0);
  if (matcher.matches() == 0) {
    throw Error(ErrorCode::not_found, printable(source), "the glob matches no file; check it with ls");
  }
}

}  // namespace ptrun::job
