// The way from numbers over the model's input back to the photo's pixels: bilinear without antialiasing, pixel centres
// at half numbers, as torch's interpolate(mode="bilinear", align_corners=False).
#pragma once

#include <vector>

namespace ptrun {

// The two places that an output pixel lies between, and how much of each it takes.
struct Taps {
  int first = 0;
  int second = 0;
  float of_first = 1.0F;
  float of_second = 0.0F;
};

// Those of the pixels start ... start + count of `out` that `in` pixels from `from` on are made into.
std::vector<Taps> taps(int from, int in, int out, int start, int count);

// What the input shows of one side of the photo, in pixels of both.
struct Shown {
  int input_start = 0;
  int input_count = 0;
  int photo_start = 0;
  int photo_count = 0;
};

// `photo` and `input` are the lengths of the side, `scale` and `offset` those of Geometry. A border of padding is not
// the photo's; of a crop a part of the photo only is shown.
Shown shown(int photo, int input, double scale, double offset);

}  // namespace ptrun
