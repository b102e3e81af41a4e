// Layers and pure functions of GraphBuilder, spelled as PyTorch's own modules call them: torch/nn/functional.py.
#include <torch/csrc/jit/ir/ir.h>

#include "graph/builder_impl.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

std::vector<std::int64_t> pair_of(const Extent2d& value) { return {value.height, value.width}; }

std::string full_name(const Weights& w, std::string_view name) {
  return w.prefix().empty() ? std::string(name) : w.prefix() + "." + std::string(name);
}

// Size for a check against an input of unknown width.
std::int64_t or_any(std::int64_t size) { return size > 0 ? size : -1; }

}  // namespace

Value GraphBuilder::conv2d(const Weights& w, Value x, const Conv2dOptions& options) {
  const std::int64_t out = w.size("weight", 0);
  const std::int64_t per_group = w.size("weight", 1);
  const std::int64_t known = impl_->known_of(x).channels;
  const std::int64_t in = known > 0 ? known : options.in_channels;
  std::int64_t groups = options.groups;
  if (groups <= 0) groups = in > 0 && per_group > 0 && in % per_group == 0 ? in / per_group : 1;
  const Value weight = impl_->parameter(w, "weight", {-1, -1, -1, -1});
  if (w.has("weight") && ((in > 0 && in != per_group * groups) || (out % groups != 0))) {
    impl_->mismatch(full_name(w, "weight"),
                    "a convolution of " + std::to_string(in) + " channels in " + std::to_string(groups) + " groups");
  }
  Argument bias;
  if (w.has("bias")) bias = impl_->parameter(w, "bias", {or_any(out)});
  const Value result = op("aten::conv2d", {x, weight, bias, pair_of(options.stride), pair_of(options.padding),
                                           pair_of(options.dilation), groups});
  return impl_->with(result, {out, 0});
}

Value GraphBuilder::batch_norm(const Weights& w, Value x, double eps) {
  const Impl::Known known = impl_->known_of(x);
  const std::vector<std::int64_t> shape = {or_any(known.channels)};
  Argument weight;
  Argument bias;
  // affine=False has neither; one alone is a damaged file.
  if (w.has("weight") || w.has("bias")) {
    weight = impl_->parameter(w, "weight", shape);
    bias = impl_->parameter(w, "bias", shape);
  }
  const Value mean = impl_->parameter(w, "running_mean", shape);
  const Value variance = impl_->parameter(w, "running_var", shape);
  return impl_->with(op("aten::batch_norm", {x, weight, bias, mean, variance, false, 0.1, eps, true}), known);
}

Value GraphBuilder::linear(const Weights& w, Value x, std::string_view weight, std::string_view bias) {
  const std::int64_t out = w.size(weight, 0);
  const Impl::Known known = impl_->known_of(x);
  const std::int64_t in = known.last > 0 ? known.last : known.pixels == 1 ? known.channels : 0;
  const Value matrix = impl_->parameter(w, weight, {-1, or_any(in)});
  Argument offset;
  if (w.has(bias)) offset = impl_->parameter(w, bias, {or_any(out)});
  return impl_->with(op("aten::linear", {x, matrix, offset}), {out, 1, out});
}

Value GraphBuilder::layer_norm(const Weights& w, Value x, double eps) {
  const Impl::Known known = impl_->known_of(x);
  const Value weight = known.last > 0 ? impl_->parameter(w, "weight", {known.last}) : impl_->weight(w, "weight");
  const std::vector<std::int64_t> sizes = w.shape("weight").value_or(std::vector<std::int64_t>{1});
  Argument bias;
  if (w.has("bias")) bias = impl_->parameter(w, "bias", sizes);
  return impl_->with(op("aten::layer_norm", {x, sizes, weight, bias, eps, true}), known);
}

Value GraphBuilder::relu(Value x) { return impl_->with(op("aten::relu", {x}), impl_->known_of(x)); }

// nn.ReLU6 is nn.Hardtanh(0, 6).
Value GraphBuilder::relu6(Value x) { return impl_->with(op("aten::hardtanh", {x, 0.0, 6.0}), impl_->known_of(x)); }

