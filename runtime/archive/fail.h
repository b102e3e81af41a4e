// How this room refuses: messages put together from parts, thrown as ptrun::Error.
#pragma once

#include <cstdint>
#include <sstream>
#include <string>

#include "core/text.h"
#include "ptrun/error.h"

namespace ptrun::archive {

// Parts joined into one text; strings from a file go through printable() first.
template <typename... Parts>
std::string text_of(const Parts&... parts) {
  std::ostringstream stream;
  (stream << ... << parts);
  return stream.str();
}

template <typename... Parts>
[[noreturn]] void fail(ErrorCode code, const std::string& subject, const Parts&... parts) {
  throw Error(code, subject, text_of(parts...));
}

// For bytes that no writer makes: damaged, truncated or made to do harm.
template <typename... Parts>
[[noreturn]] void fail_bad(const std::string& subject, const Parts&... parts) {
  throw Error(ErrorCode::bad_model, subject, text_of(parts...));
}

template <typename... Parts>
[[noreturn]] void fail_limit(const std::string& subject, const Parts&... parts) {
  throw Error(ErrorCode::limit_exceeded, subject, text_of(parts...));
}

// 'name' for messages, safe to show. Not called "quoted": std::quoted would be found instead, and it escapes nothing.
inline std::string in_quotes(std::string_view name) { return "'" + printable(name, 120) + "'"; }

// False when the result does not fit.
inline bool multiply(std::uint64_t a, std::uint64_t b, std::uint64_t& product) {
  return !__builtin_mul_overflow(a, b, &product);
}
inline bool add(std::uint64_t a, std::uint64_t b, std::uint64_t& sum) { return !__builtin_add_overflow(a, b, &sum); }

}  // namespace ptrun::archive
