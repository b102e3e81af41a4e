// The one function of libptrun_opencv.so. A C function, because module and library share no types of OpenCV's.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

// Resizes RGB `in` [in_height, in_width, 3] without gaps to `out` [out_height, out_width, 3] whose rows are
// `out_stride` bytes apart, as cv2.resize(image, (out_width, out_height), interpolation=cv2.INTER_LINEAR) does: 4 taps,
// no antialiasing. Returns 0, or 1 when OpenCV refused. Thread-safe.
using PtrunOpencvResizeLinear = int (*)(const std::uint8_t* in, int in_width, int in_height, std::uint8_t* out,
                                        int out_width, int out_height, std::size_t out_stride);
}
