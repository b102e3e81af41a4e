#include "inputs.h"

#include "command.h"
#include "figures.h"
#include "predict_options.h"
#include "ptrun/text.h"

namespace ptrun::tool {
namespace {

std::string skipped_text(const InputList& inputs) {
  std::string text;
  for (const SkippedNames& names : inputs.skipped) {
    text += (text.empty() ? "" : ", ") + std::to_string(names.count) + " " + names.what;
  }
  return text;
}

}  // namespace

InputList image_list(const char* command, const Arguments& arguments, Console& console) {
  const SourceOptions options = source_options(arguments);
  if (options.sources.empty()) {
    throw UsageError("no image was given; usage: ptrun " + std::string(command) + " " + command_named(command).usage);
  }
  InputList inputs = exit_on_error(kUsage, [&] { return list_inputs(options); });
  const std::size_t skipped = inputs.skipped_count();
  if (inputs.paths.empty()) {
    throw Exit(kUsage, "no images were found" +
                           (skipped == 0 ? std::string()
                                         : "; " + counted(skipped, "name") + " skipped: " + skipped_text(inputs) +
                                               "; --all-files takes every file that is not hidden"));
  }
  if (skipped > 0) {
    console.log(LogLevel::warning,
                counted(skipped, "name") + " in folders and globs skipped (" + skipped_text(inputs) + ")");
  }
  return inputs;
}

LoadOptions load_options(const Arguments& arguments) {
  LoadOptions options;
  options.architecture = arguments.text("arch").value_or("");
  options.task = arguments.text("task").value_or("auto");
  if (options.task == "auto") options.task.clear();
  options.labels_file = arguments.text("labels").value_or("");
  options.preset_name = arguments.text("preset").value_or("");
  options.trust = arguments.has("trust");
  options.trust_native_code = arguments.has("trust-native-code");
  options.operator_libraries = arguments.all("op-library");
  options.preset = preset_layer(arguments);
  return options;
}

}  // namespace ptrun::tool
