#pragma once

#include <cstdint>
#include <fstream>
#include <string>

namespace ptrun::test {

// An uncompressed BMP of one colour; width is a multiple of 4, so that rows need no padding.
inline std::string bmp(std::uint32_t width, std::uint32_t height, std::uint8_t red, std::uint8_t green,
                       std::uint8_t blue) {
  std::string bytes = "BM";
  const auto number = [&](std::uint32_t value, int size) {
    for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFFU);
  };
  const std::uint32_t pixels = width * height * 3;
  number(54 + pixels, 4);
  number(0, 4);
  number(54, 4);
  number(40, 4);
  number(width, 4);
  number(height, 4);
  number(1, 2);
  number(24, 2);
  number(0, 4);
  number(pixels, 4);
  for (int i = 0; i < 4; ++i) number(0, 4);
  for (std::uint32_t i = 0; i < width * height; ++i) {
    bytes += static_cast<char>(blue);
    bytes += static_cast<char>(green);
    bytes += static_cast<char>(red);
  }
  return bytes;
}

inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace ptrun::test
