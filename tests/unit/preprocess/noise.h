// The noise images of the golden tests: the same generator as noise() in scripts/fixtures/make_golden_resize.py.
#pragma once

#include <cstddef>
#include <cstdint>

#include "image/image.h"

namespace ptrun::test {

inline image::Pixels noise(std::uint32_t seed, int width, int height) {
  image::Pixels pixels;
  pixels.width = width;
  pixels.height = height;
  pixels.data.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
  std::uint32_t state = seed;
  for (std::uint8_t& byte : pixels.data) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<std::uint8_t>(state >> 24U);
  }
  return pixels;
}

}  // namespace ptrun::test
