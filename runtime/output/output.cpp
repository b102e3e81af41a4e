#include "output/output.h"

#include <algorithm>

#include "core/text.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

bool is_any_case_suffix(std::string_view text, std::string_view suffix) {
  if (suffix.empty() || text.size() < suffix.size()) return false;
  text.remove_prefix(text.size() - suffix.size());
  return std::equal(text.begin(), text.end(), suffix.begin(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b; });
}

}  // namespace

const std::vector<OutputFormat>& output_format_table() {
  static const std::vector<OutputFormat> kTable = {
      {"jsonl", ".jsonl", {}, false, make_jsonl_writer},
      {"csv", ".csv", {Task::classify, Task::detect, Task::segment, Task::keypoints}, true, make_csv_writer},
      {"npz", ".npz", {Task::tensors}, true, make_npz_writer},
      {"table", "", {}, false, make_table_writer},
  };
  return kTable;
}

const OutputFormat& output_format_for(std::string_view path) {
  std::vector<std::string> known;
  for (const OutputFormat& format : output_format_table()) {
    if (is_any_case_suffix(path, format.extension)) return format;
    if (!format.extension.empty()) known.emplace_back(format.extension);
  }
  const std::string subject = printable(path);
  if (!path.empty() && path.back() == '/') {
    throw Error(ErrorCode::invalid_argument, subject,
                "a folder was found, expected a file of results; give a name that ends in one of " + join_some(known));
  }
  const std::size_t name = path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/') + 1;
  const std::size_t dot = path.rfind('.');
  const bool has_extension = dot != std::string_view::npos && dot > name;
  const std::string extension(has_extension ? path.substr(dot) : std::string_view());
  const std::string nearest = extension.empty() ? std::string() : nearest_match(extension, known);
  throw Error(
      ErrorCode::invalid_argument, subject,
      (extension.empty() ? std::string("no ending was found") : "the ending " + printable(extension) + " was found") +
          ", expected one of " + join_some(known) +
          (nearest.empty() ? "; the format follows from the name" : "; did you mean " + nearest + "?"));
}

const OutputFormat& output_format_named(std::string_view name) {
  std::vector<std::string> known;
  for (const OutputFormat& format : output_format_table()) {
    if (format.name == name) return format;
    known.emplace_back(format.name);
  }
  const std::string nearest = nearest_match(name, known);
  throw Error(ErrorCode::invalid_argument, "output format",
              printable(name) + " was found, expected one of " + join_some(known) +
                  (nearest.empty() ? "" : "; did you mean " + nearest + "?"));
}

bool fits(const OutputFormat& format, Task task) {
  return format.tasks.empty() || std::find(format.tasks.begin(), format.tasks.end(), task) != format.tasks.end();
}

}  // namespace ptrun
