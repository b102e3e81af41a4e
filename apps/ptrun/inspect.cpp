// ptrun inspect: what a model file is, without running anything from it.
#include "ptrun/inspect.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "command.h"
#include "ptrun/text.h"

namespace ptrun::tool {
namespace {

constexpr std::size_t kTensorsShown = 20;

// "name:   value  (source)" lines with their values in one column; a row without a name goes on with the one above.
class Lines {
 public:
  void add(const std::string& name, const std::string& value, const std::string& source = {}) {
    rows_.push_back({name.empty() ? name : printable(name) + ":",
                     printable(value, 2000) + (source.empty() ? source : "  (" + printable(source) + ")")});
  }
  void add(const std::string& name, const std::vector<std::string>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) add(i == 0 ? name : "", values[i]);
  }
  std::string text() const {
    std::size_t width = 0;
    for (const auto& [name, value] : rows_) width = std::max(width, name.size());
    std::string all;
    for (const auto& [name, value] : rows_) all += name + std::string(width - name.size() + 1, ' ') + value + '\n';
    return all;
  }

 private:
  std::vector<std::pair<std::string, std::string>> rows_;
};

std::string as_text(const Inspection& found, bool all_tensors) {
  Lines lines;
  lines.add("file", found.path);
  lines.add("kind", found.kind + ", " + found.description);
  lines.add("runs", found.runnable ? "yes" : "no");
  lines.add("size", std::to_string(found.file_size) + " bytes");
  for (const Finding& finding : found.findings) lines.add(finding.name, finding.value, finding.source);
  if (found.parameters > 0) lines.add("parameters", std::to_string(found.parameters));
  lines.add("classes", found.classes);
  lines.add("operators", found.operators);
  lines.add("missing operators", found.missing_operators);
  if (!found.tensors.empty()) lines.add("tensors", std::to_string(found.tensors.size()));
  std::string text = lines.text();
  const std::size_t shown = all_tensors ? found.tensors.size() : std::min(found.tensors.size(), kTensorsShown);
  for (std::size_t i = 0; i < shown; ++i) {
    std::string shape;
    for (const std::int64_t size : found.tensors[i].shape) shape += (shape.empty() ? "" : ", ") + std::to_string(size);
    text += "  " + printable(found.tensors[i].name) + " [" + shape + "]\n";
  }
  if (shown < found.tensors.size())
    text += "  and " + std::to_string(found.tensors.size() - shown) + " more, --tensors lists all\n";
  if (!found.explanation.empty()) {
    // Several lines, some of them Python to copy: each is made safe by itself.
    text += '\n';
    std::size_t at = 0;
    while (at < found.explanation.size()) {
      const std::size_t end = std::min(found.explanation.find('\n', at), found.explanation.size());
      text += printable(found.explanation.substr(at, end - at), 2000) + '\n';
      at = end + 1;
    }
  }
  return text;
}

}  // namespace

int run_inspect(const Arguments& arguments, Console& console) {
  if (arguments.words().size() != 1) {
    throw UsageError(std::to_string(arguments.words().size()) +
                     " files were given, expected one; usage: ptrun inspect " + command_named("inspect").usage);
  }
  InspectOptions options;
  options.verify = arguments.has("verify");
  const Inspection found = exit_on_error(kModelFailed, [&] { return inspect(arguments.words().front(), options); });
  console.write_result(arguments.has("json") ? to_json(found) + '\n' : as_text(found, arguments.has("tensors")));
  return kDone;
}

}  // namespace ptrun::tool
