// Foreign text made safe to show, and small helpers for messages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ptrun/text.h"

namespace ptrun {

// True when `text` is well-formed UTF-8 (no overlong forms, no surrogates).
bool is_utf8(std::string_view text);

// Decodes the code point that begins at `text[at]` into `code`; returns its length in bytes, 0 when malformed
// (overlong forms and surrogates are).
std::size_t decode_utf8(std::string_view text, std::size_t at, char32_t& code);

// "1.2 GiB", "340 bytes".
std::string human_bytes(std::uint64_t bytes);

// `items` joined with ", "; after `max_items` the rest is counted: "a, b and 7 more".
std::string join_some(const std::vector<std::string>& items, std::size_t max_items = 10);

}  // namespace ptrun
