// Which pixels a TIFF picture holds, and how Pillow makes RGB of them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ptrun::image {

// What the directory says, in TIFF's own numbers.
struct TiffTags {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint16_t bits = 1;  // a sample
  std::uint16_t samples = 1;
  std::uint16_t photometric = 0;
  std::uint16_t compression = 1;
  std::uint16_t sample_format = 1;  // 1 unsigned, 2 signed, 3 float
  std::uint16_t first_extra = 0;    // 0 unspecified, 1 alpha premultiplied, 2 alpha
  std::uint16_t extras = 0;
  bool planar = false;  // each channel in a plane of its own
  bool big_endian = false;
  int orientation = 1;
};

enum class TiffPixels { grey, palette, rgb, premultiplied, cmyk, ycbcr };

struct TiffFormat {
  TiffPixels pixels = TiffPixels::grey;
  std::string_view mode = "L";  // Pillow's
  std::size_t channels = 1;     // that make the colour, alpha of premultiplied included
  bool inverted = false;        // grey: 0 is white
  std::array<std::array<std::uint8_t, 3>, 256> palette{};
};

// The rows of Pillow's OPEN_INFO table as rules. Throws bad_image for pixels that Pillow does not read either, and for
// Lab, which it converts through a colour profile.
TiffFormat tiff_format(const TiffTags& tags);

// `width` pixels of interleaved samples, as libtiff gives them (host byte order), to RGB. `in` holds
// tags.samples samples a pixel, those beyond format.channels are skipped.
void tiff_row_to_rgb(const std::uint8_t* in, const TiffTags& tags, const TiffFormat& format, std::size_t width,
                     std::uint8_t* rgb);

}  // namespace ptrun::image
