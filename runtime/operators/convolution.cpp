// ptrun::convolution: dense convolutions as products of matrices. The pixels under the filter are copied side by side
// (im2col), a block of results at a time, which stays in the second cache: the product then runs at the processor's
// rate, and the copy costs it one load and store for each `columns` multiplications.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>

#include "operators/fused_layers.h"
#include "operators/parallel.h"

namespace ptrun {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{384} * 1024;
constexpr std::size_t kTile = 14;  // rows that a product holds in registers

struct Convolution {
  PointwiseLayer product;
  std::size_t height = 0, width = 0, channels = 0;
  std::size_t kernel_height = 1, kernel_width = 1, stride = 1, padding = 0;
  std::size_t out_height = 0, out_width = 0;
  std::size_t row = 0;    // bytes from one result's pixels to the next one's
  std::size_t block = 0;  // results
};

// The pixels under the filter for the results [first, first + count) of an image, [count, row].
void gather(const Convolution& c, const char* image, std::size_t first, std::size_t count, char* to) {
  const std::size_t pixel = c.channels * c.product.element_size;
  const std::size_t line = c.kernel_width * pixel;
  const std::size_t used = c.kernel_height * line;
  for (std::size_t i = first; i < first + count; ++i, to += c.row) {
    const std::size_t top = i / c.out_width * c.stride;  // in the padded image
    const std::size_t left = i % c.out_width * c.stride;
    // Columns of the filter that are inside the image.
    const std::size_t begin = std::min(left < c.padding ? c.padding - left : 0, c.kernel_width);
    const std::size_t end =
        std::clamp(c.width + c.padding - std::min(left, c.width + c.padding), begin, c.kernel_width);
    char* at = to;
    for (std::size_t j = 0; j < c.kernel_height; ++j, at += line) {
      const std::size_t y = top + j - c.padding;  // above the image it wraps to a large number
      if (y >= c.height) {
        std::memset(at, 0, line);
        continue;
      }
      const char* from = image + (y * c.width + left + begin - c.padding) * pixel;
      if (begin > 0) std::memset(at, 0, begin * pixel);
      std::memcpy(at + begin * pixel, from, (end - begin) * pixel);
      if (end < c.kernel_width) std::memset(at + end * pixel, 0, (c.kernel_width - end) * pixel);
    }
    // A depth that is rounded up to pairs.
    if (used < c.row) std::memset(at, 0, c.row - used);
  }
}

void choose_block(Convolution& c, std::size_t images, std::size_t threads) {
  const std::size_t depth = c.product.product.depth;
  c.row = depth * c.product.element_size;
  const std::size_t results = c.out_height * c.out_width;
  std::size_t block = std::clamp(kBlockBytes / c.row, 4 * kTile, kernels::kProductRows);
  // Of few images each thread gets some.
  const std::size_t parts = (2 * threads + images - 1) / images;
  if (threads > 1) block = std::min(block, (results + parts - 1) / parts);
  c.block = std::min((block + kTile - 1) / kTile * kTile, results);
}

}  // namespace

at::Tensor convolution(const at::Tensor& given, const at::Tensor& weight, const std::optional<at::Tensor>& scales,
                       const at::Tensor& bias, const std::optional<at::Tensor>& given_other, std::int64_t columns,
                       at::IntArrayRef kernel, std::int64_t stride, std::int64_t padding,
                       at::ArrayRef<double> epilogue) {
  TORCH_CHECK(given.dim() == 4, "ptrun::convolution: the input is ", given.sizes(), ", expected [N, C, H, W]");
  TORCH_CHECK(kernel.size() == 2 && kernel[0] >= 1 && kernel[1] >= 1 && stride >= 1 && padding >= 0,
              "ptrun::convolution: kernel ", kernel, ", stride ", stride, ", padding ", padding);
  TORCH_CHECK(given.size(2) + 2 * padding >= kernel[0] && given.size(3) + 2 * padding >= kernel[1],
              "ptrun::convolution: the input of ", given.sizes(), " is smaller than the filter");
  const at::Tensor input = given.contiguous(at::MemoryFormat::ChannelsLast);
  const std::int64_t depth = kernel[0] * kernel[1] * input.size(1);
  const bool pairs = weight.scalar_type() != at::kFloat;
  Convolution c;
  c.product = pointwise_layer(weight, scales, bias, columns, pairs ? (depth + 1) / 2 * 2 : depth, input.scalar_type(),
                              epilogue_of(epilogue));
  c.height = static_cast<std::size_t>(input.size(2));
  c.width = static_cast<std::size_t>(input.size(3));
  c.channels = static_cast<std::size_t>(input.size(1));
  c.kernel_height = static_cast<std::size_t>(kernel[0]);
  c.kernel_width = static_cast<std::size_t>(kernel[1]);
  c.stride = static_cast<std::size_t>(stride);
  c.padding = static_cast<std::size_t>(padding);
  const std::vector<std::int64_t> sizes = {input.size(0), columns,
                                           (input.size(2) + 2 * padding - kernel[0]) / stride + 1,
                                           (input.size(3) + 2 * padding - kernel[1]) / stride + 1};
  c.out_height = static_cast<std::size_t>(sizes[2]);
  c.out_width = static_cast<std::size_t>(sizes[3]);
  at::Tensor other;
  if (given_other) {
    TORCH_CHECK(given_other->sizes() == at::IntArrayRef(sizes) && given_other->scalar_type() == input.scalar_type(),
                "ptrun::convolution: the summand is ", given_other->sizes(), ", expected ", at::IntArrayRef(sizes));
    other = given_other->contiguous(at::MemoryFormat::ChannelsLast);
  }
  at::Tensor out = at::empty(sizes, input.options(), at::MemoryFormat::ChannelsLast);
  if (out.numel() == 0) return out;
  const std::int64_t threads =
      threads_for(static_cast<double>(out.numel()) * static_cast<double>(depth), input.scalar_type());
  choose_block(c, static_cast<std::size_t>(sizes[0]), static_cast<std::size_t>(threads));
  const auto* in_bytes = static_cast<const char*>(input.const_data_ptr());
  const auto* other_bytes = given_other ? static_cast<const char*>(other.const_data_ptr()) : nullptr;
  auto* out_bytes = static_cast<char*>(out.mutable_data_ptr());
  const std::size_t size = c.product.element_size;
  const std::size_t results = c.out_height * c.out_width;
  const std::size_t blocks = (results + c.block - 1) / c.block;
  const std::int64_t all = sizes[0] * static_cast<std::int64_t>(blocks);
  parallel_for(0, all, (all + threads - 1) / threads, [&](std::int64_t begin, std::int64_t end) {
    PointwiseRun run(c.product);
    const at::Tensor room = at::empty({static_cast<std::int64_t>(c.block * c.row)}, at::kByte);
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const std::size_t image = i / blocks;
      const std::size_t first = i % blocks * c.block;
      const std::size_t count = std::min(c.block, results - first);
      const std::size_t at = (image * results + first) * c.product.product.columns * size;
      gather(c, in_bytes + image * c.height * c.width * c.channels * size, first, count,
             static_cast<char*>(room.mutable_data_ptr()));
      run(room.const_data_ptr(), count, other_bytes == nullptr ? nullptr : other_bytes + at, out_bytes + at);
    }
  });
  return out;
}

}  // namespace ptrun
