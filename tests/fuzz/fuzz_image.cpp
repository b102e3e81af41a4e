// Any bytes as an image: an error or a picture of the size that it states. Limits keep one input short.
#include <cstdlib>

#include "fuzz/target.h"
#include "image/image.h"

namespace ptrun::test {

void fuzz(std::string bytes) {
  static image::Pixels pixels;  // one for all inputs, as a worker has it
  image::DecodeOptions options;
  options.limits.pixels = 1'000'000;
  options.limits.jpeg_scan_pixels = 20'000'000;
  image::decode(bytes, "fuzz", options, pixels);
  if (pixels.data.size() != static_cast<std::size_t>(pixels.width) * static_cast<std::size_t>(pixels.height) * 3)
    std::abort();
}

}  // namespace ptrun::test
