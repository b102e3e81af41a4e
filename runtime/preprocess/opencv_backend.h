// resize_backend opencv: cv2.resize through the module libptrun_opencv.so.
#pragma once

#include <cstdint>
#include <vector>

#include "preprocess/resize.h"

namespace ptrun {

// The part `x`, `y` of cv2.resize(in, (x.out, y.out), interpolation=cv2.INTER_LINEAR) into `out`, whose rows are
// `out_stride` bytes apart; `whole` is a buffer for the parts that are not needed. Arguments as resize_part. Throws
// unsupported when the module is missing. Thread-safe for different `out` and `whole`.
void resize_part_opencv(const std::uint8_t* in, const ResizeAxis& x, const ResizeAxis& y,
                        std::vector<std::uint8_t>& whole, std::uint8_t* out, std::size_t out_stride);

}  // namespace ptrun
