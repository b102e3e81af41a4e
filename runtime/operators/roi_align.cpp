#include <ATen/Parallel.h>

#include "operators/kernels.h"
#include "operators/parallel.h"
#include "operators/regions.h"

namespace ptrun::operators {
namespace {

struct Grid {
  std::int64_t pooled_height;
  std::int64_t pooled_width;
  std::int64_t sampling_ratio;
  double scale;
};

// Where one region lies on the feature map, and how it is sampled.
template <typename Scalar>
struct Region {
  std::int64_t image;
  Scalar top;
  Scalar left;
  Scalar bin_height;
  Scalar bin_width;
  std::int64_t samples_y;
  std::int64_t samples_x;
  std::int64_t at_least;  // divisor of a region without samples: 1 gives 0, 0 gives NaN, as torchvision has it

  Region(const Scalar* roi, const Grid& grid, Scalar shift, bool at_least_one, std::int64_t no_samples,
         const char* name)
      : image(static_cast<std::int64_t>(roi[0])), at_least(no_samples) {
    const auto scale = static_cast<Scalar>(grid.scale);
    left = roi[1] * scale - shift;
    top = roi[2] * scale - shift;
    Scalar width = roi[3] * scale - shift - left;
    Scalar height = roi[4] * scale - shift - top;
    if (at_least_one) {
      width = std::max<Scalar>(width, 1);
      height = std::max<Scalar>(height, 1);
    }
    bin_height = height / static_cast<Scalar>(grid.pooled_height);
    bin_width = width / static_cast<Scalar>(grid.pooled_width);
    samples_y = sample_count(static_cast<double>(bin_height), grid.sampling_ratio, name);
    samples_x = sample_count(static_cast<double>(bin_width), grid.sampling_ratio, name);
  }

  // Mean of the samples of bin (row, column) in `plane`.
  Scalar mean(const Scalar* plane, std::int64_t height, std::int64_t width, std::int64_t row,
              std::int64_t column) const {
    Scalar sum = 0;
    for (std::int64_t i = 0; i < samples_y; ++i) {
      const Scalar y = top + static_cast<Scalar>(row) * bin_height +
                       (static_cast<Scalar>(i) + Scalar(0.5)) * bin_height / static_cast<Scalar>(samples_y);
      for (std::int64_t j = 0; j < samples_x; ++j) {
        const Scalar x = left + static_cast<Scalar>(column) * bin_width +
                         (static_cast<Scalar>(j) + Scalar(0.5)) * bin_width / static_cast<Scalar>(samples_x);
        sum += bilinear(plane, height, width, y, x);
      }
    }
    return sum / static_cast<Scalar>(std::max<std::int64_t>(samples_y * samples_x, at_least));
  }
};

}  // namespace

at::Tensor roi_align(const at::Tensor& input, const at::Tensor& rois, double spatial_scale, std::int64_t pooled_height,
                     std::int64_t pooled_width, std::int64_t sampling_ratio, bool aligned) {
  constexpr const char* kName = "torchvision::roi_align";
  check_regions(input, rois, pooled_height, pooled_width, kName);
  const std::int64_t regions = rois.size(0);
  const std::int64_t channels = input.size(1);
  const std::int64_t height = input.size(2);
  const std::int64_t width = input.size(3);
  at::Tensor output = at::empty({regions, channels, pooled_height, pooled_width}, input.options());
  const at::Tensor dense = input.contiguous();
  const at::Tensor boxes = rois.contiguous();
  const Grid grid{pooled_height, pooled_width, sampling_ratio, spatial_scale};
  AT_DISPATCH_FLOATING_TYPES(input.scalar_type(), kName, [&] {
    const auto* features = dense.const_data_ptr<scalar_t>();
    const auto* roi = boxes.const_data_ptr<scalar_t>();
    auto* out = output.mutable_data_ptr<scalar_t>();
    parallel_for(0, regions, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) {
        const Region<scalar_t> region(roi + 5 * k, grid, aligned ? scalar_t(0.5) : scalar_t(0), !aligned, 1, kName);
        for (std::int64_t c = 0; c < channels; ++c) {
          const scalar_t* plane = features + (region.image * channels + c) * height * width;
          scalar_t* to = out + (k * channels + c) * pooled_height * pooled_width;
          for (std::int64_t row = 0; row < pooled_height; ++row) {
            for (std::int64_t column = 0; column < pooled_width; ++column) {
              *to++ = region.mean(plane, height, width, row, column);
            }
          }
        }
      }
    });
  });
  return output;
}

std::tuple<at::Tensor, at::Tensor> ps_roi_align(const at::Tensor& input, const at::Tensor& rois, double spatial_scale,
                                                std::int64_t pooled_height, std::int64_t pooled_width,
                                                std::int64_t sampling_ratio) {
  constexpr const char* kName = "torchvision::ps_roi_align";
  const PositionSensitive work = prepare_position_sensitive(input, rois, pooled_height, pooled_width, kName);
  const Grid grid{pooled_height, pooled_width, sampling_ratio, spatial_scale};
  AT_DISPATCH_FLOATING_TYPES(input.scalar_type(), kName, [&] {
    const auto* features = work.features.const_data_ptr<scalar_t>();
    const auto* roi = work.boxes.const_data_ptr<scalar_t>();
    auto* out = work.output.mutable_data_ptr<scalar_t>();
    auto* from = work.mapping.mutable_data_ptr<int>();
    parallel_for(0, work.regions, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) {
        const Region<scalar_t> region(roi + 5 * k, grid, scalar_t(0.5), false, 0, kName);
        for (std::int64_t c = 0; c < work.channels; ++c) {
          for (std::int64_t bin = 0; bin < work.bins; ++bin) {
            const std::int64_t channel = c * work.bins + bin;
            const scalar_t* plane =
                features + (region.image * work.channels * work.bins + channel) * work.height * work.width;
            const std::int64_t at = (k * work.channels + c) * work.bins + bin;
            out[at] = region.mean(plane, work.height, work.width, bin / pooled_width, bin % pooled_width);
            from[at] = static_cast<int>(channel);
          }
        }
      }
    });
  });
  return {work.output, work.mapping};
}

}  // namespace ptrun::operators
