#pragma once

namespace ptrun {

// How the upright original became the model's input, so that boxes and masks can be mapped back:
//   input_x = original_x * scale_x + offset_x, likewise y. Pixel edges, not centres; offsets are
// negative for a crop and positive for padding.
struct Geometry {
  int original_width = 0;  // pixels, after EXIF orientation was applied
  int original_height = 0;
  int input_width = 0;  // pixels of the tensor [N, 3, input_height, input_width]
  int input_height = 0;
  double scale_x = 1.0;
  double scale_y = 1.0;
  double offset_x = 0.0;
  double offset_y = 0.0;
};

}  // namespace ptrun
