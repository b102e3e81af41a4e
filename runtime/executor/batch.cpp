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

c10::IValue cut_batch(const c10::IValue& output, std::int64_t size, std::int64_t count) {
  if (size == count) return output;
  if (output.isTensor()) {
    const at::Tensor& tensor = output.toTensor();
    return tensor.defined() && tensor.dim() > 0 && tensor.size(0) == size ? tensor.narrow(0, 0, count) : tensor;
  }
  if (output.isTuple()) {
    std::vector<c10::IValue> elements;
    for (const c10::IValue& element : output.toTupleRef().elements()) {
      elements.push_back(cut_batch(element, size, count));
    }
    return c10::ivalue::Tuple::create(std::move(elements));
  }
  if (output.isList()) {
    const c10::List<c10::IValue> list = output.toList();
    c10::impl::GenericList cut(list.elementType());
    for (const c10::IValue& element : list) cut.push_back(cut_batch(element, size, count));
    return cut;
  }
  if (output.isGenericDict()) {
    const auto dict = output.toGenericDict();
    c10::impl::GenericDict cut(dict.keyType(), dict.valueType());
    for (const auto& item : dict) cut.insert(item.key(), cut_batch(item.value(), size, count));
    return cut;
  }
  return output;
}

}  // namespace ptrun
