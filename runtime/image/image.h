// Encoded bytes -> pixels. One file per codec, in one table (codec.cpp), found by magic bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ptrun/preset.h"

namespace ptrun::image {

struct JpegKernel;                     // jpeg_baseline/kernel.h
const JpegKernel* best_jpeg_kernel();  // the fastest for this processor; null where libjpeg is

// What a codec keeps from image to image.
struct CodecState {
  virtual ~CodecState() = default;
};
// Stays where it is: a copied picture has none.
struct KeptState {
  KeptState() = default;
  KeptState(const KeptState& /*other*/) {}
  KeptState& operator=(const KeptState& /*other*/) { return *this; }
  KeptState(KeptState&&) = default;
  KeptState& operator=(KeptState&&) = default;
  std::unique_ptr<CodecState> state;
};

// 8-bit RGB, rows without gaps: data[(y * width + x) * 3 + c]. The buffers keep their capacity, so one Pixels per
// worker decodes image after image without allocating. After a failed decode the image is empty (0 x 0), never the
// one before.
struct Pixels {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> data;
  std::string mode = "RGB";  // Pillow's mode of the file: "L", "P", "RGBA", "CMYK", "I;16", ...
  int exif_orientation = 1;  // the tag as found, 1..8
  int reduced = 1;           // width and height are those of the whole picture divided by this, rounded up
  int full_width = 0;        // of the whole picture, upright as this one; meaningful where it is reduced
  int full_height = 0;
  bool streamed = false;              // DecodeOptions::sink has the picture, `data` has not
  bool baseline = false;              // a JPEG that jpeg_baseline/ decoded, not libjpeg; the bytes are the same
  std::vector<std::uint8_t> scratch;  // the codecs' work space, contents unspecified
  KeptState codec;
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

// Takes the rows of a picture while it is decoded, so that a large one never lies in memory as a whole.
class RowSink {
 public:
  virtual ~RowSink() = default;
  // Before the first row of a picture of `width` x `height` pixels. False: it is wanted in Pixels::data. Comes again
  // where the rows so far were not right, and all of them follow once more.
  virtual bool begin(int width, int height) = 0;
  // The pixels [left, left + width) of the rows [first, first + count), which are `stride` bytes apart: in order, at
  // least those of DecodeOptions::region.
  virtual void rows(int first, int count, int left, int width, const std::uint8_t* rgb, std::size_t stride) = 0;
};

struct DecodeOptions {
  DecodeLimits limits;
  // What the caller will read of an upright picture of the given size; empty: all of it. Pixels outside may then hold
  // anything, those inside are what they would be without it, and so is every error.
  std::function<Region(int width, int height)> region;
  // 1, 2, 4 or 8 for an upright picture of the given size: the JPEG codec then makes one of a fraction of its width and
  // height, as Pillow's draft() does, which is faster and has other pixels. Empty: 1.
  std::function<int(int width, int height)> reduction;
  // Gets the rows where the codec makes them upright and in order (JPEG). Must outlive the call.
  RowSink* sink = nullptr;
  // The loops that decode the common kind of JPEG; null: libjpeg decodes all of them, to the same bytes.
  const JpegKernel* jpeg_kernel = best_jpeg_kernel();
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
