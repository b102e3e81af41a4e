// Encoded bytes -> pixels. One file per codec, in one table (codec.cpp), found by magic bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ptrun/preset.h"

namespace ptrun::image {

// 8-bit RGB, rows without gaps: data[(y * width + x) * 3 + c]. The buffer only grows, so one Pixels per worker
// decodes image after image without allocating.
struct Pixels {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> data;
  std::string mode = "RGB";  // Pillow's mode of the file: "L", "P", "RGBA", "CMYK", "I;16", ...
  int exif_orientation = 1;  // the tag as found, 1..8
};

struct DecodeLimits {
  std::uint64_t pixels = 100'000'000;  // width x height, checked from the header before anything is allocated
  int side = 1 << 20;                  // pixels
  int jpeg_scans = 500;                // progressive JPEG: a scan bomb decodes for hours
};

struct DecodeOptions {
  DecodeLimits limits;
  ExifRule exif = ExifRule::apply;
  ColorRule color = ColorRule::rgb;
};

struct Header {
  int width = 0;  // as stored, before EXIF
  int height = 0;
};

// A row of the table.
struct Codec {
  std::string_view name;                     // "JPEG"
  std::vector<std::string_view> extensions;  // lower case, with the dot
  bool (*matches)(std::string_view bytes);   // by magic bytes
  // Decodes to upright RGB. Throws bad_image; the subject is added by decode().
  void (*decode)(std::string_view bytes, const DecodeOptions& options, Pixels& out);
};
const std::vector<Codec>& codecs();

// Every extension of every codec, lower case with the dot.
std::vector<std::string_view> known_extensions();

// Decodes `bytes` into `out` as Pillow's Image.open(f).convert("RGB") does, after ImageOps.exif_transpose when asked.
// Throws bad_image ("photo.jpg: JPEG data ends at row 120 of 300; the file is truncated") or limit_exceeded.
// Thread-safe for different `out`.
void decode(std::string_view bytes, const std::string& subject, const DecodeOptions& options, Pixels& out);

}  // namespace ptrun::image
