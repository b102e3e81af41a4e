#include "preprocess/opencv_backend.h"

#include <cstring>

#include "core/shared_module.h"
#include "preprocess/opencv/opencv_resize.h"
#include "ptrun/error.h"

namespace ptrun {

void resize_part_opencv(const std::uint8_t* in, const ResizeAxis& x, const ResizeAxis& y,
                        std::vector<std::uint8_t>& whole, std::uint8_t* out, std::size_t out_stride) {
  static const auto resize =
      reinterpret_cast<PtrunOpencvResizeLinear>(own_module_symbol("libptrun_opencv.so", "ptrun_opencv_resize_linear"));
  const auto run = [&](std::uint8_t* to, std::size_t stride) {
    if (resize(in, x.in, y.in, to, x.out, y.out, stride) != 0)
      throw Error(ErrorCode::internal, "resize_backend opencv",
                  "cv::resize refused " + std::to_string(x.in) + "x" + std::to_string(y.in) + " to " +
                      std::to_string(x.out) + "x" + std::to_string(y.out));
  };
  if (x.count == x.out && y.count == y.out) return run(out, out_stride);
  // A part: OpenCV has no box, so the whole result is made and the part copied.
  const std::size_t whole_stride = static_cast<std::size_t>(x.out) * 3;
  constexpr std::size_t kMaxWhole = 1U << 30U;  // bytes
  if (static_cast<std::size_t>(y.out) > kMaxWhole / whole_stride)
    throw Error(ErrorCode::limit_exceeded, "resize_backend opencv",
                "the whole resized image would be " + std::to_string(x.out) + " x " + std::to_string(y.out) +
                    " pixels, expected at most 1 GiB of them; the image is too narrow for resize_mode shortest, use "
                    "stretch or letterbox");
  whole.resize(whole_stride * static_cast<std::size_t>(y.out));
  run(whole.data(), whole_stride);
  for (int row = 0; row < y.count; ++row)
    std::memcpy(
        out + static_cast<std::size_t>(row) * out_stride,
        whole.data() + static_cast<std::size_t>(y.first + row) * whole_stride + static_cast<std::size_t>(x.first) * 3,
        static_cast<std::size_t>(x.count) * 3);
}

}  // namespace ptrun
