#include "graph/failure_text.h"

#include <algorithm>
#include <vector>

#include "core/text.h"

namespace ptrun::jit {
namespace {

constexpr std::size_t kLongestCause = 400;
constexpr std::size_t kLongestSource = 160;
constexpr std::string_view kHere = "<--- HERE";
constexpr std::string_view kUsualClass = "RuntimeError: ";
constexpr std::string_view kFile = "  File \"";

std::string_view stripped(std::string_view line) {
  const std::size_t begin = line.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(" \t\r") - begin + 1);
}

// The lines before LibTorch's C++ frames.
std::vector<std::string_view> lines_of(std::string_view text) {
  for (const std::string_view tail : {"Exception raised from", "C++ CapturedTraceback"}) {
    text = text.substr(0, text.find(tail));
  }
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string joined(const std::vector<std::string_view>& lines, std::size_t begin) {
  std::string cause;
  for (std::size_t i = begin; i < lines.size() && cause.size() < kLongestCause; ++i) {
    const std::string_view line = stripped(lines[i]);
    if (!line.empty()) cause.append(cause.empty() ? "" : " ").append(line);
  }
  return printable(cause, kLongestCause);
}

// "RuntimeError: ...": what stands below a trace. Source is indented, so it cannot be taken for one.
bool is_cause(std::string_view line) {
  const std::size_t colon = line.find(": ");
  if (colon == 0 || colon == std::string_view::npos) return false;
  return std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(colon), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

// `  File "code/__torch__.py", line 8, in forward` -> "forward (code/__torch__.py, line 8)".
std::string place_of(std::string_view line) {
  line.remove_prefix(kFile.size());
  const std::size_t quote = line.find('"');
  const std::size_t in = line.rfind(", in ");
  if (quote == std::string_view::npos) return {};
  std::string place = in == std::string_view::npos ? "" : printable(line.substr(in + 5), kLongestSource);
  const std::size_t number = line.find(", line ", quote);
  const std::string_view after = number == std::string_view::npos ? "" : line.substr(number);
  place += std::string(place.empty() ? "(" : " (") + printable(line.substr(0, quote), kLongestSource);
  place += printable(after.substr(0, after.find(", in ")), kLongestSource) + ")";
  return place;
}

}  // namespace

std::string failure_text(std::string_view text) {
  const std::vector<std::string_view> lines = lines_of(text);
  // The innermost call stands last.
  std::size_t here = lines.size();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].find(kHere) != std::string_view::npos) here = i;
  }
  if (here == lines.size()) return joined(lines, 0);
  std::size_t begin = here + 1;
  while (begin < lines.size() && !is_cause(lines[begin])) ++begin;
  if (begin == lines.size()) return joined(lines, 0);
  std::vector<std::string_view> cause(lines.begin() + static_cast<std::ptrdiff_t>(begin), lines.end());
  if (cause[0].substr(0, kUsualClass.size()) == kUsualClass) cause[0].remove_prefix(kUsualClass.size());
  std::string told = joined(cause, 0);
  std::size_t file = here;
  while (file > 0 && lines[file].substr(0, kFile.size()) != kFile) --file;
  const std::string place = lines[file].substr(0, kFile.size()) == kFile ? place_of(lines[file]) : std::string();
  if (!place.empty()) told += ", in " + place;
  if (here > 0 && !place.empty()) told += ": " + printable(stripped(lines[here - 1]), kLongestSource);
  return told;
}

std::string failure_text(const std::exception& error) { return failure_text(std::string_view(error.what())); }

}  // namespace ptrun::jit
