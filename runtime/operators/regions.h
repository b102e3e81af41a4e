// What the region operators share: checked arguments, one region, bilinear samples.
#pragma once

#include <ATen/ATen.h>

#include <cmath>

namespace ptrun::operators {

// Throws c10::Error unless input is [N, C, H, W] and rois [K, 5] of the same dtype with batch indices inside N.
void check_regions(const at::Tensor& input, const at::Tensor& rois, std::int64_t pooled_height,
                   std::int64_t pooled_width, const char* name);

// What ps_roi_align and ps_roi_pool work on: checked, dense arguments and the two tensors that they fill.
struct PositionSensitive {
  at::Tensor features;  // [N, channels * bins, height, width]
  at::Tensor boxes;     // [regions, 5]
  at::Tensor output;    // [regions, channels, pooled_height, pooled_width], zeros
  at::Tensor mapping;   // int32, of the output's shape: the channel that each element came from
  std::int64_t regions = 0;
  std::int64_t channels = 0;  // of the output
  std::int64_t bins = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
};

// Throws as check_regions does, and where the input's channels are no multiple of the bins.
PositionSensitive prepare_position_sensitive(const at::Tensor& input, const at::Tensor& rois,
                                             std::int64_t pooled_height, std::int64_t pooled_width, const char* name);

// Samples along one side of a bin; a region that is not finite or absurdly large throws instead of running for ever.
std::int64_t sample_count(double bin_size, std::int64_t sampling_ratio, const char* name);

// A region's corner after scaling, rounded as the pooling operators do.
template <typename Scalar>
std::int64_t rounded(Scalar value) {
  constexpr double kMost = 1e9;
  const double number = std::round(static_cast<double>(value));
  return static_cast<std::int64_t>(std::isnan(number) ? 0.0 : std::min(std::max(number, -kMost), kMost));
}

// The value at (y, x) of a plane [height, width] between its pixels; 0 more than a pixel outside of it.
template <typename Scalar>
Scalar bilinear(const Scalar* plane, std::int64_t height, std::int64_t width, Scalar y, Scalar x) {
  // Written so that NaN is outside as well.
  if (!(y >= -1 && y <= static_cast<Scalar>(height) && x >= -1 && x <= static_cast<Scalar>(width))) return 0;
  y = std::max<Scalar>(y, 0);
  x = std::max<Scalar>(x, 0);
  auto top = static_cast<std::int64_t>(y);
  auto left = static_cast<std::int64_t>(x);
  std::int64_t bottom = top + 1;
  std::int64_t right = left + 1;
  if (top >= height - 1) {
    top = bottom = height - 1;
    y = static_cast<Scalar>(top);
  }
  if (left >= width - 1) {
    left = right = width - 1;
    x = static_cast<Scalar>(left);
  }
  const Scalar ly = y - static_cast<Scalar>(top);
  const Scalar lx = x - static_cast<Scalar>(left);
  const Scalar hy = 1 - ly;
  const Scalar hx = 1 - lx;
  return hy * hx * plane[top * width + left] + hy * lx * plane[top * width + right] +
         ly * hx * plane[bottom * width + left] + ly * lx * plane[bottom * width + right];
}

}  // namespace ptrun::operators
