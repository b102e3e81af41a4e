#include "operators/regions.h"

namespace ptrun::operators {

void check_regions(const at::Tensor& input, const at::Tensor& rois, std::int64_t pooled_height,
                   std::int64_t pooled_width, const char* name) {
  TORCH_CHECK(input.dim() == 4, name, ": input is ", input.sizes(), ", expected [N, C, H, W]");
  TORCH_CHECK(rois.dim() == 2 && rois.size(1) == 5, name, ": rois are ", rois.sizes(), ", expected [K, 5]");
  TORCH_CHECK(input.scalar_type() == rois.scalar_type(), name, ": input and rois differ in dtype");
  // A bound, so that products of the two cannot overflow.
  constexpr std::int64_t kLargestSide = 1 << 16;
  TORCH_CHECK(pooled_height > 0 && pooled_width > 0 && pooled_height <= kLargestSide && pooled_width <= kLargestSide,
              name, ": pooled size ", pooled_height, " x ", pooled_width, ", expected 1 to ", kLargestSide);
  if (rois.size(0) == 0) return;
  const at::Tensor index = rois.select(1, 0);
  const bool inside = at::logical_and(index.ge(0), index.lt(input.size(0))).all().item<bool>();
  TORCH_CHECK(inside, name, ": a region names an image outside of the batch of ", input.size(0));
  TORCH_CHECK(input.size(2) > 0 && input.size(3) > 0, name, ": input is empty");
}

PositionSensitive prepare_position_sensitive(const at::Tensor& input, const at::Tensor& rois,
                                             std::int64_t pooled_height, std::int64_t pooled_width, const char* name) {
  check_regions(input, rois, pooled_height, pooled_width, name);
  PositionSensitive made;
  made.bins = pooled_height * pooled_width;
  TORCH_CHECK(input.size(1) % made.bins == 0, name, ": input has ", input.size(1), " channels, expected a multiple of ",
              made.bins);
  made.features = input.contiguous();
  made.boxes = rois.contiguous();
  made.regions = rois.size(0);
  made.channels = input.size(1) / made.bins;
  made.height = input.size(2);
  made.width = input.size(3);
  made.output = at::zeros({made.regions, made.channels, pooled_height, pooled_width}, input.options());
  made.mapping = at::zeros(made.output.sizes(), input.options().dtype(at::kInt));
  return made;
}

std::int64_t sample_count(double bin_size, std::int64_t sampling_ratio, const char* name) {
  constexpr double kMost = 32768;
  const double count = sampling_ratio > 0 ? static_cast<double>(sampling_ratio) : std::ceil(bin_size);
  TORCH_CHECK(count <= kMost, name, ": a region is ", bin_size, " pixels a bin, expected at most ", kMost);
  return count > 0 ? static_cast<std::int64_t>(count) : 0;
}

}  // namespace ptrun::operators
