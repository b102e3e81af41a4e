// "cuda_eager": the plain graph with its weights on the GPU. Inputs are copied there, the result is copied back.
#include <ATen/ATen.h>
#include <ATen/cuda/CUDAContextLight.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>

#include "executor/cuda_module.h"
#include "graph/jit_api.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

// The tree of tensors, tuples, lists and dicts with every tensor on `device`.
// NOLINTNEXTLINE(misc-no-recursion): the depth is that of the module's output type.
c10::IValue move_to(const c10::IValue& value, const c10::Device& device) {
  if (value.isTensor()) return value.toTensor().defined() ? value.toTensor().to(device) : value;
  if (value.isTuple()) {
    std::vector<c10::IValue> elements;
    for (const c10::IValue& element : value.toTupleRef().elements()) elements.push_back(move_to(element, device));
    return c10::ivalue::Tuple::create(std::move(elements));
  }
  if (value.isList()) {
    const c10::List<c10::IValue> list = value.toList();
    c10::impl::GenericList moved(list.elementType());
    for (const c10::IValue& element : list) moved.push_back(move_to(element, device));
    return moved;
  }
  if (value.isGenericDict()) {
    const auto dict = value.toGenericDict();
    c10::impl::GenericDict moved(dict.keyType(), dict.valueType());
    for (const auto& item : dict) moved.insert(item.key(), move_to(item.value(), device));
    return moved;
  }
  return value;
}

// NOLINTNEXTLINE(misc-no-recursion): the depth is that of the constant.
bool holds_tensor(const c10::IValue& value) {
  if (value.isTensor()) return value.toTensor().defined();
  if (value.isTuple()) {
    const auto& elements = value.toTupleRef().elements();
    return std::any_of(elements.begin(), elements.end(), holds_tensor);
  }
  if (value.isList()) {
    const auto elements = value.toListRef();
    return std::any_of(elements.begin(), elements.end(), holds_tensor);
  }
  if (!value.isGenericDict()) return false;
  for (const auto& item : value.toGenericDict()) {
    if (holds_tensor(item.value())) return true;
  }
  return false;
}

// Weights are constants of the graph, alone or in lists, tuples and dicts; those below If and Loop too.
// NOLINTNEXTLINE(misc-no-recursion): the depth is that of the graph's blocks.
void move_constants(torch::jit::Block* block, const c10::Device& device) {
  for (auto at = block->nodes().begin(); at != block->nodes().end();) {
    torch::jit::Node* node = *at;
    ++at;  // before the node may go
    for (torch::jit::Block* inner : node->blocks()) move_constants(inner, device);
    if (node->kind() != c10::prim::Constant) continue;
    const auto value = torch::jit::toIValue(node->output());
    if (!value.has_value() || !holds_tensor(*value)) continue;
    const torch::jit::WithInsertPoint guard(node);
    torch::jit::Value* moved = node->owningGraph()->insertConstant(move_to(*value, device));
    moved->setType(node->output()->type());
    node->output()->replaceAllUsesWith(moved);
    node->destroy();
  }
}

std::shared_ptr<torch::jit::Graph> on_device(const GraphModule& module, const c10::Device& device) {
  std::shared_ptr<torch::jit::Graph> graph = module.graph->copy();
  move_constants(graph->block(), device);
  return graph;
}

// A GPU that is out of memory is no fault of the model.
template <typename Work>
auto translated(const c10::Device& device, const Work& work) {
  try {
    return work();
  } catch (const c10::OutOfMemoryError&) {
    throw Error(ErrorCode::model_failed, device.str(), "its memory is full; lower --batch-size or use --device cpu");
  }
}

class CudaPlan : public Plan {
 public:
  CudaPlan(const GraphModule& module, const c10::Device& device)
      : device_(device), program_(on_device(module, device)) {}

  c10::IValue run(std::vector<c10::IValue> inputs) const override {
    return translated(device_, [&] {
      const c10::InferenceMode inference;
      const c10::DeviceGuard guard(device_);
      for (c10::IValue& input : inputs) input = move_to(input, device_);
      // The copy back waits for the kernels.
      return move_to(program_.run(std::move(inputs)), c10::Device(c10::kCPU));
    });
  }

 private:
  c10::Device device_;
  jit::Program program_;
};

int device_count() { return c10::cuda::device_count(); }

std::string device_name(int index) {
  return static_cast<const char*>(at::cuda::getDeviceProperties(static_cast<c10::DeviceIndex>(index))->name);
}

std::unique_ptr<Plan> make_plan(const Module& module, const Device& device) {
  const c10::Device gpu(c10::kCUDA, static_cast<c10::DeviceIndex>(device.index));
  return translated(
      gpu, [&]() -> std::unique_ptr<Plan> { return std::make_unique<CudaPlan>(std::get<GraphModule>(module), gpu); });
}

}  // namespace
}  // namespace ptrun

extern "C" __attribute__((visibility("default"))) const ptrun::CudaModule* ptrun_cuda_module() {
  static const ptrun::CudaModule module = {ptrun::kCudaModuleVersion, ptrun::device_count, ptrun::device_name,
                                           ptrun::make_plan};
  return &module;
}
