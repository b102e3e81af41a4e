// Encoded bytes -> pixels. One file per codec, in one table (codec.cpp), found by magic bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ptrun/preset.h"

namespace ptrun::image {

// 8-bit RGB, rows without gaps: data[(y * width + x) * 3 + c]. The buffers keep their capacity, so one Pixels per
// worker decodes image after image without allocating. After a failed decode the image is empty (0 x 0), never the
// one before.
struct Pixels {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> data;
  std::string mode = "RGB";           // Pillow's mode of the file: "L", "P", "RGBA", "CMYK", "I;16", ...
  int exif_orientation = 1;           // the tag as found, 1..8
  std::vector<std::uint8_t> scratch;  // the codecs' work space, contents unspecified
};

struct DecodeLimits {
  std::uint64_t pixels = 100'000'000;  // width x height, checked from the header before anything is allocated
  int side = 1 << 20;                  // pixels
  int jpeg_scans = 500;                // a small progressive JPEG with thousands of scans decodes for hours
  // scans x pixels: an honest file has about 10 scans, so this bounds the time of the largest ones.
  std::uint64_t jpeg_scan_pixels = 2'000'000'000;
};

// Pixels [left, left + width) x [top, top + height) of a picture.
struct Region {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
};

struct DecodeOptions {
  DecodeLimits limits;
  // What the caller will read of an upright picture of the given size; empty: all of it. Pixels outside may then hold
  // anything, those inside are what they would be without it, and so is every error.
  std::function<Region(int width, int height)> region;
  ExifRule exif = ExifRule::apply;
  ColorRule color = ColorRule::rgb;
};

// A row of the table.
struct Codec {
  std::string_view name;                     // "JPEG"
  std::vector<std::string_view> extensions;  // lower case, with the dot
  bool (*matches)(std::string_view bytes);   // by magic bytes
  // Fills width, height, data, mode and exif_orientation with the picture as stored. Throws bad_image or
  // limit_exceeded with an empty subject, which decode() fills in.
  void (*decode)(std::string_view bytes, const DecodeOptions& options, Pixels& out);
  // The format itself says how the picture stands, so it is turned whatever the EXIF rule (Pillow: TIFF).
  bool always_upright = false;
};
const std::vector<Codec>& codecs();

// Every extension of every codec, lower case with the dot.
std::vector<std::string_view> known_extensions();

// Decodes `bytes` into `out` as Pillow's Image.open(f).convert("RGB") does, after ImageOps.exif_transpose when asked.
// Throws bad_image ("photo.jpg: JPEG data ends at row 120 of 300; the file is truncated") or limit_exceeded.
// Thread-safe for different `out`.
void decode(std::string_view bytes, const std::string& subject, const DecodeOptions& options, Pixels& out);

}  // namespace ptrun::image
