// ptrun inspect: what a model file is, without running anything from it.
#include "ptrun/inspect.h"

#include <algorithm>

#include "command.h"
#include "ptrun/text.h"

namespace ptrun::tool {
namespace {

constexpr std::size_t kTensorsShown = 20;

std::vector<OptionGroup> options() {
  return {{"Inspect",
           {{"json", "", "One JSON object, schema 1, with every tensor"},
            {"verify", "", "Read every record and check its CRC"},
            {"tensors", "", "List all tensors"},
            {"h,help", "", "This help"}}}};
}

std::string line(const std::string& name, const std::string& value, const std::string& source = {}) {
  std::string text = name + ":" + std::string(name.size() < 15 ? 15 - name.size() : 1, ' ') + printable(value, 2000);
  if (!source.empty()) text += "  (" + printable(source) + ")";
  return text + '\n';
}

std::string list(const std::string& title, const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += line(text.empty() ? title : "", item);
  return text;
}

std::string as_text(const Inspection& found, bool all_tensors) {
  std::string text = line("file", found.path) + line("kind", found.kind + ", " + found.description);
  text += line("runs", found.runnable ? "yes" : "no");
  text += line("size", std::to_string(found.file_size) + " bytes");
  for (const Finding& finding : found.findings) text += line(finding.name, finding.value, finding.source);
  if (found.parameters > 0) text += line("parameters", std::to_string(found.parameters));
  text += list("classes", found.classes);
  text += list("operators", found.operators);
  text += list("missing", found.missing_operators);
  if (!found.tensors.empty()) text += line("tensors", std::to_string(found.tensors.size()));
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

int run(const Arguments& arguments, Console& console) {
  if (arguments.words().size() != 1) {
    throw UsageError(std::to_string(arguments.words().size()) +
                     " files were given, expected one; usage: ptrun inspect " + kInspect.usage);
  }
  InspectOptions options;
  options.verify = arguments.has("verify");
  const Inspection found = exit_on_error(kModelFailed, [&] { return inspect(arguments.words().front(), options); });
  console.write_result(arguments.has("json") ? to_json(found) + '\n' : as_text(found, arguments.has("tensors")));
  return kDone;
}

}  // namespace

const Command kInspect = {"inspect",
                          "say what a model file is, without running anything from it",
                          "MODEL [--json] [--verify]",
                          "Exit code 0 whenever the file was recognised, also when it cannot run.\n",
                          options,
                          run};

}  // namespace ptrun::tool
