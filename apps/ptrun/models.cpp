// ptrun models: the architectures and published weights that this build knows.
#include "ptrun/models.h"

#include "command.h"

namespace ptrun::tool {
int run_models(const Arguments& arguments, Console& console) {
  if (!arguments.words().empty()) throw UsageError(arguments.words().front() + ": ptrun models takes no words");
  const ModelTables& tables = builtin_models();
  std::string text = "Architectures (--arch) that weights files are recognised as:\n";
  for (const Architecture& architecture : tables.architectures) {
    text += "  " + std::string(architecture.family) + ":";
    for (const std::string_view variant : architecture.variants) text += " " + std::string(variant);
    text += '\n';
  }
  text += "Published weights (--preset) with known preprocessing:\n";
  for (const PublishedWeights& weights : tables.published) {
    text += "  " + std::string(weights.name);
    if (!weights.file_name.empty()) text += "  " + std::string(weights.file_name);
    text += '\n';
  }
  console.write_result(text);
  return kDone;
}

}  // namespace ptrun::tool
