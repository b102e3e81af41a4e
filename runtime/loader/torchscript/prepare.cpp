#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>

#include <string_view>

#include "loader/torchscript/program.h"

namespace ptrun::torchscript {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

constexpr std::int64_t kHalf = static_cast<std::int64_t>(at::kHalf);
constexpr std::int64_t kBFloat16 = static_cast<std::int64_t>(at::kBFloat16);
constexpr std::int64_t kFloat = static_cast<std::int64_t>(at::kFloat);

c10::Device torch_device(const Device& device) {
  if (device.kind == Device::Kind::cpu) return {c10::kCPU};
  return {c10::kCUDA, static_cast<c10::DeviceIndex>(device.index)};
}

bool is_reduced(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kHalf || tensor.scalar_type() == at::kBFloat16;
}

// Puts `value` in place of a constant node's value.
void replace_constant(Node* node, const c10::IValue& value) {
  Graph* graph = node->owningGraph();
  const torch::jit::WithInsertPoint guard(node);
  node->output()->replaceAllUsesWith(graph->insertConstant(value));
}

class Preparer {
 public:
  explicit Preparer(const Device& device) : device_(torch_device(device)) {}

  void run(Block* block) {
    for (auto at = block->nodes().begin(); at != block->nodes().end();) {
      Node* node = *at;
      ++at;  // before the node may go
      for (Block* inner : node->blocks()) run(inner);
      prepare(node);
    }
  }

  void run(const torch::jit::Module& module) {
    for (const torch::jit::Module& part : module.modules()) {
      const auto object = part._ivalue();
      for (std::size_t slot = 0; slot < object->slots().size(); ++slot) prepare_slot(*object, slot);
    }
  }

  bool cast = false;  // float16 and bfloat16 to float32
  Preparation done;

 private:
  void prepare_slot(c10::ivalue::Object& object, std::size_t slot) {
    const c10::IValue& value = object.getSlot(slot);
    if (value.isDevice() && value.toDevice() != device_) {
      object.setSlot(slot, device_);
      done.devices = true;
    } else if (value.isTensor() && value.toTensor().defined() && is_reduced(value.toTensor())) {
      object.setSlot(slot, value.toTensor().detach().to(at::kFloat));
      done.half_precision = true;
    }
  }

  void prepare(Node* node) {
    const std::string_view name = node->kind().toQualString();
    if (name == "prim::Print" || name == "aten::warn" || name == "aten::set_grad_enabled") {
      if (node->hasUses()) return;
      done.messages = done.messages || name != "aten::set_grad_enabled";
      node->destroy();
    } else if (node->kind() == c10::prim::Constant) {
      prepare_constant(node);
    } else if (name == "aten::cuda" && device_.is_cpu()) {
      Node* move = node->owningGraph()->create(c10::Symbol::fromQualString("aten::cpu"), {node->input(0)});
      move->insertBefore(node);
      move->output()->setType(c10::TensorType::get());
      node->output()->replaceAllUsesWith(move->output());
      node->destroy();
      done.devices = true;
    } else if (name == "aten::device" && node->inputs().size() == 1) {
      // torch.device("cuda:0") that was not folded yet.
      const auto text = torch::jit::toIValue(node->input(0));
      if (!text.has_value() || !text->isString()) return;
      const torch::jit::WithInsertPoint guard(node);
      node->output()->replaceAllUsesWith(node->owningGraph()->insertConstant(device_));
      done.devices = true;
    } else if (cast) {
      prepare_dtypes(node);
    }
  }

  void prepare_constant(Node* node) {
    if (node->mustBeNone() || !node->output()->hasUses()) return;
    const auto value = torch::jit::toIValue(node->output());
    if (!value.has_value()) return;
    if (value->isDevice() && value->toDevice() != device_) {
      replace_constant(node, device_);
      done.devices = true;
    } else if (value->isTensor() && is_reduced(value->toTensor())) {
      replace_constant(node, value->toTensor().to(at::kFloat));
      done.half_precision = true;
    }
  }

  // dtype arguments are plain integers; only the schema tells them from others.
  void prepare_dtypes(Node* node) {
    const c10::FunctionSchema* schema = node->maybeSchema();
    if (schema == nullptr) return;
    for (std::size_t i = 0; i < node->inputs().size() && i < schema->arguments().size(); ++i) {
      if (schema->arguments()[i].name() != "dtype") continue;
      const auto value = torch::jit::toIValue(node->input(i));
      if (!value.has_value() || !value->isInt()) continue;
      if (value->toInt() != kHalf && value->toInt() != kBFloat16) continue;
      const torch::jit::WithInsertPoint guard(node);
      node->replaceInput(i, node->owningGraph()->insertConstant(kFloat));
    }
  }

  c10::Device device_;
};

}  // namespace

Preparation prepare_program(torch::jit::Module& module, const Device& device) {
  Preparer preparer(device);
  preparer.run(module);
  const std::vector<torch::jit::Function*> functions = module._ivalue()->compilation_unit()->get_functions();
  const auto run_all = [&] {
    for (torch::jit::Function* function : functions) {
      if (auto* body = torch::jit::tryToGraphFunction(*function)) preparer.run(body->graph()->block());
    }
  };
  run_all();
  if (preparer.done.half_precision) {
    // Once more: dtype arguments follow only when the weights did.
    preparer.cast = true;
    run_all();
  }
  return preparer.done;
}

bool retarget_devices(Graph& graph, const Device& device) {
  Preparer preparer(device);
  preparer.run(graph.block());
  return preparer.done.devices;
}

}  // namespace ptrun::torchscript
