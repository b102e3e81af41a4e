// Pillow's resize of 8-bit RGB, computed only where it is needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "preprocess/resize_kernels.h"
#include "ptrun/preset.h"

namespace ptrun {

// One side of a resize, and the part of its result that is needed.
struct ResizeAxis {
  int in = 0;     // pixels of the source
  int out = 0;    // pixels of the whole result
  int first = 0;  // needed: [first, first + count) of the result
  int count = 0;

  bool operator==(const ResizeAxis& other) const {
    return in == other.in && out == other.out && first == other.first && count == other.count;
  }
};

// Which source pixels make each needed result pixel of a side, and their weights as Pillow rounds them (22 bits
// behind the point). Kept from image to image: recomputed only when axis or filter change.
struct AxisWeights {
  struct Span {
    int first = 0;  // source pixel
    int count = 0;  // weights in use
  };
  ResizeAxis axis;
  Interpolation filter = Interpolation::bilinear;
  std::vector<Span> spans;            // [axis.count]
  std::vector<std::int32_t> weights;  // [axis.count][taps]
  std::size_t taps = 0;
  // The same weights in two parts of 16 bits each (resize_kernels.h), padded with zeros to whole groups.
  std::vector<std::int16_t> split;  // [axis.count][2][split_taps], low then high
  std::size_t split_taps = 0;
  // What the kernel's prepare_horizontal() and prepare_vertical() make of the weights.
  struct Group {
    int first = 0;           // source pixel
    int pixels = 0;          // of the result
    int steps = 0;           // through `packed`
    std::size_t packed = 0;  // where its part begins
  };
  void (*prepare)(AxisWeights&) = nullptr;  // the one that was called
  std::vector<Group> groups;
  std::vector<std::uint8_t> packed;
  std::vector<double> work;
};

struct ResizeScratch {
  const ResizeKernel* kernel = &best_resize_kernel();
  AxisWeights horizontal;
  AxisWeights vertical;
  std::vector<std::uint8_t> rows;  // between the two passes
  std::vector<std::int32_t> sums;  // of one row
};

// The part `x`, `y` of the whole result [y.out, x.out] of Image.resize((x.out, y.out), filter), into `out`
// [y.count, x.count, 3] whose rows are `out_stride` bytes apart; in [y.in, x.in, 3] without gaps. Bit-equal to Pillow
// 13 (libImaging/Resample.c; nearest: ImagingScaleAffine in Geometry.c). Earlier Pillows run the passes in another
// order when the height shrinks by more than twice as many pixels as the width, and differ by a level there. Counts may
// be 0.
void resize_part(const std::uint8_t* in, const ResizeAxis& x, const ResizeAxis& y, Interpolation filter,
                 ResizeScratch& scratch, std::uint8_t* out, std::size_t out_stride);

// The same, one source row after the other, so that the source need not lie in memory as a whole.
class RowResize {
 public:
  // False where rows cannot be taken one by one: nothing to filter on a side, nearest, or the columns come first.
  // `scratch` and `out` must stay until the last row.
  bool begin(const ResizeAxis& x, const ResizeAxis& y, Interpolation filter, ResizeScratch& scratch, std::uint8_t* out,
             std::size_t out_stride);
  // Row `y` of the source, [count, 3] bytes from the pixel `left` on; rows in order. They are those of
  // resize_source() at least.
  void row(int y, int left, int count, const std::uint8_t* rgb);

 private:
  ResizeScratch* scratch_ = nullptr;
  std::uint8_t* out_ = nullptr;
  std::size_t out_stride_ = 0;
  std::size_t width_ = 0;  // bytes of a row of the result
  std::size_t first_ = 0;  // source row at the front of scratch_->rows
  std::size_t done_ = 0;   // rows of the result
};

// First and one past the last source pixel that the needed part of a side may read, a pixel more on each end.
std::pair<int, int> resize_source(const ResizeAxis& axis, Interpolation filter);

}  // namespace ptrun
