#include "image/tiff_format.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "image/codec.h"

namespace ptrun::image {
namespace {

// Photometric interpretations of the TIFF 6 specification.
enum Photometric : std::uint16_t {
  kWhiteIsZero = 0,
  kBlackIsZero = 1,
  kRgb = 2,
  kPalette = 3,
  kCmyk = 5,
  kYcbcr = 6,
};
constexpr std::size_t kMaxSamples = 6;  // Pillow's MAX_SAMPLESPERPIXEL

template <typename T>
T load(const std::uint8_t* in, std::size_t index) {
  T value;
  std::memcpy(&value, in + index * sizeof(T), sizeof(T));
  return value;
}

template <typename T>
std::uint8_t clip(T value) {
  if (!(value > 0)) return 0;
  return value >= 255 ? 255 : static_cast<std::uint8_t>(value);
}

// Sample `index` of a row with less than 8 bits a sample.
unsigned packed_sample(const std::uint8_t* in, unsigned bits, std::size_t index) {
  if (bits == 12) {
    const std::uint8_t* pair = in + index / 2 * 3;
    return index % 2 == 0 ? static_cast<unsigned>(pair[0] << 4 | pair[1] >> 4)
                          : static_cast<unsigned>((pair[1] & 15) << 8 | pair[2]);
  }
  const std::size_t per_byte = 8 / bits;
  const auto shift = static_cast<unsigned>(8 - bits * (index % per_byte + 1));
  return (static_cast<unsigned>(in[index / per_byte]) >> shift) & ((1U << bits) - 1);
}

// Pillow's 8-bit grey of sample `index`: 16 bits, 32 bits and floats are clipped at 255, not scaled.
std::uint8_t grey_sample(const std::uint8_t* in, const TiffTags& tags, const TiffFormat& format, std::size_t index) {
  const bool is_signed = tags.sample_format == 2;
  if (tags.bits == 8) return format.inverted ? static_cast<std::uint8_t>(255 - in[index]) : in[index];
  if (tags.bits == 16)
    return is_signed ? clip(load<std::int16_t>(in, index)) : clip_grey16(load<std::uint16_t>(in, index));
  if (tags.bits == 32)
    return tags.sample_format == 3 ? clip(load<float>(in, index)) : clip(load<std::int32_t>(in, index));
  const unsigned sample = packed_sample(in, tags.bits, index);
  if (tags.bits == 12) return clip_grey16(sample);
  const unsigned largest = (1U << tags.bits) - 1;
  return static_cast<std::uint8_t>((format.inverted ? largest - sample : sample) * (255 / largest));
}

// The byte of an 8-bit sample, the high byte of a 16-bit one.
std::uint8_t high_byte(const std::uint8_t* in, const TiffTags& tags, std::size_t index) {
  return tags.bits == 8 ? in[index] : static_cast<std::uint8_t>(load<std::uint16_t>(in, index) >> 8U);
}

// Pillow's fixed-point YCbCr tables (libImaging/ConvertYCbCr.c): 6 bits behind the point.
void ycbcr_to_rgb(const std::uint8_t* in, std::uint8_t* rgb) {
  constexpr int kScale = 6;
  // The tables hold product + 0.5 cut off towards 0.
  const auto product = [](double factor, int value) { return static_cast<int>(factor * value * (1 << kScale) + 0.5); };
  const int y = in[0];
  const int cb = in[1] - 128;
  const int cr = in[2] - 128;
  rgb[0] = clip(y + (product(1.402, cr) >> kScale));
  rgb[1] = clip(y + ((product(-0.34414, cb) + product(-0.71414, cr)) >> kScale));
  rgb[2] = clip(y + (product(1.772, cb) >> kScale));
}

[[noreturn]] void refuse(const TiffTags& tags) {
  fail("the TIFF pixels are of a kind that is not read: " + std::to_string(tags.samples) + " samples of " +
       std::to_string(tags.bits) + " bits, photometric interpretation " + std::to_string(tags.photometric) +
       ", sample format " + std::to_string(tags.sample_format));
}

void set_grey(const TiffTags& tags, TiffFormat& out) {
  out.pixels = TiffPixels::grey;
  out.channels = 1;
  const bool plain = tags.sample_format == 1;
  if (tags.samples == 2) {
    if (tags.bits != 8 || !plain || tags.photometric != kBlackIsZero || tags.first_extra == 1) refuse(tags);
    out.mode = tags.first_extra == 2 ? "LA" : "L";
    return;
  }
  if (tags.samples != 1) refuse(tags);
  // Pillow inverts up to 8 bits only.
  out.inverted = tags.photometric == kWhiteIsZero && tags.bits <= 8;
  switch (tags.bits) {
    case 1: out.mode = "1"; break;
    case 2:
    case 4: break;
    case 8:
      if (tags.sample_format == 3) refuse(tags);
      return;
    case 12: out.mode = "I;16"; break;
    case 16:
      if (tags.sample_format == 3) refuse(tags);
      out.mode = tags.sample_format == 2 ? "I" : tags.big_endian ? "I;16B" : "I;16";
      return;
    case 32: out.mode = tags.sample_format == 3 ? "F" : "I"; return;
    default: refuse(tags);
  }
  if (!plain) refuse(tags);
}

}  // namespace

TiffFormat tiff_format(const TiffTags& tags) {
  TiffFormat out;
  if (tags.samples > kMaxSamples) refuse(tags);
  if (tags.photometric == kWhiteIsZero || tags.photometric == kBlackIsZero ||
      (tags.photometric == kYcbcr && tags.samples == 1)) {
    set_grey(tags, out);
    return out;
  }
  if (tags.sample_format != 1) refuse(tags);
  const bool bytes = tags.bits == 8 || tags.bits == 16;
  switch (tags.photometric) {
    case kPalette:
      if (tags.samples > 2 || (tags.bits != 1 && tags.bits != 2 && tags.bits != 4 && tags.bits != 8)) refuse(tags);
      if (tags.samples == 2 && tags.bits != 8) refuse(tags);
      out.pixels = TiffPixels::palette;
      out.mode = tags.samples == 2 && tags.first_extra == 2 ? "PA" : "P";
      return out;
    case kRgb:
      if (tags.samples < 3 || !bytes) refuse(tags);
      out.pixels = tags.extras > 0 && tags.first_extra == 1 ? TiffPixels::premultiplied : TiffPixels::rgb;
      out.channels = out.pixels == TiffPixels::premultiplied ? 4 : 3;
      out.mode = tags.samples > 3 && (tags.extras == 0 || tags.first_extra != 0) ? "RGBA" : "RGB";
      return out;
    case kCmyk:
      if (tags.samples < 4 || !bytes) refuse(tags);
      out.pixels = TiffPixels::cmyk;
      out.channels = 4;
      out.mode = "CMYK";
      return out;
    case kYcbcr:
      if (tags.samples != 3 || tags.bits != 8) refuse(tags);
      out.pixels = TiffPixels::ycbcr;
      out.channels = 3;
      out.mode = tags.compression == 1 ? "YCbCr" : "RGB";
      return out;
    default: refuse(tags);
  }
}

void tiff_row_to_rgb(const std::uint8_t* in, const TiffTags& tags, const TiffFormat& format, std::size_t width,
                     std::uint8_t* rgb) {
  const std::size_t samples = tags.samples;
  for (std::size_t x = 0; x < width; ++x, rgb += 3) {
    const std::size_t at = x * samples;
    switch (format.pixels) {
      case TiffPixels::grey: rgb[0] = rgb[1] = rgb[2] = grey_sample(in, tags, format, at); break;
      case TiffPixels::palette: {
        const unsigned index = tags.bits == 8 ? in[at] : packed_sample(in, tags.bits, at);
        std::memcpy(rgb, format.palette[index].data(), 3);
        break;
      }
      case TiffPixels::rgb:
        for (std::size_t c = 0; c < 3; ++c) rgb[c] = high_byte(in, tags, at + c);
        break;
      case TiffPixels::premultiplied: {
        const int alpha = high_byte(in, tags, at + 3);
        for (std::size_t c = 0; c < 3; ++c) {
          const int value = high_byte(in, tags, at + c);
          rgb[c] = alpha == 0     ? std::uint8_t{0}
                   : alpha == 255 ? static_cast<std::uint8_t>(value)
                                  : clip(255 * value / alpha);
        }
        break;
      }
      case TiffPixels::cmyk: {
        std::array<std::uint8_t, 4> ink{};
        for (std::size_t c = 0; c < 4; ++c) ink.at(c) = high_byte(in, tags, at + c);
        cmyk_to_rgb(ink.data(), 1, false, rgb);
        break;
      }
      case TiffPixels::ycbcr: ycbcr_to_rgb(in + at, rgb); break;
    }
  }
}

}  // namespace ptrun::image
