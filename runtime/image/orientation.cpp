#include "image/orientation.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace ptrun::image {
namespace {

constexpr unsigned kOrientationTag = 274;

// Reads integers of either byte order out of `bytes`; past its end they are 0.
struct Reader {
  std::string_view bytes;
  bool little_endian = false;

  std::uint64_t integer(std::uint64_t at, unsigned size) const {
    if (at > bytes.size() || size > bytes.size() - at) return 0;
    std::uint64_t value = 0;
    for (unsigned i = 0; i < size; ++i) {
      const unsigned from = little_endian ? size - 1 - i : i;
      value = value << 8U | static_cast<unsigned char>(bytes[at + from]);
    }
    return value;
  }
};

// Bytes of one value of the integer types of TIFF, 0 for every other type.
unsigned integer_size(std::uint64_t type) {
  switch (type) {
    case 6: return 1;  // SBYTE
    case 3:
    case 8: return 2;  // SHORT, SSHORT
    case 4:
    case 9: return 4;  // LONG, SLONG
    default: return 0;
  }
}

void flip_rows(Pixels& pixels) {
  const std::size_t stride = static_cast<std::size_t>(pixels.width) * 3;
  std::uint8_t* data = pixels.data.data();
  for (std::size_t top = 0, bottom = static_cast<std::size_t>(pixels.height) - 1; top < bottom; ++top, --bottom)
    std::swap_ranges(data + top * stride, data + (top + 1) * stride, data + bottom * stride);
}

void flip_columns(Pixels& pixels) {
  const std::size_t width = static_cast<std::size_t>(pixels.width);
  for (std::size_t y = 0; y < static_cast<std::size_t>(pixels.height); ++y) {
    std::uint8_t* left = pixels.data.data() + y * width * 3;
    std::uint8_t* right = left + (width - 1) * 3;
    for (; left < right; left += 3, right -= 3) std::swap_ranges(left, left + 3, right);
  }
}

// Rows become columns: out(x, y) = in(y, x). In square tiles, so that neither side leaves the cache.
void transpose(Pixels& pixels) {
  constexpr std::size_t kTile = 32;
  const auto width = static_cast<std::size_t>(pixels.width);
  const auto height = static_cast<std::size_t>(pixels.height);
  pixels.scratch.resize(pixels.data.size());
  const std::uint8_t* in = pixels.data.data();
  std::uint8_t* out = pixels.scratch.data();
  for (std::size_t y0 = 0; y0 < height; y0 += kTile)
    for (std::size_t x0 = 0; x0 < width; x0 += kTile)
      for (std::size_t x = x0; x < std::min(x0 + kTile, width); ++x)
        for (std::size_t y = y0; y < std::min(y0 + kTile, height); ++y)
          std::memcpy(out + (x * height + y) * 3, in + (y * width + x) * 3, 3);
  pixels.data.swap(pixels.scratch);
  std::swap(pixels.width, pixels.height);
}

}  // namespace

int exif_orientation(std::string_view block) {
  using namespace std::string_view_literals;
  constexpr auto kPrefix = "Exif\0\0"sv;
  for (int i = 0; i < 2 && block.substr(0, kPrefix.size()) == kPrefix; ++i) block.remove_prefix(kPrefix.size());
  if (block.size() < 8) return 0;

  Reader reader{block};
  const std::string_view order = block.substr(0, 2);
  if (order == "II")
    reader.little_endian = true;
  else if (order != "MM")
    return 0;
  // Pillow also takes the magic number in the wrong byte order.
  const std::uint64_t magic = reader.integer(2, 2);
  if (magic != 42 && magic != 42U << 8U) return 0;

  const std::uint64_t directory = reader.integer(4, 4);
  const std::uint64_t entries = reader.integer(directory, 2);
  int orientation = 0;
  for (std::uint64_t i = 0; i < entries; ++i) {
    const std::uint64_t entry = directory + 2 + i * 12;
    if (entry + 12 > block.size()) break;
    if (reader.integer(entry, 2) != kOrientationTag) continue;
    const unsigned size = integer_size(reader.integer(entry + 2, 2));
    // Of two entries the later one counts; a value that means nothing leaves the picture as stored.
    const std::uint64_t value = reader.integer(entry + 4, 4) == 1 ? reader.integer(entry + 8, size) : 1;
    orientation = value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return orientation;
}

int xmp_orientation(std::string_view packet) {
  constexpr std::string_view kName = "tiff:Orientation";
  for (std::size_t at = packet.find(kName); at != std::string_view::npos; at = packet.find(kName, at + 1)) {
    std::string_view rest = packet.substr(at + kName.size());
    if (rest.substr(0, 2) == "=\"")
      rest.remove_prefix(2);
    else if (rest.substr(0, 1) == ">")
      rest.remove_prefix(1);
    else
      continue;
    if (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') return rest[0] <= '8' ? rest[0] - '0' : 0;
  }
  return 0;
}

int find_orientation(std::string_view exif, std::string_view xmp) {
  int orientation = exif_orientation(exif);
  if (orientation == 0) orientation = xmp_orientation(xmp);
  return orientation == 0 ? 1 : orientation;
}

void turn_upright(int orientation, Pixels& pixels) {
  switch (orientation) {
    case 2: flip_columns(pixels); break;
    case 3:
      flip_rows(pixels);
      flip_columns(pixels);
      break;
    case 4: flip_rows(pixels); break;
    case 5: transpose(pixels); break;
    case 6:  // stored turned left: turn right
      flip_rows(pixels);
      transpose(pixels);
      break;
    case 7:
      flip_rows(pixels);
      flip_columns(pixels);
      transpose(pixels);
      break;
    case 8:
      transpose(pixels);
      flip_rows(pixels);
      break;
    default: break;
  }
}

}  // namespace ptrun::image
