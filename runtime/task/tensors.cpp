// The module's raw outputs, the tree flattened: a tensor keeps its name from the signature, others are named by their
// place ("0", "1.boxes").
#include <ATen/ATen.h>

#include <cstring>

#include "graph/dtype.h"
#include "ptrun/error.h"
#include "task/heads.h"

namespace ptrun {
namespace {

struct Leaf {
  std::string name;
  at::Tensor tensor;
};

std::string joined(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

const OutputNode* child_of(const OutputNode* node, std::size_t index) {
  return node != nullptr && index < node->children.size() ? &node->children[index] : nullptr;
}

// Name of child `index` of a sequence: the signature's where it gives one.
std::string child_name(const OutputNode* node, std::size_t index) {
  if (const OutputNode* child = child_of(node, index)) {
    if (!child->name.empty()) return child->name;
    if (!child->spec.name.empty()) return child->spec.name;
  }
  return std::to_string(index);
}

// NOLINTNEXTLINE(misc-no-recursion): the depth is that of the module's output type.
void flatten(const c10::IValue& value, const OutputNode* node, const std::string& name, std::vector<Leaf>& leaves) {
  if (value.isTensor()) {
    leaves.push_back({name, value.toTensor()});
  } else if (value.isTuple()) {
    const auto& elements = value.toTupleRef().elements();
    for (std::size_t i = 0; i < elements.size(); ++i) {
      flatten(elements[i], child_of(node, i), joined(name, child_name(node, i)), leaves);
    }
  } else if (value.isList()) {
    const auto list = value.toList();
    for (std::size_t i = 0; i < list.size(); ++i) {
      flatten(list.get(i), child_of(node, i), joined(name, child_name(node, i)), leaves);
    }
  } else if (value.isGenericDict()) {
    for (const auto& item : value.toGenericDict()) {
      const std::string key = item.key().isString() ? item.key().toStringRef() : std::to_string(item.key().toInt());
      flatten(item.value(), nullptr, joined(name, key), leaves);
    }
  } else if (value.isInt() || value.isDouble() || value.isBool()) {
    leaves.push_back({name, at::scalar_tensor(value.toScalar())});
  }
}

class Tensors : public TaskHead {
 public:
  explicit Tensors(const Model& model) : model_(model) {}

  void read(const c10::IValue& output, std::vector<Outcome>& outcomes) const override {
    const Signature& signature = model_.signature();
    if (signature.form == InputForm::list_chw) {
      read_list(output, outcomes);
      return;
    }
    const OutputNode& root = signature.output;
    std::string name;
    if (output.isTensor()) name = root.spec.name.empty() ? "output" : root.spec.name;
    std::vector<Leaf> leaves;
    flatten(output, &root, name, leaves);
    if (leaves.empty()) {
      throw Error(ErrorCode::model_failed, model_.path(),
                  "returned a " + output.tagKind() + " without any tensor, expected at least one");
    }
    const auto images = static_cast<std::int64_t>(outcomes.size());
    for (const Leaf& leaf : leaves) {
      const at::Tensor tensor = leaf.tensor.to(at::kCPU).contiguous();
      const bool batched = tensor.dim() > 0 && tensor.size(0) == images;
      // A tensor without the batch in it belongs to every image.
      for (std::int64_t i = 0; i < images; ++i) {
        Outcome& outcome = outcomes[static_cast<std::size_t>(i)];
        if (outcome.ok()) append(leaf.name, batched ? tensor.select(0, i) : tensor, false, outcome);
      }
    }
  }

 private:
  void read_list(const c10::IValue& output, std::vector<Outcome>& outcomes) const {
    const c10::List<c10::IValue> list = image_entries(model_, output, outcomes.size());
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (!outcomes[i].ok()) continue;
      const c10::IValue entry = list.get(i);
      std::vector<Leaf> leaves;
      flatten(entry, nullptr, entry.isTensor() ? "output" : "", leaves);
      for (const Leaf& leaf : leaves) {
        if (outcomes[i].ok()) append(leaf.name, leaf.tensor.to(at::kCPU).contiguous(), true, outcomes[i]);
      }
    }
  }

  void append(const std::string& name, const at::Tensor& tensor, bool per_image, Outcome& outcome) const {
    if (tensor.is_floating_point() && !at::isfinite(tensor).all().item<bool>()) {
      fail_image(outcome, model_.path() + ": output " + name +
                              " holds NaN or infinite numbers for this image, expected finite ones");
      return;
    }
    Prediction& prediction = *outcome.prediction;
    prediction.task = Task::tensors;
    TensorOutput result;
    result.name = name;
    result.dtype = dtype_of(tensor.scalar_type());
    result.shape = tensor.sizes().vec();
    result.per_image = per_image;
    result.data.resize(tensor.nbytes());
    if (!result.data.empty()) std::memcpy(result.data.data(), tensor.const_data_ptr(), result.data.size());
    prediction.tensors.push_back(std::move(result));
  }

  Model model_;
};

}  // namespace

std::unique_ptr<TaskHead> make_tensors(const Model& model, const PredictOptions& /*options*/) {
  return std::make_unique<Tensors>(model);
}

}  // namespace ptrun
