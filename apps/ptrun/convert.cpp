// ptrun convert: the weights of a model file as safetensors or as a plain state_dict.
#include "ptrun/convert.h"

#include <algorithm>

#include "command.h"
#include "ptrun/text.h"

namespace ptrun::tool {
namespace {

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

}  // namespace

int run_convert(const Arguments& arguments, Console& console) {
  const std::string usage = std::string("usage: ptrun convert ") + command_named("convert").usage;
  if (arguments.words().size() != 1) {
    throw UsageError(std::to_string(arguments.words().size()) + " models were given, expected one; " + usage);
  }
  const std::vector<std::string> outputs = arguments.all("output");
  if (outputs.size() != 1) {
    throw UsageError("--output: " + std::to_string(outputs.size()) + " outputs were given, expected one; " + usage);
  }
  ConvertOptions options;
  options.labels_file = arguments.text("labels").value_or("");
  options.preset_name = arguments.text("preset").value_or("");
  options.force = arguments.has("force");
  options.log = console.log_callback();
  const ConvertSummary summary =
      exit_on_error(kModelFailed, [&] { return convert_model(arguments.words().front(), outputs.front(), options); });
  const std::string text = outputs.front() + ": " + std::to_string(summary.tensors) + " tensors" +
                           (summary.architecture.empty() ? "" : " of " + summary.architecture) + ", " +
                           std::to_string(summary.bytes_before) + " bytes became " +
                           std::to_string(summary.bytes_after) +
                           (summary.carried.empty() ? std::string() : "; with " + joined(summary.carried));
  console.event(printable(text, 2000), "{\"output\":" + json_text(printable(outputs.front(), 2000)) +
                                           ",\"tensors\":" + std::to_string(summary.tensors) +
                                           ",\"bytes\":" + std::to_string(summary.bytes_after) + "}");
  return kDone;
}

}  // namespace ptrun::tool
