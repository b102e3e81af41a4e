// Pixels -> one row of the batch, equal to what Pillow + torchvision make.
#pragma once

#include <cstdint>
#include <vector>

#include "image/image.h"
#include "ptrun/geometry.h"
#include "ptrun/preset.h"

namespace ptrun {

// Buffers that one worker keeps from image to image. Not thread-safe.
struct PreprocessScratch {
  std::vector<std::uint8_t> horizontal;  // rows between the two passes
  std::vector<std::uint8_t> resized;     // the crop, RGB
  std::vector<std::int32_t> weights;     // filter coefficients
  std::vector<int> bounds;
};

// Resizes, crops, normalises one image into `row` [3, input_height, input_width] float32, contiguous.
// Throws invalid_argument for a preset that this build cannot follow, bad_image for an image with no pixels.
Geometry preprocess(const image::Pixels& pixels, const Preset& preset, PreprocessScratch& scratch, float* row);

// For a module that prepares its input itself: rescale and channel order only, size unchanged.
// `chw` has 3 * height * width floats, values 0..1.
Geometry to_unit_chw(const image::Pixels& pixels, const Preset& preset, float* chw);

}  // namespace ptrun
