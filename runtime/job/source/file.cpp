// A file named explicitly is always an input, whatever it is: its row says what could not be read.
#include <sys/stat.h>

#include "job/source/source.h"

namespace ptrun::job {

bool is_file(const std::string& source) {
  struct stat info {};
  // lstat: a broken link is there, and gets its row.
  return !source.empty() && ::lstat(source.c_str(), &info) == 0;
}

void list_file(const std::string& source, Listing& listing) { listing.paths.push_back(source); }

}  // namespace ptrun::job
