// The class of each pixel of a photo, from a logit a class and place of the model's input.
#pragma once

#include <cstdint>
#include <vector>

#include "ptrun/geometry.h"

namespace ptrun {

// In a class map: a pixel that the model did not see, because the preprocessing cut it off.
inline constexpr std::uint8_t kUnseen = 255;
// So that every class and kUnseen fit into a byte.
inline constexpr std::int64_t kMostClasses = 255;

// Logits over the whole input, row-major [classes, height, width]; one class means yes (1) where it is positive.
struct ClassLogits {
  const float* values = nullptr;
  int classes = 0;
  int height = 0;
  int width = 0;
};

// [original_height, original_width] of `geometry`. As Python users of torchvision and ultralytics' predict do it: the
// logits are resized to the input where they are smaller, what is padding is cut off, the rest is resized to the photo,
// both bilinear; then the first of the largest logits is the class.
std::vector<std::uint8_t> class_map(const ClassLogits& logits, const Geometry& geometry);

}  // namespace ptrun
