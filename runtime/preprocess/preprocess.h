// Pixels -> one row of the batch, equal to what Pillow + torchvision / timm / ultralytics make.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "image/image.h"
#include "preprocess/resize.h"
#include "ptrun/geometry.h"
#include "ptrun/preset.h"

namespace ptrun {

// The float of each byte of each channel: (byte / 255 - mean) / std in float32, in the order of torchvision's ToTensor
// and Normalize, so that the tensors have the same bits.
struct ValueTable {
  std::array<double, 3> mean = {};
  std::array<double, 3> std = {};
  double rescale = 0;
  std::array<std::array<float, 256>, 3> values = {};
};

// Buffers that one worker keeps from image to image, so that no image allocates. Not thread-safe.
struct PreprocessScratch {
  ResizeScratch resize;
  std::vector<std::uint8_t> resized;  // the crop, RGB
  ValueTable table;
};

// Resizes and crops a picture while it is decoded, for DecodeOptions::sink; preprocess() of the Pixels then only
// normalises. Both arguments must outlive it.
class PreprocessRows : public image::RowSink {
 public:
  PreprocessRows(const Preset& preset, PreprocessScratch& scratch) : preset_(preset), scratch_(scratch) {}
  bool begin(int width, int height) override;
  void rows(int first, int count, int left, int width, const std::uint8_t* rgb, std::size_t stride) override;
  // What it took of the decoder's time since the last call.
  double take_seconds() { return std::exchange(seconds_, 0.0); }

 private:
  const Preset& preset_;
  PreprocessScratch& scratch_;
  RowResize resize_;
  double seconds_ = 0;
};

// Resizes, crops, normalises one image into `row` [3, input_height, input_width] float32, contiguous.
// Throws invalid_argument for a preset that this build cannot follow, bad_image for an image with no pixels.
Geometry preprocess(const image::Pixels& pixels, const Preset& preset, PreprocessScratch& scratch, float* row);

// The same up to the crop: [input_height, input_width, 3] bytes, in scratch.resized.
Geometry resize_and_crop(const image::Pixels& pixels, const Preset& preset, PreprocessScratch& scratch);

// The part of a `width` x `height` image that the two above read, a pixel or two more at most. Never throws: an image
// that they refuse is wanted whole.
image::Region source_region(int width, int height, const Preset& preset) noexcept;

// For DecodeOptions::reduction: the largest of 8, 4 and 2 that leaves a `width` x `height` picture at least twice as
// large as it is resized to, else 1. Never throws.
int reduction(int width, int height, const Preset& preset) noexcept;

// For a module that prepares its input itself: rescale and channel order only, size unchanged.
// `chw` has 3 * height * width floats, values 0..1.
Geometry to_unit_chw(const image::Pixels& pixels, const Preset& preset, float* chw);

// True where the input is as large as the resized image: resize_mode shortest with crop_mode none.
bool input_size_varies(const Preset& preset) noexcept;
// Of such a preset: the one with the input size that a `width` x `height` image gets. Throws limit_exceeded where a
// side would be longer than a preset's may be.
Preset preset_for(int width, int height, const Preset& preset);

// Throws what preprocess() would for `preset`, without an image: for use before the first one is read.
void check_preset(const Preset& preset);

}  // namespace ptrun
