// Foreign text made safe to show, and small helpers for messages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ptrun {

// `text` with control characters, invalid UTF-8 and bidirectional overrides as \xNN or \u{N}, cut to
// `max_bytes` with "..." when longer. For messages, tables and logs.
std::string printable(std::string_view text, std::size_t max_bytes = 200);

// True when `text` is well-formed UTF-8 (no overlong forms, no surrogates).
bool is_utf8(std::string_view text);

// The one of `candidates` nearest to `word` by edit distance, or empty when none is near.
std::string nearest_match(std::string_view word, const std::vector<std::string>& candidates);

// "1.2 GiB", "340 bytes".
std::string human_bytes(std::uint64_t bytes);

// `items` joined with ", "; after `max_items` the rest is counted: "a, b and 7 more".
std::string join_some(const std::vector<std::string>& items, std::size_t max_items = 10);

}  // namespace ptrun
