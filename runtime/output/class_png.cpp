#include "output/class_png.h"

#include <zlib.h>

#include <cstddef>
#include <string_view>

#include "ptrun/error.h"

namespace ptrun {
namespace {

std::string big_endian(std::uint32_t value) {
  return {static_cast<char>(value >> 24U), static_cast<char>(value >> 16U & 0xFFU),
          static_cast<char>(value >> 8U & 0xFFU), static_cast<char>(value & 0xFFU)};
}

void append_chunk(std::string& png, std::string_view type, std::string_view data) {
  png += big_endian(static_cast<std::uint32_t>(data.size()));
  const std::size_t start = png.size();
  png.append(type).append(data);
  const auto* bytes = reinterpret_cast<const Bytef*>(png.data() + start);
  png += big_endian(static_cast<std::uint32_t>(::crc32(0, bytes, static_cast<uInt>(png.size() - start))));
}

// Colours that lie far apart for neighbouring classes: VOC's labelcolormap spreads the bits of the index from the top.
std::string voc_palette() {
  std::string palette;
  for (unsigned index = 0; index < 256; ++index) {
    for (unsigned channel = 0; channel < 3; ++channel) {
      unsigned value = 0;
      for (unsigned bit = 0; bit < 8; ++bit) value |= (index >> (3 * bit + channel) & 1U) << (7U - bit);
      palette += static_cast<char>(value);
    }
  }
  return palette;
}

}  // namespace

std::string class_png(const std::vector<std::uint8_t>& map, int width, int height) {
  const auto columns = static_cast<std::size_t>(width);
  std::string rows;
  rows.reserve((columns + 1) * static_cast<std::size_t>(height));
  for (std::size_t at = 0; at < map.size(); at += columns) {
    rows += '\0';  // no filter: indexes have no slope
    rows.append(reinterpret_cast<const char*>(map.data()) + at, columns);
  }
  // Runs compress well at any level.
  constexpr int kLevel = 4;
  uLongf size = ::compressBound(static_cast<uLong>(rows.size()));
  std::string packed(size, '\0');
  if (::compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(rows.data()),
                  static_cast<uLong>(rows.size()), kLevel) != Z_OK) {
    throw Error(ErrorCode::output_failed, "PNG", "zlib could not pack a class map; free memory");
  }
  packed.resize(size);

  std::string png = "\x89PNG\r\n\x1A\n";
  const std::string eight_bit_palette{'\x08', '\x03', '\0', '\0', '\0'};
  append_chunk(png, "IHDR",
               big_endian(static_cast<std::uint32_t>(width)) + big_endian(static_cast<std::uint32_t>(height)) +
                   eight_bit_palette);
  append_chunk(png, "PLTE", voc_palette());
  append_chunk(png, "IDAT", packed);
  append_chunk(png, "IEND", {});
  return png;
}

}  // namespace ptrun
