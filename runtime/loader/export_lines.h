// The Python lines that turn a file which cannot run into one that can.
#pragma once

#include <string>

namespace ptrun {

struct ExportRequest {
  std::string path;
  std::string module_class;  // "my_package.Net"; empty when unknown
  std::string where;         // key of the weights or the module in the file: "model", "model.state_dict"
  bool whole_module = false;
  bool exported_program = false;  // .pt2: torch.export.load instead of torch.load
};

// Several lines, each valid Python or a comment, without a newline at the end.
std::string export_lines(const ExportRequest& request);

// The same for a whole module in one line, for messages.
std::string export_line(const ExportRequest& request);

}  // namespace ptrun
