// Files of tests/data, and decoding with the defaults.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "image/image.h"

namespace ptrun::test {

inline std::string read_data(const std::string& path) {
  std::ifstream file(std::string(PTRUN_TEST_DATA) + "/" + path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline std::uint32_t crc(const image::Pixels& pixels) {
  return static_cast<std::uint32_t>(crc32(0, pixels.data.data(), static_cast<uInt>(pixels.data.size())));
}

inline image::Pixels decode(std::string_view bytes, image::DecodeOptions options = {}) {
  image::Pixels pixels;
  image::decode(bytes, "test", options, pixels);
  return pixels;
}

}  // namespace ptrun::test
