// Rotated boxes: a row holds the centre, width and height in pixels of the input, after the classes the angle in
// radians, clockwise as y points down.
#pragma once

#include <vector>

#include "task/boxes.h"

namespace ptrun {

// Those of `candidates`, best first, that no better one of their class covers, with corners in pixels of the photo. Two
// boxes overlap by ProbIoU, the likeness of the normal distributions that have their shape: 2106.06072. A covered box
// covers others all the same, as in ultralytics' predict.
std::vector<Detection> rotated_detections(const BoxReader& reader, const std::vector<Candidate>& candidates,
                                          BoxForm form, const Geometry& geometry);

}  // namespace ptrun
