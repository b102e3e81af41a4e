#include <ATen/ATen.h>

#include "operators/kernels.h"

namespace ptrun::operators {
namespace {

struct Shape {
  std::int64_t channels, height, width;
  std::int64_t kernel_h, kernel_w, out_h, out_w;
  std::int64_t stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  std::int64_t offset_groups;
};

// Between the pixels, with zeros outside of the plane.
template <typename Scalar>
Scalar sample(const Scalar* plane, std::int64_t height, std::int64_t width, Scalar y, Scalar x) {
  if (!(y > -1 && y < static_cast<Scalar>(height) && x > -1 && x < static_cast<Scalar>(width))) return 0;
  const auto top = static_cast<std::int64_t>(std::floor(y));
  const auto left = static_cast<std::int64_t>(std::floor(x));
  const Scalar ly = y - static_cast<Scalar>(top);
  const Scalar lx = x - static_cast<Scalar>(left);
  const auto pixel = [&](std::int64_t row, std::int64_t column) {
    return row >= 0 && row < height && column >= 0 && column < width ? plane[row * width + column] : Scalar(0);
  };
  return (1 - ly) * (1 - lx) * pixel(top, left) + (1 - ly) * lx * pixel(top, left + 1) +
         ly * (1 - lx) * pixel(top + 1, left) + ly * lx * pixel(top + 1, left + 1);
}

// columns [channels * kernel points, out_h * out_w] of one image.
template <typename Scalar>
void fill_columns(const Shape& s, const Scalar* image, const Scalar* offset, const Scalar* mask, Scalar* columns) {
  const std::int64_t points = s.kernel_h * s.kernel_w;
  const std::int64_t places = s.out_h * s.out_w;
  const std::int64_t channels_each = s.channels / s.offset_groups;
  for (std::int64_t c = 0; c < s.channels; ++c) {
    const Scalar* plane = image + c * s.height * s.width;
    const std::int64_t group = c / channels_each;
    for (std::int64_t point = 0; point < points; ++point) {
      const Scalar* dy = offset + (group * points + point) * 2 * places;
      const Scalar* dx = dy + places;
      const Scalar* factor = mask == nullptr ? nullptr : mask + (group * points + point) * places;
      const std::int64_t base_y = (point / s.kernel_w) * s.dilation_h - s.pad_h;
      const std::int64_t base_x = (point % s.kernel_w) * s.dilation_w - s.pad_w;
      for (std::int64_t place = 0; place < places; ++place) {
        const Scalar y = static_cast<Scalar>(place / s.out_w * s.stride_h + base_y) + dy[place];
        const Scalar x = static_cast<Scalar>(place % s.out_w * s.stride_w + base_x) + dx[place];
        const Scalar value = sample(plane, s.height, s.width, y, x);
        *columns++ = factor == nullptr ? value : factor[place] * value;
      }
    }
  }
}

}  // namespace

at::Tensor deform_conv2d(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& offset,
                         const at::Tensor& mask, const at::Tensor& bias, std::int64_t stride_h, std::int64_t stride_w,
                         std::int64_t pad_h, std::int64_t pad_w, std::int64_t dilation_h, std::int64_t dilation_w,
                         std::int64_t groups, std::int64_t offset_groups, bool use_mask) {
  constexpr const char* kName = "torchvision::deform_conv2d";
  TORCH_CHECK(input.dim() == 4 && weight.dim() == 4 && offset.dim() == 4, kName,
              ": expected input, weight and offset of 4 dimensions");
  TORCH_CHECK(stride_h > 0 && stride_w > 0 && dilation_h > 0 && dilation_w > 0 && pad_h >= 0 && pad_w >= 0, kName,
              ": stride and dilation have to be positive, padding at least 0");
  TORCH_CHECK(groups > 0 && offset_groups > 0 && input.size(1) % groups == 0 && input.size(1) % offset_groups == 0 &&
                  weight.size(0) % groups == 0 && weight.size(1) * groups == input.size(1),
              kName, ": groups do not divide the channels");
  Shape s{};
  s.channels = input.size(1);
  s.height = input.size(2);
  s.width = input.size(3);
  s.kernel_h = weight.size(2);
  s.kernel_w = weight.size(3);
  s.out_h = (s.height + 2 * pad_h - (dilation_h * (s.kernel_h - 1) + 1)) / stride_h + 1;
  s.out_w = (s.width + 2 * pad_w - (dilation_w * (s.kernel_w - 1) + 1)) / stride_w + 1;
  s.stride_h = stride_h;
  s.stride_w = stride_w;
  s.pad_h = pad_h;
  s.pad_w = pad_w;
  s.dilation_h = dilation_h;
  s.dilation_w = dilation_w;
  s.offset_groups = offset_groups;
  const std::int64_t points = s.kernel_h * s.kernel_w;
  const std::int64_t batch = input.size(0);
  TORCH_CHECK(s.out_h > 0 && s.out_w > 0, kName, ": the output is empty");
  TORCH_CHECK(offset.sizes() == at::IntArrayRef({batch, 2 * offset_groups * points, s.out_h, s.out_w}), kName,
              ": offset is ", offset.sizes(), ", expected two numbers for each kernel point and place");
  TORCH_CHECK(!use_mask || mask.sizes() == at::IntArrayRef({batch, offset_groups * points, s.out_h, s.out_w}), kName,
              ": mask is ", mask.sizes(), ", expected one number for each kernel point and place");
  TORCH_CHECK(bias.dim() == 1 && bias.size(0) == weight.size(0), kName, ": bias is ", bias.sizes());
  const at::ScalarType type = input.scalar_type();
  TORCH_CHECK(weight.scalar_type() == type && offset.scalar_type() == type && bias.scalar_type() == type &&
                  (!use_mask || mask.scalar_type() == type),
              kName, ": arguments differ in dtype");
  const at::Tensor images = input.contiguous();
  const at::Tensor offsets = offset.contiguous();
  const at::Tensor masks = use_mask ? mask.contiguous() : at::Tensor();
  // [groups, out / groups, in / groups * points] times [groups, in / groups * points, places]
  const at::Tensor filters = weight.reshape({groups, weight.size(0) / groups, weight.size(1) * points});
  at::Tensor output = at::empty({batch, weight.size(0), s.out_h, s.out_w}, input.options());
  at::Tensor columns = at::empty({s.channels * points, s.out_h * s.out_w}, input.options());
  AT_DISPATCH_FLOATING_TYPES(type, kName, [&] {
    for (std::int64_t n = 0; n < batch; ++n) {
      fill_columns<scalar_t>(s, images[n].const_data_ptr<scalar_t>(), offsets[n].const_data_ptr<scalar_t>(),
                             use_mask ? masks[n].const_data_ptr<scalar_t>() : nullptr,
                             columns.mutable_data_ptr<scalar_t>());
      const at::Tensor product = at::bmm(filters, columns.view({groups, -1, s.out_h * s.out_w}));
      output[n].copy_(product.view({weight.size(0), s.out_h, s.out_w}).add(bias.view({-1, 1, 1})));
    }
  });
  return output;
}

}  // namespace ptrun::operators
