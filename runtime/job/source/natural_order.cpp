#include "job/source/natural_order.h"

#include <cstddef>

namespace ptrun::job {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

unsigned char folded(char c) {
  return static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
}

// The run of digits at `at`, leading zeros dropped; `at` moves behind it. Compared as text, so of any length.
std::string_view number_at(std::string_view text, std::size_t& at) {
  std::size_t first = at;
  while (at < text.size() && is_digit(text[at])) ++at;
  while (first + 1 < at && text[first] == '0') ++first;
  return text.substr(first, at - first);
}

}  // namespace

bool natural_less(std::string_view a, std::string_view b) {
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      const std::string_view x = number_at(a, i);
      const std::string_view y = number_at(b, j);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
      continue;
    }
    const unsigned char x = folded(a[i++]);
    const unsigned char y = folded(b[j++]);
    if (x != y) return x < y;
  }
  if (i < a.size() || j < b.size()) return i == a.size();
  return a < b;
}

}  // namespace ptrun::job
