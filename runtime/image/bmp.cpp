// Windows bitmaps: no Debian library reads them alone. The variants of Pillow's BmpImagePlugin: 1, 4, 8, 16, 24 and
// 32 bits, core to V5 headers, RLE4 and RLE8, the usual bit fields; alpha is dropped.
#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "image/codec.h"

namespace ptrun::image {
namespace {

constexpr std::size_t kFileHeader = 14;

// Little-endian integers of the file; reading past its end is the error of a truncated file.
class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}
  std::uint32_t integer(std::size_t at, std::size_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at) fail("BMP data ends in the header; the file is truncated");
    std::uint32_t value = 0;
    for (std::size_t i = size; i-- > 0;) value = value << 8U | static_cast<unsigned char>(bytes_[at + i]);
    return value;
  }
  std::uint32_t u16(std::size_t at) const { return integer(at, 2); }
  std::uint32_t u32(std::size_t at) const { return integer(at, 4); }
  std::string_view from(std::size_t at) const { return bytes_.substr(std::min(at, bytes_.size())); }

 private:
  std::string_view bytes_;
};

enum Compression : std::uint32_t { kRaw = 0, kRle8 = 1, kRle4 = 2, kBitFields = 3 };

// Where a channel lies in a pixel: `bits` wide, `shift` from its low end.
struct Channel {
  unsigned shift = 0;
  unsigned bits = 8;
};

struct BmpHeader {
  std::uint64_t width = 0;
  std::uint64_t height = 0;
  bool top_down = false;
  std::uint32_t bits = 0;
  std::uint32_t compression = kRaw;
  std::size_t data = 0;  // offset of the pixels
  std::array<std::array<std::uint8_t, 3>, 256> palette{};
  std::array<Channel, 3> channels{};  // red, green, blue, for 16 bits and more
  bool alpha = false;
  bool grey = false;     // a palette that is the ramp of its numbers
  bool bilevel = false;  // of at most 2 colours
};

// The bit fields that Pillow reads.
struct Layout {
  std::uint32_t bits;
  std::array<std::uint32_t, 4> masks;
  std::array<Channel, 3> channels;
};
constexpr std::array<Layout, 11> kLayouts = {{
    {32, {0xFF0000, 0xFF00, 0xFF, 0}, {{{16, 8}, {8, 8}, {0, 8}}}},
    {32, {0xFF000000, 0xFF0000, 0xFF00, 0}, {{{24, 8}, {16, 8}, {8, 8}}}},
    {32, {0xFF000000, 0xFF00, 0xFF, 0}, {{{24, 8}, {8, 8}, {0, 8}}}},
    {32, {0xFF000000, 0xFF0000, 0xFF00, 0xFF}, {{{24, 8}, {16, 8}, {8, 8}}}},
    {32, {0xFF, 0xFF00, 0xFF0000, 0xFF000000}, {{{0, 8}, {8, 8}, {16, 8}}}},
    {32, {0xFF0000, 0xFF00, 0xFF, 0xFF000000}, {{{16, 8}, {8, 8}, {0, 8}}}},
    {32, {0xFF000000, 0xFF00, 0xFF, 0xFF0000}, {{{24, 8}, {8, 8}, {0, 8}}}},
    {32, {0, 0, 0, 0}, {{{16, 8}, {8, 8}, {0, 8}}}},
    {24, {0xFF0000, 0xFF00, 0xFF, 0}, {{{16, 8}, {8, 8}, {0, 8}}}},
    {16, {0xF800, 0x7E0, 0x1F, 0}, {{{11, 5}, {5, 6}, {0, 5}}}},
    {16, {0x7C00, 0x3E0, 0x1F, 0}, {{{10, 5}, {5, 5}, {0, 5}}}},
}};

void read_bit_fields(const Input& input, std::size_t header_size, BmpHeader& out) {
  std::array<std::uint32_t, 4> masks{};
  // Behind a 40-byte header, or in a longer one at the same place; alpha only from 56 bytes on.
  for (std::size_t i = 0; i < 3; ++i) masks.at(i) = input.u32(kFileHeader + 40 + i * 4);
  if (header_size >= 56 && out.bits == 32) masks[3] = input.u32(kFileHeader + 52);
  const auto* layout = std::find_if(kLayouts.begin(), kLayouts.end(),
                                    [&](const Layout& row) { return row.bits == out.bits && row.masks == masks; });
  if (layout == kLayouts.end()) fail("the BMP has an unusual layout of its bit fields, which is not read");
  out.channels = layout->channels;
  out.alpha = layout->bits == 32 && (masks[3] != 0 || masks[0] == 0);
}

