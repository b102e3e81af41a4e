#include "loader/export_lines.h"

#include <algorithm>

#include "core/text.h"

namespace ptrun {
namespace {

// A Python literal of `text`, so that a path with quotes or a newline stays one string.
std::string literal(const std::string& text) {
  std::string quoted = "'";
  for (const char c : printable(text, text.size() * 8 + 8)) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

// ['model']['state_dict'] of "model.state_dict".
std::string subscripts(const std::string& where) {
  std::string text;
  std::size_t at = 0;
  while (at < where.size()) {
    const std::size_t dot = std::min(where.find('.', at), where.size());
    text += '[' + literal(where.substr(at, dot - at)) + ']';
    at = dot + 1;
  }
  return text;
}

constexpr const char* kExample = "torch.rand(1, 3, 224, 224)";

// A name for the export that is not the file's own: who pastes the lines must not lose it.
std::string free_name(const ExportRequest& request, const std::string& stem, const std::string& ending) {
  const std::string file = request.path.substr(request.path.rfind('/') + 1);
  return literal((file == stem + ending ? stem + "_2" : stem) + ending);
}

std::string save_lines(const ExportRequest& request) {
  const std::string example(kExample);
  const std::string script = free_name(request, "exported", ".pt");
  return "torch.jit.trace(model, " + example + ").save(" + script + ")\n" +
         "# or: torch.export.save(torch.export.export(model, (" + example + ",)), " +
         free_name(request, "exported", ".pt2") + ")\n" +
         "# or, where it takes lists of images or gives dicts of boxes: torch.jit.script(model).save(" + script + ")";
}

std::string load_call(const ExportRequest& request) {
  return "torch.load(" + literal(request.path) + ", map_location='cpu', weights_only=False)" +
         subscripts(request.where);
}

}  // namespace

std::string export_line(const ExportRequest& request) {
  return "in Python, where its classes can be imported and if you trust the file: torch.jit.trace(" +
         load_call(request) + ".float().eval(), " + kExample + ").save(" + free_name(request, "exported", ".pt") + ")";
}

std::string export_lines(const ExportRequest& request) {
  const std::string path = literal(request.path);
  std::string text = "In Python:\nimport torch\n";
  if (request.exported_program) {
    return text + "model = torch.export.load(" + path + ").module()\n" + save_lines(request);
  }
  if (request.whole_module) {
    // The module's package has to be importable, under the name it was pickled with.
    const std::string name = printable(request.module_class);
    const std::size_t dot = name.rfind('.');
    if (dot != std::string::npos && name.substr(0, dot) != "__main__") {
      text += "import " + name.substr(0, dot) + "\n";
    }
    text += "# this runs code named in the file: only if you trust where it comes from\n";
    text += "model = " + load_call(request) + ".float().eval()\n";
    return text + save_lines(request) + "\n# or only the weights: torch.save(model.state_dict(), " +
           free_name(request, "weights", ".pt") + ")";
  }
  text += "model = ...  # make the network from the code that trained it\n";
  text += "model.load_state_dict(torch.load(" + path + ", map_location='cpu')" + subscripts(request.where) + ")\n";
  return text + "model.eval()\n" + save_lines(request);
}

}  // namespace ptrun
