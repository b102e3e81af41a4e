// The mask of one object: prototypes added up by its coefficients, enlarged to the photo, positive inside its box.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ptrun/geometry.h"
#include "ptrun/prediction.h"

namespace ptrun {

// Row-major numbers [height, width].
struct Plane {
  int width = 0;
  int height = 0;
  std::vector<float> values;
};

// Part of a plane.
struct Window {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
};

// Where the numbers `logits`, a plane over the whole input of the model, are positive on the photo inside `box`: by way
// of the input's pixels, as ultralytics' retina masks. Nothing where no pixel is.
std::optional<Mask> object_mask(const Plane& logits, const Detection& box, const Geometry& geometry);

// COCO run-length encoding, column by column, as pycocotools writes it.
class MaskEncoder {
 public:
  MaskEncoder(int width, int height) : width_(width), height_(height) {}
  // `count` pixels are set from `first` on, counted down the columns; not before the end of the runs added so far.
  void add(std::int64_t first, std::int64_t count);
  bool empty() const noexcept { return runs_.empty(); }
  Mask finish();

 private:
  int width_;
  int height_;
  std::vector<std::int64_t> runs_;  // outside and inside by turns
  std::int64_t end_ = 0;            // of the runs so far
};

}  // namespace ptrun
