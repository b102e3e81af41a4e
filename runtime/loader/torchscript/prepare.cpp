#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/constants.h>

#include <map>
#include <string_view>
#include <tuple>

#include "core/text.h"
#include "loader/torchscript/program.h"
#include "ptrun/error.h"

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

// float32 forms of reduced tensors, one for each tensor however many names it has. A view may have far more elements
// than its storage, so each form is charged before it is made.
class Float32Forms {
 public:
  Float32Forms(const std::string& subject, std::uint64_t limit) : subject_(subject), limit_(limit) {}

  at::Tensor of(const at::Tensor& tensor) {
    const Key key(tensor.const_data_ptr(), tensor.scalar_type(), tensor.sizes().vec(), tensor.strides().vec());
    const auto known = forms_.find(key);
    if (known != forms_.end()) return known->second;
    const auto bytes = static_cast<std::uint64_t>(tensor.numel()) * sizeof(float);
    if (bytes > limit_ - used_) {
      throw Error(ErrorCode::limit_exceeded, subject_,
                  "its float16 and bfloat16 weights take more than " + human_bytes(limit_) +
                      " as float32, the limit; raise LoadOptions::constant_memory_limit");
    }
    used_ += bytes;
    // The key names memory that must not become another tensor's.
    kept_.push_back(tensor);
    return forms_.emplace(key, tensor.detach().to(at::kFloat)).first->second;
  }

 private:
  using Key = std::tuple<const void*, at::ScalarType, std::vector<std::int64_t>, std::vector<std::int64_t>>;

  const std::string& subject_;
  std::uint64_t limit_;
  std::uint64_t used_ = 0;
  std::map<Key, at::Tensor> forms_;
  std::vector<at::Tensor> kept_;
};

// Puts `value` in place of a constant node, which goes: its old value may be large.
void replace_constant(Node* node, const c10::IValue& value) {
  {
    const torch::jit::WithInsertPoint guard(node);
    node->output()->replaceAllUsesWith(node->owningGraph()->insertConstant(value));
  }
  node->destroy();
}

class Preparer {
 public:
  // Without `forms` dtypes stay as they are.
  Preparer(const Device& device, Float32Forms* forms) : device_(torch_device(device)), forms_(forms) {}

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
    } else if (value.isTensor() && value.toTensor().defined() && forms_ != nullptr && is_reduced(value.toTensor())) {
      object.setSlot(slot, forms_->of(value.toTensor()));
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
    } else if (name == "aten::cuda") {
      // To a constant device, which a plan for another one can name again.
      const torch::jit::WithInsertPoint guard(node);
      Graph* graph = node->owningGraph();
      Value* moved = graph->insert(c10::aten::to, {node->input(0), graph->insertConstant(device_)});
      moved->setType(c10::TensorType::get());
      node->output()->replaceAllUsesWith(moved);
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
    } else if (value->isTensor() && forms_ != nullptr && is_reduced(value->toTensor())) {
      replace_constant(node, forms_->of(value->toTensor()));
      done.half_precision = true;
    }
  }

  // dtype arguments are plain integers; only the schema tells them from others.
  static void prepare_dtypes(Node* node) {
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
  Float32Forms* forms_;
};

}  // namespace

Preparation prepare_program(torch::jit::Module& module, const Device& device, const std::string& subject,
                            std::uint64_t memory_limit) {
  Float32Forms forms(subject, memory_limit);
  Preparer preparer(device, &forms);
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
  Preparer preparer(device, nullptr);
  preparer.run(graph.block());
  return preparer.done.devices;
}

}  // namespace ptrun::torchscript
