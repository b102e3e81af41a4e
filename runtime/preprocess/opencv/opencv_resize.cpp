// The module libptrun_opencv.so: OpenCV's own resize, for models that were trained behind cv2.resize.
#include "preprocess/opencv/opencv_resize.h"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <opencv2/imgproc.hpp>

// cv::resize with INTER_LINEAR writes into `out` when its size and type fit, so nothing is copied.
extern "C" __attribute__((visibility("default"))) int ptrun_opencv_resize_linear(const std::uint8_t* in, int in_width,
                                                                                 int in_height, std::uint8_t* out,
                                                                                 int out_width, int out_height,
                                                                                 std::size_t out_stride) {
  try {
    // OpenCV's matrix takes no const pointer; the source is only read.
    const cv::Mat source(in_height, in_width, CV_8UC3, const_cast<std::uint8_t*>(in));
    cv::Mat result(out_height, out_width, CV_8UC3, out, out_stride);
    cv::resize(source, result, result.size(), 0, 0, cv::INTER_LINEAR);
    return result.data == out ? 0 : 1;
  } catch (const std::exception&) {
    return 1;
  }
}
