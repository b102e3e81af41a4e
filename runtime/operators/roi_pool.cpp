#include "operators/kernels.h"
#include "operators/regions.h"

namespace ptrun::operators {
namespace {

// The pixels [begin, end) of bin `index` along one side of a region that starts at `start`.
struct Span {
  std::int64_t begin;
  std::int64_t end;

  template <typename Scalar>
  Span(std::int64_t index, Scalar bin_size, std::int64_t start, std::int64_t limit) {
    const auto clamp = [&](std::int64_t value) { return std::min(std::max<std::int64_t>(value, 0), limit); };
    begin = clamp(start + static_cast<std::int64_t>(std::floor(static_cast<Scalar>(index) * bin_size)));
    end = clamp(start + static_cast<std::int64_t>(std::ceil(static_cast<Scalar>(index + 1) * bin_size)));
  }
};

}  // namespace

std::tuple<at::Tensor, at::Tensor> roi_pool(const at::Tensor& input, const at::Tensor& rois, double spatial_scale,
                                            std::int64_t pooled_height, std::int64_t pooled_width) {
  constexpr const char* kName = "torchvision::roi_pool";
  check_regions(input, rois, pooled_height, pooled_width, kName);
  const std::int64_t regions = rois.size(0);
  const std::int64_t channels = input.size(1);
  const std::int64_t height = input.size(2);
  const std::int64_t width = input.size(3);
  at::Tensor output = at::zeros({regions, channels, pooled_height, pooled_width}, input.options());
  at::Tensor argmax = at::full(output.sizes(), -1, input.options().dtype(at::kInt));
  const at::Tensor dense = input.contiguous();
  const at::Tensor boxes = rois.contiguous();
  AT_DISPATCH_FLOATING_TYPES(input.scalar_type(), kName, [&] {
    const auto* features = dense.const_data_ptr<scalar_t>();
    auto* out = output.mutable_data_ptr<scalar_t>();
    auto* from = argmax.mutable_data_ptr<int>();
    const auto scale = static_cast<scalar_t>(spatial_scale);
    for (std::int64_t k = 0; k < regions; ++k) {
      const scalar_t* roi = boxes.const_data_ptr<scalar_t>() + 5 * k;
      const std::int64_t left = rounded(roi[1] * scale);
      const std::int64_t top = rounded(roi[2] * scale);
      const std::int64_t roi_width = std::max<std::int64_t>(rounded(roi[3] * scale) - left + 1, 1);
      const std::int64_t roi_height = std::max<std::int64_t>(rounded(roi[4] * scale) - top + 1, 1);
      const scalar_t bin_height = static_cast<scalar_t>(roi_height) / static_cast<scalar_t>(pooled_height);
      const scalar_t bin_width = static_cast<scalar_t>(roi_width) / static_cast<scalar_t>(pooled_width);
      for (std::int64_t c = 0; c < channels; ++c) {
        const scalar_t* plane = features + (static_cast<std::int64_t>(roi[0]) * channels + c) * height * width;
        for (std::int64_t row = 0; row < pooled_height; ++row) {
          const Span rows(row, bin_height, top, height);
          for (std::int64_t column = 0; column < pooled_width; ++column) {
            const Span columns(column, bin_width, left, width);
            const std::int64_t at = ((k * channels + c) * pooled_height + row) * pooled_width + column;
            for (std::int64_t y = rows.begin; y < rows.end; ++y) {
              for (std::int64_t x = columns.begin; x < columns.end; ++x) {
                const std::int64_t pixel = y * width + x;
                if (from[at] >= 0 && !(plane[pixel] > out[at])) continue;
                out[at] = plane[pixel];
                from[at] = static_cast<int>(pixel);
              }
            }
          }
        }
      }
    }
  });
  return {output, argmax};
}

std::tuple<at::Tensor, at::Tensor> ps_roi_pool(const at::Tensor& input, const at::Tensor& rois, double spatial_scale,
                                               std::int64_t pooled_height, std::int64_t pooled_width) {
  constexpr const char* kName = "torchvision::ps_roi_pool";
  const PositionSensitive work = prepare_position_sensitive(input, rois, pooled_height, pooled_width, kName);
  AT_DISPATCH_FLOATING_TYPES(input.scalar_type(), kName, [&] {
    const auto* features = work.features.const_data_ptr<scalar_t>();
    auto* out = work.output.mutable_data_ptr<scalar_t>();
    auto* from = work.mapping.mutable_data_ptr<int>();
    const auto scale = static_cast<scalar_t>(spatial_scale);
    for (std::int64_t k = 0; k < work.regions; ++k) {
      const scalar_t* roi = work.boxes.const_data_ptr<scalar_t>() + 5 * k;
      const std::int64_t left = rounded(roi[1] * scale);
      const std::int64_t top = rounded(roi[2] * scale);
      const std::int64_t roi_width = std::max<std::int64_t>(rounded(roi[3] * scale) - left, 1);
      const std::int64_t roi_height = std::max<std::int64_t>(rounded(roi[4] * scale) - top, 1);
      const scalar_t bin_height = static_cast<scalar_t>(roi_height) / static_cast<scalar_t>(pooled_height);
      const scalar_t bin_width = static_cast<scalar_t>(roi_width) / static_cast<scalar_t>(pooled_width);
      const std::int64_t first = static_cast<std::int64_t>(roi[0]) * work.channels * work.bins;
      for (std::int64_t channel = 0; channel < work.channels * work.bins; ++channel) {
        const std::int64_t bin = channel % work.bins;
        // The last row and column never count: torchvision clamps to one less than the size.
        const Span rows(bin / pooled_width, bin_height, top, work.height - 1);
        const Span columns(bin % pooled_width, bin_width, left, work.width - 1);
        const scalar_t* plane = features + (first + channel) * work.height * work.width;
        scalar_t sum = 0;
        for (std::int64_t y = rows.begin; y < rows.end; ++y) {
          for (std::int64_t x = columns.begin; x < columns.end; ++x) sum += plane[y * work.width + x];
        }
        const std::int64_t area = (rows.end - rows.begin) * (columns.end - columns.begin);
        const std::int64_t at = k * work.channels * work.bins + channel;
        out[at] = area > 0 ? sum / static_cast<scalar_t>(area) : scalar_t(0);
        from[at] = static_cast<int>(channel);
      }
    }
  });
  return {work.output, work.mapping};
}

}  // namespace ptrun::operators