BmpHeader read_header(const Input& input) {
  BmpHeader out;
  const std::size_t size = input.u32(kFileHeader);
  std::size_t entry_size = 4;  // of the palette
  std::size_t colors = 0;
  if (size == 12) {
    out.width = input.u16(kFileHeader + 4);
    out.height = input.u16(kFileHeader + 6);
    out.bits = input.u16(kFileHeader + 10);
    entry_size = 3;
  } else if (size == 40 || size == 52 || size == 56 || size == 64 || size == 108 || size == 124) {
    out.width = input.u32(kFileHeader + 4);
    const std::uint32_t height = input.u32(kFileHeader + 8);
    // A negative height: the first row comes first.
    out.top_down = height >> 24U == 0xFF;
    out.height = out.top_down ? (std::uint64_t{1} << 32U) - height : height;
    out.bits = input.u16(kFileHeader + 14);
    out.compression = input.u32(kFileHeader + 16);
    colors = input.u32(kFileHeader + 32);
  } else {
    fail("the BMP header is of " + std::to_string(size) + " bytes, which is no known kind");
  }
  if (out.bits != 1 && out.bits != 4 && out.bits != 8 && out.bits != 16 && out.bits != 24 && out.bits != 32)
    fail("the BMP has " + std::to_string(out.bits) + " bits a pixel, expected 1, 4, 8, 16, 24 or 32");
  if (out.compression > kBitFields) fail("the BMP holds a JPEG or PNG picture, which is not read");
  if ((out.compression == kRle8 && out.bits != 8) || (out.compression == kRle4 && out.bits != 4))
    fail("the BMP is run-length coded with another pixel size than its own; the file is damaged");

  out.data = input.u32(10);
  std::size_t palette_at = kFileHeader + size;
  if (out.compression == kBitFields)
    read_bit_fields(input, size, out);
  else
    out.channels = out.bits == 16 ? kLayouts.back().channels : kLayouts.front().channels;
  if (out.bits > 8) return out;

  if (colors == 0) colors = std::size_t{1} << out.bits;
  if (colors > 65536) fail("the BMP palette has " + std::to_string(colors) + " colours, expected at most 65536");
  // Some writers forget the palette in the offset of the pixels.
  if (out.data == palette_at) out.data += entry_size * colors;
  out.grey = true;
  out.bilevel = colors <= 2;
  // Colours that the palette lacks stay black, as in Pillow.
  for (std::size_t i = 0; i < std::min(out.palette.size(), colors); ++i) {
    const std::size_t at = palette_at + i * entry_size;
    const std::uint8_t blue = static_cast<std::uint8_t>(input.integer(at, 1));
    const std::uint8_t green = static_cast<std::uint8_t>(input.integer(at + 1, 1));
    const std::uint8_t red = static_cast<std::uint8_t>(input.integer(at + 2, 1));
    const std::size_t ramp = colors == 2 ? i * 255 : i;
    if (red != ramp || green != ramp || blue != ramp) out.grey = false;
    out.palette.at(i) = {red, green, blue};
  }
  return out;
}

void convert_row(const unsigned char* in, const BmpHeader& header, std::uint8_t* rgb) {
  const auto width = static_cast<std::size_t>(header.width);
  if (header.bits <= 8) {
    const std::size_t per_byte = 8 / header.bits;
    const unsigned mask = (1U << header.bits) - 1;
    for (std::size_t x = 0; x < width; ++x) {
      const auto shift = static_cast<unsigned>(8 - header.bits * (x % per_byte + 1));
      std::memcpy(rgb + x * 3, header.palette[(unsigned{in[x / per_byte]} >> shift) & mask].data(), 3);
    }
    return;
  }
  const std::size_t bytes = header.bits / 8;
  for (std::size_t x = 0; x < width; ++x) {
    std::uint32_t pixel = 0;
    for (std::size_t i = bytes; i-- > 0;) pixel = pixel << 8U | in[x * bytes + i];
    for (std::size_t c = 0; c < 3; ++c) {
      const Channel& channel = header.channels[c];
      const std::uint32_t largest = (1U << channel.bits) - 1;
      rgb[x * 3 + c] = static_cast<std::uint8_t>(((pixel >> channel.shift) & largest) * 255 / largest);
    }
  }
}

