// Shapes and attention of GraphBuilder.
#include <torch/csrc/jit/ir/ir.h>

#include "graph/builder_impl.h"

namespace ptrun {
namespace {

Argument argument_of(const Size& size) {
  if (const auto* value = std::get_if<Value>(&size)) return *value;
  return std::get<std::int64_t>(size);
}

std::int64_t number_of(const Size& size) {
  const auto* number = std::get_if<std::int64_t>(&size);
  return number != nullptr && *number > 0 ? *number : 0;
}

}  // namespace

Value GraphBuilder::attention(Value q, Value k, Value v, const AttentionOptions& options) {
  Argument mask;
  if (options.mask) mask = options.mask;
  Argument scale;
  if (options.scale) scale = *options.scale;
  const Value result = op("aten::scaled_dot_product_attention", {q, k, v, mask, 0.0, false}, {{"scale", scale}});
  return impl_->with(result, impl_->known_of(v));
}

Value GraphBuilder::size(Value x, std::int64_t dim) { return op("aten::size.int", {x, dim}); }

Value GraphBuilder::sizes(const std::vector<Size>& values) {
  std::vector<torch::jit::Value*> items;
  items.reserve(values.size());
  for (const Size& value : values) {
    const auto* scalar = std::get_if<Value>(&value);
    items.push_back(scalar != nullptr ? Impl::raw(*scalar)
                                      : impl_->graph->insertConstant(c10::IValue(std::get<std::int64_t>(value))));
  }
  return Value(impl_->graph->insertNode(impl_->graph->createList(c10::IntType::get(), items))->output());
}

Value GraphBuilder::reshape(Value x, const std::vector<Size>& shape) {
  const Value result = op("aten::reshape", {x, sizes(shape)});
  Impl::Known known;
  if (!shape.empty()) known.last = number_of(shape.back());
  if (shape.size() == 4) known.channels = number_of(shape[1]);
  return impl_->with(result, known);
}

Value GraphBuilder::permute(Value x, const std::vector<std::int64_t>& dims) {
  const Value result = op("aten::permute", {x, dims});
  const Impl::Known known = impl_->known_of(x);
  // Between images with channels second and channels last.
  if (dims == std::vector<std::int64_t>{0, 2, 3, 1}) return impl_->with(result, {0, 0, known.channels});
  if (dims == std::vector<std::int64_t>{0, 3, 1, 2}) return impl_->with(result, {known.last, 0, 0});
  return result;
}

Value GraphBuilder::transpose(Value x, std::int64_t dim0, std::int64_t dim1) {
  return op("aten::transpose.int", {x, dim0, dim1});
}

Value GraphBuilder::contiguous(Value x) { return impl_->with(op("aten::contiguous", {x}), impl_->known_of(x)); }

Value GraphBuilder::select(Value x, std::int64_t dim, std::int64_t index) {
  return op("aten::select.int", {x, dim, index});
}

Value GraphBuilder::slice(Value x, std::int64_t dim, const Size& start, const Size& end, std::int64_t step) {
  return op("aten::slice.Tensor", {x, dim, argument_of(start), argument_of(end), step});
}

}  // namespace ptrun
