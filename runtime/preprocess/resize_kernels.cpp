#include "preprocess/resize_kernels.h"

#include <algorithm>
#include <cstdlib>

#include "preprocess/resize.h"

namespace ptrun {
namespace {

constexpr std::int32_t kHalf = 1 << (kResizePrecisionBits - 1);

std::uint8_t clip8(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kResizePrecisionBits, 0, 255));
}

void horizontal(const std::uint8_t* in, std::size_t /*readable*/, int in_first, const AxisWeights& x,
                std::uint8_t* out) {
  for (std::size_t i = 0; i < x.spans.size(); ++i) {
    const std::uint8_t* pixel = in + static_cast<std::size_t>(x.spans[i].first - in_first) * 3;
    const std::int32_t* weights = x.weights.data() + i * x.taps;
    std::int32_t r = kHalf;
    std::int32_t g = kHalf;
    std::int32_t b = kHalf;
    for (int k = 0; k < x.spans[i].count; ++k, pixel += 3) {
      r += pixel[0] * weights[k];
      g += pixel[1] * weights[k];
      b += pixel[2] * weights[k];
    }
    out[i * 3] = clip8(r);
    out[i * 3 + 1] = clip8(g);
    out[i * 3 + 2] = clip8(b);
  }
}

void vertical(const std::uint8_t* in, std::size_t stride, const AxisWeights& y, std::size_t row, std::size_t width,
              std::int32_t* sums, std::uint8_t* out) {
  const std::int32_t* weights = y.weights.data() + row * y.taps;
  std::fill(sums, sums + width, kHalf);
  for (int k = 0; k < y.spans[row].count; ++k, in += stride)
    for (std::size_t i = 0; i < width; ++i) sums[i] += in[i] * weights[k];
  for (std::size_t i = 0; i < width; ++i) out[i] = clip8(sums[i]);
}

}  // namespace

const std::vector<ResizeKernel>& resize_kernels() {
  static const std::vector<ResizeKernel> kKernels = {
#if defined(__x86_64__)
    kResizeAvx512,
    kResizeAvx2,
#endif
    {"scalar", [] { return true; }, nullptr, nullptr, horizontal, vertical},
  };
  return kKernels;
}

const ResizeKernel& best_resize_kernel() {
  static const ResizeKernel& kBest = []() -> const ResizeKernel& {
    // For measurements and for tests of the whole program; all sets give the same bits.
    const char* wanted = std::getenv("PTRUN_KERNELS");
    for (const ResizeKernel& row : resize_kernels())
      if (wanted != nullptr && row.name == wanted && row.usable()) return row;
    return *std::find_if(resize_kernels().begin(), resize_kernels().end(),
                         [](const ResizeKernel& row) { return row.usable(); });
  }();
  return kBest;
}

}  // namespace ptrun
