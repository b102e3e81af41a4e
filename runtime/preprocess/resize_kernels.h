// The two inner loops of the resize, one set for each kind of processor. All give the same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace ptrun {

struct AxisWeights;

// A row of the table.
struct ResizeKernel {
  std::string_view name;
  bool (*usable)();  // on this processor
  // Bring the weights of a side into the form that the loops take (AxisWeights::groups and packed); may be null.
  void (*prepare_horizontal)(AxisWeights& x);
  void (*prepare_vertical)(AxisWeights& y);
  // One row of RGB: the pixel `in_first` of the source stands at `in`, and `readable` bytes may be read from there.
  // Writes x.spans.size() pixels.
  void (*horizontal)(const std::uint8_t* in, std::size_t readable, int in_first, const AxisWeights& x,
                     std::uint8_t* out);
  // One result row, number `row` of `y`, of `width` bytes; `in` is the first of the source rows that it reads, `stride`
  // bytes apart. `sums` has room for `width`.
  void (*vertical)(const std::uint8_t* in, std::size_t stride, const AxisWeights& y, std::size_t row, std::size_t width,
                   std::int32_t* sums, std::uint8_t* out);
};

// Every set of this build, the fastest first; the last one runs on every processor.
const std::vector<ResizeKernel>& resize_kernels();

// The first usable one; of the name that the environment variable PTRUN_KERNELS has, when it is there and usable.
const ResizeKernel& best_resize_kernel();

// Weights are fixed-point with this many bits behind the point (Pillow's PRECISION_BITS).
constexpr int kResizePrecisionBits = 32 - 8 - 2;
// For processors that multiply 16-bit numbers: weight = high * 2^12 + low, both of them int16.
constexpr int kResizeLowBits = 12;

extern const ResizeKernel kResizeAvx2;    // resize_avx2.cpp; x86-64 only
extern const ResizeKernel kResizeAvx512;  // resize_avx512.cpp; x86-64 only

}  // namespace ptrun
