#include "executor/batch.h"

#include <ATen/ATen.h>

namespace ptrun {

at::Tensor pad_batch(const at::Tensor& batch, std::int64_t size) {
  const std::int64_t count = batch.size(0);
  if (count == size) return batch;
  std::vector<std::int64_t> shape = batch.sizes().vec();
  shape[0] = size;
  at::Tensor padded = at::empty(shape, batch.options());
  padded.narrow(0, 0, count).copy_(batch);
  padded.narrow(0, count, size - count).copy_(batch.narrow(0, count - 1, 1));
  return padded;
}

// NOLINTNEXTLINE(misc-no-recursion): the depth is that of the module's output type.
c10::IValue map_tensors(const c10::IValue& tree, const std::function<at::Tensor(const at::Tensor&)>& change) {
  if (tree.isTensor()) return change(tree.toTensor());
  if (tree.isTuple()) {
    std::vector<c10::IValue> elements;
    for (const c10::IValue& element : tree.toTupleRef().elements()) elements.push_back(map_tensors(element, change));
    return c10::ivalue::Tuple::create(std::move(elements));
  }
  if (tree.isList()) {
    const c10::List<c10::IValue> list = tree.toList();
    c10::impl::GenericList changed(list.elementType());
    for (const c10::IValue& element : list) changed.push_back(map_tensors(element, change));
    return changed;
  }
  if (tree.isGenericDict()) {
    const auto dict = tree.toGenericDict();
    c10::impl::GenericDict changed(dict.keyType(), dict.valueType());
    for (const auto& item : dict) changed.insert(item.key(), map_tensors(item.value(), change));
    return changed;
  }
  return tree;
}

c10::IValue cut_batch(const c10::IValue& output, std::int64_t size, std::int64_t count) {
  if (size == count) return output;
  return map_tensors(output, [&](const at::Tensor& tensor) {
    return tensor.defined() && tensor.dim() > 0 && tensor.size(0) == size ? tensor.narrow(0, 0, count) : tensor;
  });
}

}  // namespace ptrun
