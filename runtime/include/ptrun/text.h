// Small helpers that a program around the library needs to show foreign text and to answer typing slips.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "ptrun/export.h"

namespace ptrun {

// `text` with control characters, invalid UTF-8 and bidirectional overrides as \xNN or \u{N}, cut to
// `max_bytes` with "..." when longer. For messages, tables and logs. Any thread.
PTRUN_API std::string printable(std::string_view text, std::size_t max_bytes = 200);

// The one of `candidates` nearest to `word` by edit distance, or empty when none is near. Any thread.
PTRUN_API std::string nearest_match(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace ptrun
