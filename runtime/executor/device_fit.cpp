// Which device a model can run on: `auto` must never choose one that it cannot.
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/jit/ir/ir.h>

#include <string_view>

#include "executor/executor.h"
#include "executor/plan.h"

namespace ptrun {
namespace {

// LibTorch's own operators have kernels for every device, or say when they run that they have none.
bool may_lack_a_kernel(const torch::jit::Node& node) {
  const std::string_view space = node.kind().ns().toUnqualString();
  return space != "aten" && space != "prim";
}

bool has_cuda_kernel(const torch::jit::Node& node) {
  const c10::FunctionSchema* schema = node.maybeSchema();
  if (schema == nullptr) return false;
  const auto handle = c10::Dispatcher::singleton().findOp(schema->operator_name());
  return handle.has_value() && (handle->hasKernelForDispatchKey(c10::DispatchKey::CUDA) ||
                                handle->hasKernelForDispatchKey(c10::DispatchKey::CompositeImplicitAutograd) ||
                                handle->hasKernelForDispatchKey(c10::DispatchKey::CompositeExplicitAutograd));
}

// NOLINTNEXTLINE(misc-no-recursion): the depth is that of the graph's blocks.
std::string cpu_only_operator(const torch::jit::Block* block) {
  for (const torch::jit::Node* node : block->nodes()) {
    for (const torch::jit::Block* inner : node->blocks()) {
      std::string name = cpu_only_operator(inner);
      if (!name.empty()) return name;
    }
    if (may_lack_a_kernel(*node) && !has_cuda_kernel(*node)) return node->kind().toQualString();
  }
  return {};
}

}  // namespace

std::string why_not_cuda(const Module& module) {
  if (std::holds_alternative<NativeModule>(module)) return "its native code was compiled for the CPU";
  const auto* graph = std::get_if<GraphModule>(&module);
  if (graph == nullptr) return "it changes its own attributes and runs through LibTorch's interpreter as it is";
  const std::string name = cpu_only_operator(graph->graph->block());
  return name.empty() ? name : "its operator " + name + " has no CUDA kernel here";
}

bool accepts_cuda(const Module& module) { return why_not_cuda(module).empty(); }

Device fit_device(const Model& model, const Device& device, const LogCallback& log) {
  if (device.kind == Device::Kind::cpu) return device;
  const std::string why = why_not_cuda(model.impl().module);
  if (why.empty()) return device;
  if (log) log(LogLevel::info, model.path() + ": runs on the CPU and not on " + to_string(device) + ", because " + why);
  return Device{};
}

}  // namespace ptrun