// Run-length coded indices, one byte a pixel, rows as stored; what the codes skip is colour 0. `indices` grows with
// what the codes give, so that a header alone takes no memory.
void unpack_runs(std::string_view in, const BmpHeader& header, std::vector<std::uint8_t>& indices) {
  const auto width = static_cast<std::size_t>(header.width);
  const std::size_t size = width * static_cast<std::size_t>(header.height);
  const bool rle4 = header.compression == kRle4;
  const auto byte = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(in[i])}; };
  const auto nibble = [](std::size_t value, std::size_t i) {
    return static_cast<std::uint8_t>(i % 2 == 0 ? value >> 4U : value & 15U);
  };
  indices.clear();
  std::size_t x = 0;
  for (std::size_t at = 0; indices.size() < size && at + 2 <= in.size();) {
    const std::size_t count = byte(at);
    const std::size_t value = byte(at + 1);
    const std::size_t left = size - indices.size();
    at += 2;
    if (count > 0) {
      const std::size_t run = std::min({count, width > x ? width - x : 0, left});
      for (std::size_t i = 0; i < run; ++i)
        indices.push_back(rle4 ? nibble(value, i) : static_cast<std::uint8_t>(value));
      x += run;
    } else if (value == 0) {  // end of the row
      indices.resize((indices.size() + width - 1) / width * width);
      x = 0;
    } else if (value == 1) {  // end of the picture
      indices.resize(size);
    } else if (value == 2) {  // move right and up
      if (at + 2 > in.size()) break;
      indices.resize(indices.size() + std::min(left, byte(at) + byte(at + 1) * width));
      x = indices.size() % width;
      at += 2;
    } else {  // as they are, padded to 16 bits
      const std::size_t copied = std::min<std::size_t>(value, left);
      const std::size_t bytes = rle4 ? (copied + 1) / 2 : copied;
      if (bytes > in.size() - at) break;
      for (std::size_t i = 0; i < copied; ++i)
        indices.push_back(rle4 ? nibble(byte(at + i / 2), i) : static_cast<std::uint8_t>(byte(at + i)));
      x += value;
      at += bytes + bytes % 2;
    }
  }
  if (indices.size() < size)
    fail("BMP data ends at row " + std::to_string(indices.size() / width) + " of " + std::to_string(header.height) +
         "; the file is truncated");
}

}  // namespace

bool is_bmp(std::string_view bytes) { return bytes.size() >= 18 && bytes.substr(0, 2) == "BM"; }

void decode_bmp(std::string_view bytes, const DecodeOptions& options, Pixels& out) {
  const Input input(bytes);
  BmpHeader header = read_header(input);
  check_size(header.width, header.height, options.limits);
  out.mode = header.bits > 8 ? (header.alpha ? "RGBA" : "RGB") : header.grey ? (header.bilevel ? "1" : "L") : "P";

  const auto width = static_cast<std::size_t>(header.width);
  const auto height = static_cast<std::size_t>(header.height);
  std::string_view pixels = input.from(header.data);
  std::size_t stride = (width * header.bits + 31) / 32 * 4;
  if (header.compression == kRle8 || header.compression == kRle4) {
    unpack_runs(pixels, header, out.scratch);
    pixels = {reinterpret_cast<const char*>(out.scratch.data()), out.scratch.size()};
    stride = width;
    header.bits = 8;
  }
  // Pillow asks for whole rows, but takes the last one without its padding.
  const std::size_t row_bytes = (width * header.bits + 7) / 8;
  if (pixels.size() < stride * (height - 1) + row_bytes)
    fail("BMP data ends at row " + std::to_string(pixels.size() / stride) + " of " + std::to_string(height) +
         "; the file is truncated");
  std::uint8_t* rgb = prepare(out, width, height, options.limits);
  for (std::size_t y = 0; y < height; ++y) {
    const std::size_t from = header.top_down ? y : height - 1 - y;
    convert_row(reinterpret_cast<const unsigned char*>(pixels.data()) + from * stride, header, rgb + y * width * 3);
  }
}

}  // namespace ptrun::image
