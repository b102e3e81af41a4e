// Any bytes as a JPEG: jpeg_baseline/ by every set of loops gives what libjpeg alone gives, pixels or error.
#include <algorithm>
#include <cstdlib>

#include "fuzz/target.h"
#include "unit/image/both_ways.h"

namespace ptrun::test {

void fuzz(std::string bytes) {
  if (bytes.substr(0, 3) != "\xFF\xD8\xFF") return;  // fuzz_image has the other kinds
  static image::Pixels pixels;                       // one for all inputs, as a worker has it
  image::DecodeOptions options;
  options.limits.pixels = 200'000;
  options.limits.jpeg_scan_pixels = 4'000'000;
  const int reduction = 1 << static_cast<unsigned char>(bytes.back()) % 4;
  options.reduction = [&](int, int) { return reduction; };
  const Decoded expected = decode_by(nullptr, bytes, pixels, options);
  // Of a part, which the bytes choose.
  const auto byte = [&](std::size_t i) {
    return static_cast<unsigned char>(bytes[bytes.size() - 1 - i % bytes.size()]);
  };
  image::Region region;
  region.left = byte(2) % std::max(expected.width, 1);
  region.top = byte(3) % std::max(expected.height, 1);
  region.width = 1 + byte(4) % std::max(expected.width - region.left, 1);
  region.height = 1 + byte(5) % std::max(expected.height - region.top, 1);
  for (const image::JpegKernel* kernel : usable_kernels()) {
    if (!(decode_by(kernel, bytes, pixels, options) == expected)) std::abort();
    if (!expected.error.empty()) continue;
    image::DecodeOptions of_part = options;
    of_part.region = [&](int, int) { return region; };
    const Decoded part = decode_by(kernel, bytes, pixels, of_part);
    if (!part.error.empty() || part_of(part.data, part.width, region) != part_of(expected.data, expected.width, region))
      std::abort();
  }
}

}  // namespace ptrun::test
