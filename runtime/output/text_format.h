// Numbers and text as bytes of a file: what jsonl, csv and table share.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ptrun {

// `value` with 6 significant digits, without trailing zeros: "0.512031", "1", "1e-05". A JSON number for every
// finite value; "null" for NaN and infinity, which JSON cannot say.
void append_6_digits(std::string& out, double value);
// The shortest text that reads back as the same float or double; "null" for NaN and infinity.
void append_shortest(std::string& out, float value);
void append_shortest(std::string& out, double value);
void append_integer(std::string& out, long long value);

// `text` as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

// `text` with each byte that is not UTF-8 as U+FFFD.
std::string valid_utf8(std::string_view text);

// RFC 4648 base64 with padding.
std::string base64(std::string_view bytes);

// Columns that a terminal gives to `text`, which is UTF-8 without control characters: East Asian wide characters and
// emoji take two, combining marks none. Unicode 15; independent of the process's locale.
std::size_t display_width(std::string_view text);

}  // namespace ptrun
