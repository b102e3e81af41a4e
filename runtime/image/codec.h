// What the codecs of this room share: their entries, limits, buffers, Pillow's pixel conversions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "image/image.h"

namespace ptrun::image {

// The entries of the table, one file each.
bool is_jpeg(std::string_view bytes);
void decode_jpeg(std::string_view bytes, const DecodeOptions& options, Pixels& out);
bool is_png(std::string_view bytes);
void decode_png(std::string_view bytes, const DecodeOptions& options, Pixels& out);
bool is_webp(std::string_view bytes);
void decode_webp(std::string_view bytes, const DecodeOptions& options, Pixels& out);
bool is_tiff(std::string_view bytes);
void decode_tiff(std::string_view bytes, const DecodeOptions& options, Pixels& out);
bool is_gif(std::string_view bytes);
void decode_gif(std::string_view bytes, const DecodeOptions& options, Pixels& out);
bool is_bmp(std::string_view bytes);
void decode_bmp(std::string_view bytes, const DecodeOptions& options, Pixels& out);

// Throws Error(bad_image) with an empty subject.
[[noreturn]] void fail(const std::string& problem);

// Throws limit_exceeded, or bad_image when a side is 0: before anything is allocated for the picture.
void check_size(std::uint64_t width, std::uint64_t height, const DecodeLimits& limits);

// check_size(), then sets the size and makes room in `out.data`, whose bytes are all 0 when `zeroed`.
std::uint8_t* prepare(Pixels& out, std::uint64_t width, std::uint64_t height, const DecodeLimits& limits,
                      bool zeroed = false);

// Pillow's conversions to RGB, `count` pixels (libImaging/Convert.c).
void grey_to_rgb(const std::uint8_t* grey, std::size_t count, std::uint8_t* rgb);
void rgba_to_rgb(const std::uint8_t* rgba, std::size_t count, std::uint8_t* rgb);
// 255: no ink.
void cmyk_to_rgb(const std::uint8_t* cmyk, std::size_t count, bool inverted, std::uint8_t* rgb);
// 16-bit grey keeps values below 256 and makes all others 255 (Pillow's I;16).
inline std::uint8_t clip_grey16(unsigned value) { return value < 256 ? static_cast<std::uint8_t>(value) : 255; }

// "12 x 34"
std::string size_text(std::uint64_t width, std::uint64_t height);

}  // namespace ptrun::image
