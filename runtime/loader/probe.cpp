#include "loader/probe.h"

#include <ATen/ATen.h>
#include <ATen/core/ivalue.h>
#include <c10/core/InferenceMode.h>

#include "core/text.h"
#include "graph/jit_api.h"

namespace ptrun {
namespace {

void add_shapes(const c10::IValue& value, std::vector<std::vector<std::int64_t>>& shapes) {
  if (value.isTensor()) shapes.push_back(value.toTensor().sizes().vec());
  if (!value.isTuple()) return;
  for (const c10::IValue& item : value.toTupleRef().elements()) add_shapes(item, shapes);
}

// LibTorch puts the reason last and frames of its interpreter before it.
std::string reason_of(const std::exception& error) {
  std::string text = error.what();
  text.resize(std::min(text.find("\nException raised from"), text.size()));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  const std::size_t line = text.rfind('\n');
  return printable(std::string_view(text).substr(line == std::string::npos ? 0 : line + 1), 300);
}

}  // namespace

ProbeResult probe_graph(const GraphModule& module, std::int64_t channels, const std::vector<int>& sizes) {
  ProbeResult result;
  const c10::InferenceMode guard;
  for (const int size : sizes) {
    try {
      const jit::Program program(module.graph);
      const at::Tensor image = at::full({1, channels, size, size}, 0.5, at::kFloat);
      add_shapes(program.run({image}), result.outputs);
      result.ran = true;
      result.size = size;
      return result;
    } catch (const std::exception& error) {
      if (!result.fixed_size) result.failure = reason_of(error);
      result.fixed_size = true;
      result.outputs.clear();
    }
  }
  return result;
}

}  // namespace ptrun
