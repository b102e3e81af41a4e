// A photo for tests of tasks.
#pragma once

#include <vector>

#include "ptrun/prediction.h"

namespace ptrun::test {

// 451 x 300 in the middle of 640 x 640.
inline std::vector<Outcome> one_image() {
  std::vector<Outcome> outcomes(1);
  Geometry& geometry = outcomes[0].prediction.emplace().geometry;
  geometry.original_width = 451;
  geometry.original_height = 300;
  geometry.input_width = geometry.input_height = 640;
  geometry.scale_x = 640.0 / 451;
  geometry.scale_y = 426.0 / 300;
  geometry.offset_y = 107;
  return outcomes;
}

}  // namespace ptrun::test
