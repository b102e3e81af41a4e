#include "operators/fused_layers.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>

#include "operators/parallel.h"

namespace ptrun {

using kernels::Loops;

namespace {

constexpr std::size_t kPreparedBytes = std::size_t{128} * 1024;
constexpr std::size_t kCopiedBytes = std::size_t{1280} * 1024;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kWorthACopy = 28;  // rows
// Microseconds of work from which on a second thread gains: one that is awake, and one that sleeps.
constexpr double kWorthAThread = 10;
constexpr double kWorthWaking = 150;

}  // namespace

const Loops& loops_for(c10::ScalarType type) {
  TORCH_CHECK(type == at::kFloat || type == at::kBFloat16 || type == at::kShort,
              "ptrun's operators take float32 and bfloat16, found ", type);
  static const Loops* const float32 = kernels::best_loops(kernels::Element::float32);
  static const Loops* const bfloat16 = kernels::best_loops(kernels::Element::bfloat16);
  static const Loops* const int16 = kernels::best_loops(kernels::Element::int16);
  return type == at::kFloat ? *float32 : type == at::kBFloat16 ? *bfloat16 : *int16;
}

at::ScalarType type_of(kernels::Element element) {
  return element == kernels::Element::float32    ? at::kFloat
         : element == kernels::Element::bfloat16 ? at::kBFloat16
                                                 : at::kShort;
}

const kernels::DeepProduct* deep_product(const Loops& loops, std::int64_t parts) {
  for (const kernels::DeepProduct* deep : {loops.deep, loops.coarse, loops.digits}) {
    if (deep != nullptr && static_cast<std::int64_t>(deep->parts) == parts) return deep;
  }
  return nullptr;
}

std::int64_t threads_for(double products, c10::ScalarType type) {
  const double microseconds = products / (type == at::kFloat ? 1e5 : 2e5);  // of one core, about
  if (microseconds < kWorthAThread) return 1;
  return microseconds >= kWorthWaking || threads_are_awake() ? at::get_num_threads() : 1;
}

kernels::Epilogue epilogue_of(std::int64_t activation, double low, double high, bool after_addition) {
  TORCH_CHECK(activation >= 0 && activation <= static_cast<std::int64_t>(kernels::Activation::gelu_tanh),
              "ptrun: no activation has number ", activation);
  return {static_cast<kernels::Activation>(activation), static_cast<float>(low), static_cast<float>(high),
          after_addition};
}

kernels::Epilogue epilogue_of(at::ArrayRef<double> numbers) {
  TORCH_CHECK(numbers.size() == 4, "ptrun: an epilogue has four numbers, found ", numbers.size());
  return epilogue_of(static_cast<std::int64_t>(numbers[0]), numbers[1], numbers[2], numbers[3] != 0);
}

at::Tensor results(at::IntArrayRef sizes, const at::Tensor& input, const std::optional<at::Tensor>& other,
                   at::MemoryFormat format) {
  // Memory that belongs to somebody else is not resizable.
  const bool ours = other && other->use_count() == 1 && other->storage().use_count() == 1 &&
                    other->storage().resizable() && other->is_contiguous(format);
  return ours ? *other : at::empty(sizes, input.options(), format);
}

PointwiseLayer pointwise_layer(const at::Tensor& weight, const std::optional<at::Tensor>& scales,
                               const at::Tensor& bias, std::int64_t columns, std::int64_t depth, c10::ScalarType type,
                               const kernels::Epilogue& epilogue) {
  const bool integers = weight.scalar_type() == at::kShort;
  const Loops& loops = loops_for(integers ? at::kShort : type);
  const kernels::DeepProduct* deep = weight.dim() == 2 ? deep_product(loops, weight.size(0)) : nullptr;
  const bool fits = deep != nullptr
                        ? weight.scalar_type() == type_of(deep->weights) &&
                              deep->fits(static_cast<std::size_t>(columns), static_cast<std::size_t>(depth)) &&
                              weight.size(1) == static_cast<std::int64_t>(deep->part_size(
                                                    static_cast<std::size_t>(columns), static_cast<std::size_t>(depth)))
                        : weight.sizes() == at::IntArrayRef({(columns + 7) / 8 * 8, depth}) &&
                              type == (integers ? at::kFloat : weight.scalar_type());
  TORCH_CHECK(columns > 0 && fits && (!integers || type == at::kFloat) && weight.is_contiguous(),
              "ptrun::pointwise: weights ", weight.sizes(), " do not fit an input with ", depth, " channels of ", type);
  TORCH_CHECK(bias.numel() == (columns + 7) / 8 * 8 && bias.scalar_type() == at::kFloat && bias.is_contiguous(),
              "ptrun::pointwise: the bias does not fit");
  TORCH_CHECK(integers == scales.has_value() &&
                  (!integers ||
                   (scales->numel() == bias.numel() && scales->is_contiguous() && scales->scalar_type() == at::kFloat)),
              "ptrun::pointwise: the scales do not fit");
  PointwiseLayer made;
  made.loops = &loops;
  made.deep = deep;
  made.type = type;
  made.element_size = c10::elementSize(type);
  made.product.depth = static_cast<std::size_t>(depth);
  made.product.weights = weight.const_data_ptr();
  made.product.columns = static_cast<std::size_t>(columns);
  made.product.bias = bias.const_data_ptr<float>();
  made.product.column_scales = integers ? scales->const_data_ptr<float>() : nullptr;
  made.product.epilogue = epilogue;
  return made;
}

std::size_t prepared_rows(const PointwiseLayer& layer) {
  if (layer.deep != nullptr) return layer.deep->rows;
  return std::clamp<std::size_t>(kPreparedBytes / (layer.product.depth * layer.element_size), 56,
                                 kernels::kProductRows);
}

// NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): the scratch is left as it is
PointwiseRun::PointwiseRun(const PointwiseLayer& layer) : layer_(layer) {
  if (layer.loops->element != kernels::Element::int16) return;
  row_scales_.resize(prepared_rows(layer));
  rounded_ = at::empty(
      {static_cast<std::int64_t>(prepared_rows(layer)), static_cast<std::int64_t>(layer.product.depth)}, at::kShort);
}

void PointwiseRun::operator()(const void* rows, std::size_t count, const void* other, void* out,
                              std::size_t first_column, std::size_t last_column) {
  kernels::Product product = layer_.product;
  product.scratch = scratch_;
  product.first_column = first_column;
  product.last_column = last_column;
  const auto run = [&](const void* from, std::size_t first, std::size_t number) {
    const std::size_t at = first * product.columns * layer_.element_size;
    product.rows = from;
    product.row_count = number;
    product.other = other == nullptr ? nullptr : static_cast<const char*>(other) + at;
    product.out = static_cast<char*>(out) + at;
    if (layer_.deep == nullptr) return layer_.loops->product(product);
    const auto size = layer_.deep->scratch(number, product.depth);
    if (!room_.defined() || static_cast<std::size_t>(room_.numel()) < size) {
      room_ = at::empty({static_cast<std::int64_t>(size)}, at::kFloat);
    }
    product.scratch = room_.mutable_data_ptr<float>();
    layer_.deep->product(product);
  };
  const std::size_t bytes = product.depth * layer_.element_size;
  if (!rounded_.defined() && (layer_.deep != nullptr || bytes % kPage != 0 || count < kWorthACopy)) {
    run(rows, 0, count);
    return;
  }
  if (!rounded_.defined()) {
    // Rows a multiple of 4096 bytes apart share places of the first cache: a few at a time stand further apart here.
    const std::size_t most = std::clamp<std::size_t>(kCopiedBytes / bytes / 14 * 14, 28, kernels::kProductRows);
    if (!apart_.defined()) apart_ = at::empty({static_cast<std::int64_t>(most * (bytes + 64))}, at::kByte);
    product.row_stride = (bytes + 64) / layer_.element_size;
    for (std::size_t row = 0; row < count; row += most) {
      const std::size_t number = std::min(most, count - row);
      auto* to = static_cast<char*>(apart_.mutable_data_ptr());
      for (std::size_t i = 0; i < number; ++i) {
        std::memcpy(to + i * (bytes + 64), static_cast<const char*>(rows) + (row + i) * bytes, bytes);
      }
      run(to, row, number);
    }
    return;
  }
  const auto most = static_cast<std::size_t>(rounded_.size(0));
  for (std::size_t row = 0; row < count; row += most) {
    const std::size_t number = std::min(most, count - row);
    layer_.loops->quantise(static_cast<const float*>(rows) + row * product.depth, number, product.depth,
                           rounded_.mutable_data_ptr(), row_scales_.data());
    product.row_scales = row_scales_.data();
    run(rounded_.const_data_ptr(), row, number);
  }
}

kernels::Depthwise depthwise_layer(const at::Tensor& taps, const at::Tensor& bias, std::int64_t kernel,
                                   std::int64_t stride, std::int64_t padding, std::int64_t channels,
                                   std::int64_t height, std::int64_t width, const kernels::Epilogue& epilogue) {
  TORCH_CHECK(
      (kernel == 3 || kernel == 5 || kernel == 7) && (stride == 1 || stride == 2) && padding >= 0 && padding < kernel,
      "ptrun::depthwise: no loops for kernel ", kernel, ", stride ", stride, ", padding ", padding);
  TORCH_CHECK(taps.sizes() == at::IntArrayRef({kernel, kernel, channels}) && taps.is_contiguous() &&
                  taps.scalar_type() == at::kFloat && bias.numel() == channels && bias.scalar_type() == at::kFloat &&
                  bias.is_contiguous(),
              "ptrun::depthwise: weights ", taps.sizes(), " do not fit an input with ", channels, " channels");
  TORCH_CHECK(height + 2 * padding >= kernel && width + 2 * padding >= kernel, "ptrun::depthwise: the input of ",
              height, " x ", width, " is smaller than the filter");
  const auto reach = [&](std::int64_t size) {
    return static_cast<std::size_t>((size + 2 * padding - kernel) / stride + 1);
  };
  kernels::Depthwise layer;
  layer.height = static_cast<std::size_t>(height);
  layer.width = static_cast<std::size_t>(width);
  layer.channels = static_cast<std::size_t>(channels);
  layer.kernel = static_cast<std::size_t>(kernel);
  layer.stride = static_cast<std::size_t>(stride);
  layer.padding = static_cast<std::size_t>(padding);
  layer.weights = taps.const_data_ptr<float>();
  layer.bias = bias.const_data_ptr<float>();
  layer.out_height = reach(height);
  layer.out_width = reach(width);
  layer.epilogue = epilogue;
  return layer;
}

}  // namespace ptrun
