// "-": paths on standard input, one a line, or NUL separated as "find -print0" writes them.
#include "job/source/source.h"

namespace ptrun::job {

bool is_stdin(const std::string& source) { return source == "-"; }

void list_stdin(const std::string& /*source*/, Listing& listing) {
  read_paths(listing.options.input_descriptor, listing.options.nul_separated ? '\0' : '\n', "standard input", listing);
}

}  // namespace ptrun::job
