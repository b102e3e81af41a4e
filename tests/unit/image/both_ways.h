// A JPEG decoded by jpeg_baseline/ and by libjpeg alone.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "image/image.h"
#include "image/jpeg_baseline/kernel.h"
#include "ptrun/error.h"

namespace ptrun::test {

// Takes the rows as the resizer does.
class KeptRows : public image::RowSink {
 public:
  bool begin(int width, int height) override {
    width_ = width;
    data.assign(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3, 0xA5);
    next = -1;
    in_order = true;
    return true;
  }
  void rows(int first, int count, int left, int width, const std::uint8_t* rgb, std::size_t stride) override {
    in_order = in_order && (next < 0 || first == next);
    next = first + count;
    for (int i = 0; i < count; ++i) {
      std::memcpy(data.data() + (static_cast<std::size_t>(first + i) * static_cast<std::size_t>(width_) +
                                 static_cast<std::size_t>(left)) *
                                    3,
                  rgb + static_cast<std::size_t>(i) * stride, static_cast<std::size_t>(width) * 3);
    }
  }
  std::vector<std::uint8_t> data;
  int next = -1;
  bool in_order = true;

 private:
  int width_ = 0;
};

struct Decoded {
  std::string error;
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> data;
  bool baseline = false;

  bool operator==(const Decoded& other) const {
    return error == other.error && width == other.width && height == other.height && data == other.data;
  }
};

// `pixels` is used again and again, as a worker has it; it holds other bytes before. `kernel` null: libjpeg.
inline Decoded decode_by(const image::JpegKernel* kernel, std::string_view bytes, image::Pixels& pixels,
                         image::DecodeOptions options = {}) {
  Decoded decoded;
  std::fill(pixels.data.begin(), pixels.data.end(), std::uint8_t{0x5A});
  options.jpeg_kernel = kernel;
  try {
    image::decode(bytes, "test", options, pixels);
  } catch (const Error& error) {
    decoded.error = error.what();
    return decoded;
  }
  decoded.width = pixels.width;
  decoded.height = pixels.height;
  decoded.data = pixels.data;
  decoded.baseline = pixels.baseline;
  return decoded;
}

// The bytes of `region` only.
inline std::vector<std::uint8_t> part_of(const std::vector<std::uint8_t>& rgb, int width, const image::Region& region) {
  std::vector<std::uint8_t> part;
  for (int y = region.top; y < region.top + region.height; ++y) {
    const auto begin = rgb.begin() + (static_cast<std::ptrdiff_t>(y) * width + region.left) * 3;
    part.insert(part.end(), begin, begin + static_cast<std::ptrdiff_t>(region.width) * 3);
  }
  return part;
}

inline std::vector<const image::JpegKernel*> usable_kernels() {
  std::vector<const image::JpegKernel*> kernels;
  for (const image::JpegKernel& kernel : image::jpeg_kernels())
    if (kernel.usable()) kernels.push_back(&kernel);
  return kernels;
}

}  // namespace ptrun::test
