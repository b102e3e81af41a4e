// ptrun::dense: convolutions of stride 1 by the processor's loops for them (kernels::DenseLoops).
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "operators/fused_layers.h"
#include "operators/parallel.h"

namespace ptrun {
namespace {

const kernels::DenseLoops* loops_of(c10::ScalarType type, std::int64_t parts) {
  const kernels::Loops& loops = loops_for(type);
  for (const kernels::DenseLoops* dense : {loops.dense, loops.coarse_dense}) {
    if (dense != nullptr && static_cast<std::int64_t>(dense->parts) == parts) return dense;
  }
  return nullptr;
}

// The depth of all taps, whose channels are padded.
std::int64_t depth_of(const kernels::DenseLoops& loops, std::int64_t taps, std::int64_t channels) {
  const auto lanes = static_cast<std::int64_t>(loops.lanes);
  return taps * ((channels + lanes - 1) / lanes * lanes);
}

std::int64_t part_size(const kernels::DenseLoops& loops, std::int64_t columns, std::int64_t depth) {
  return static_cast<std::int64_t>(loops.part_size(static_cast<std::size_t>(columns), static_cast<std::size_t>(depth)));
}

}  // namespace

at::Tensor pack_dense(const at::Tensor& weight, c10::ScalarType type, std::int64_t parts) {
  TORCH_CHECK(weight.dim() == 4 && weight.scalar_type() == at::kFloat && weight.numel() > 0,
              "ptrun::pack_dense: weights are ", weight.sizes(), ", expected [columns, channels, H, W] of float32");
  const kernels::DenseLoops* loops = loops_of(type, parts);
  TORCH_CHECK(loops != nullptr, "ptrun::pack_dense: this processor has no such loops for ", type);
  const std::int64_t columns = weight.size(0);
  const std::int64_t depth = depth_of(*loops, weight.size(2) * weight.size(3), weight.size(1));
  const std::int64_t padded = depth / (weight.size(2) * weight.size(3));
  const at::Tensor taps = at::constant_pad_nd(weight.permute({0, 2, 3, 1}), {0, padded - weight.size(1)}).contiguous();
  at::Tensor packed = at::empty({parts, part_size(*loops, columns, depth)}, at::kBFloat16);
  loops->pack(taps.const_data_ptr(), static_cast<std::size_t>(columns), static_cast<std::size_t>(depth),
              packed.mutable_data_ptr());
  return packed;
}

at::Tensor dense(const at::Tensor& given, const at::Tensor& weight, const at::Tensor& bias,
                 const std::optional<at::Tensor>& given_other, std::int64_t columns, at::IntArrayRef kernel,
                 std::int64_t padding, at::ArrayRef<double> epilogue) {
  TORCH_CHECK(given.dim() == 4, "ptrun::dense: the input is ", given.sizes(), ", expected [N, C, H, W]");
  TORCH_CHECK(kernel.size() == 2 && kernel[0] >= 1 && kernel[1] >= 1 && padding >= 0 && padding < kernel[0] &&
                  padding < kernel[1] && columns > 0,
              "ptrun::dense: kernel ", kernel, ", padding ", padding, ", columns ", columns);
  TORCH_CHECK(given.size(2) + 2 * padding >= kernel[0] && given.size(3) + 2 * padding >= kernel[1],
              "ptrun::dense: the input of ", given.sizes(), " is smaller than the filter");
  const kernels::DenseLoops* loops = weight.dim() == 2 ? loops_of(given.scalar_type(), weight.size(0)) : nullptr;
  const std::int64_t depth = loops == nullptr ? 0 : depth_of(*loops, kernel[0] * kernel[1], given.size(1));
  TORCH_CHECK(loops != nullptr && weight.scalar_type() == at::kBFloat16 && weight.is_contiguous() &&
                  weight.size(1) == part_size(*loops, columns, depth),
              "ptrun::dense: weights ", weight.sizes(), " do not fit an input of ", given.sizes());
  TORCH_CHECK(bias.numel() == (columns + 7) / 8 * 8 && bias.scalar_type() == at::kFloat && bias.is_contiguous(),
              "ptrun::dense: the bias does not fit");
  const at::Tensor input = given.contiguous(at::MemoryFormat::ChannelsLast);
  const std::vector<std::int64_t> sizes = {input.size(0), columns, input.size(2) + 2 * padding - kernel[0] + 1,
                                           input.size(3) + 2 * padding - kernel[1] + 1};
  TORCH_CHECK(!given_other ||
                  (given_other->sizes() == at::IntArrayRef(sizes) && given_other->scalar_type() == input.scalar_type()),
              "ptrun::dense: the summand is ", given_other ? given_other->sizes() : at::IntArrayRef(), ", expected ",
              at::IntArrayRef(sizes));
  at::Tensor out = results(sizes, input, given_other, at::MemoryFormat::ChannelsLast);
  if (out.numel() == 0) return out;
  at::Tensor other;
  kernels::DenseConvolution c;
  if (given_other) {
    other = given_other->contiguous(at::MemoryFormat::ChannelsLast);
    c.other = other.const_data_ptr();
  }
  c.in = input.const_data_ptr();
  c.height = static_cast<std::size_t>(input.size(2));
  c.width = static_cast<std::size_t>(input.size(3));
  c.channels = static_cast<std::size_t>(input.size(1));
  c.kernel_height = static_cast<std::size_t>(kernel[0]);
  c.kernel_width = static_cast<std::size_t>(kernel[1]);
  c.padding = static_cast<std::size_t>(padding);
  c.weights = weight.const_data_ptr();
  c.bias = bias.const_data_ptr<float>();
  c.out = out.mutable_data_ptr();
  c.out_height = static_cast<std::size_t>(sizes[2]);
  c.out_width = static_cast<std::size_t>(sizes[3]);
  c.columns = static_cast<std::size_t>(columns);
  c.epilogue = epilogue_of(epilogue);
  const std::int64_t rows = sizes[0] * sizes[2];
  const std::int64_t threads =
      std::min(rows, threads_for(static_cast<double>(out.numel()) * static_cast<double>(depth), input.scalar_type()));
  parallel_for(0, rows, (rows + threads - 1) / threads, [&](std::int64_t first, std::int64_t last) {
    const at::Tensor scratch = at::empty({static_cast<std::int64_t>(loops->scratch(c))}, at::kFloat);
    loops->run(c, static_cast<std::size_t>(first), static_cast<std::size_t>(last), scratch.mutable_data_ptr<float>());
  });
  return out;
}

}  // namespace ptrun