Value GraphBuilder::silu(Value x) { return impl_->with(op("aten::silu", {x}), impl_->known_of(x)); }
Value GraphBuilder::hardswish(Value x) { return impl_->with(op("aten::hardswish", {x}), impl_->known_of(x)); }
Value GraphBuilder::hardsigmoid(Value x) { return impl_->with(op("aten::hardsigmoid", {x}), impl_->known_of(x)); }
Value GraphBuilder::sigmoid(Value x) { return impl_->with(op("aten::sigmoid", {x}), impl_->known_of(x)); }
Value GraphBuilder::tanh(Value x) { return impl_->with(op("aten::tanh", {x}), impl_->known_of(x)); }
Value GraphBuilder::gelu(Value x) { return impl_->with(op("aten::gelu", {x}), impl_->known_of(x)); }
Value GraphBuilder::softmax(Value x, std::int64_t dim) {
  return impl_->with(op("aten::softmax.int", {x, dim}), impl_->known_of(x));
}

Value GraphBuilder::max_pool2d(Value x, const Pool2dOptions& options) {
  // An empty stride means the kernel size, but the oneDNN Graph bridge throws on it: always spelled out.
  const std::int64_t stride = options.stride > 0 ? options.stride : options.kernel;
  const Value result = op("aten::max_pool2d", {x, pair_of(options.kernel), pair_of(stride), pair_of(options.padding),
                                               pair_of(1), options.ceil_mode});
  return impl_->with(result, {impl_->known_of(x).channels, 0});
}

Value GraphBuilder::avg_pool2d(Value x, const Pool2dOptions& options) {
  const std::int64_t stride = options.stride > 0 ? options.stride : options.kernel;
  const Value result = op("aten::avg_pool2d", {x, pair_of(options.kernel), pair_of(stride), pair_of(options.padding),
                                               options.ceil_mode, options.count_include_pad});
  return impl_->with(result, {impl_->known_of(x).channels, 0});
}

Value GraphBuilder::adaptive_avg_pool2d(Value x, std::int64_t height, std::int64_t width) {
  const Value result = op("aten::adaptive_avg_pool2d", {x, std::vector<std::int64_t>{height, width}});
  return impl_->with(result, {impl_->known_of(x).channels, height * width});
}

Value GraphBuilder::mean(Value x, const std::vector<std::int64_t>& dims, bool keepdim) {
  const Value result = op("aten::mean.dim", {x, dims, keepdim});
  if (dims == std::vector<std::int64_t>{2, 3}) return impl_->with(result, {impl_->known_of(x).channels, 1});
  return result;
}

Value GraphBuilder::flatten(Value x, std::int64_t start_dim) {
  const Value result = op("aten::flatten.using_ints", {x, start_dim, std::int64_t{-1}});
  const Impl::Known known = impl_->known_of(x);
  if (start_dim == 1 && known.pixels > 0) {
    const std::int64_t features = known.channels * known.pixels;
    return impl_->with(result, {features, 1, features});
  }
  return result;
}

Value GraphBuilder::add(Value a, Value b) {
  const bool tensors = Impl::raw(b)->type()->isSubtypeOf(*c10::TensorType::get());
  return impl_->with(op(tensors ? "aten::add.Tensor" : "aten::add.Scalar", {a, b}), impl_->known_of(a));
}

Value GraphBuilder::mul(Value a, Value b) {
  const bool tensors = Impl::raw(b)->type()->isSubtypeOf(*c10::TensorType::get());
  return impl_->with(op(tensors ? "aten::mul.Tensor" : "aten::mul.Scalar", {a, b}), impl_->known_of(a));
}

Value GraphBuilder::cat(const std::vector<Value>& values, std::int64_t dim) {
  std::int64_t channels = 0;
  for (const Value& value : values) {
    const std::int64_t size = impl_->known_of(value).channels;
    if (size == 0 || dim != 1) {
      channels = 0;
      break;
    }
    channels += size;
  }
  return impl_->with(op("aten::cat", {values, dim}), {channels, 0});
}

}  // namespace ptrun
