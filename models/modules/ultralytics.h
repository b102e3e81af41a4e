// What the files about ultralytics' and YOLOv5's classes share. The classes are known by what their pickled objects
// hold, by the papers named beside each rule, and by numbers measured on both sides.
#pragma once

#include <vector>

#include "modules/modules.h"

// A class stands at two paths: ultralytics/nn/modules.py became a folder in version 8.0.100.
#define PTRUN_ULTRALYTICS(file, name) "ultralytics.nn.modules." file "." name, "ultralytics.nn.modules." name
// The YOLOv5 repository, and its package on PyPI.
#define PTRUN_YOLOV5(name) "models.common." name, "yolov5.models.common." name
#define PTRUN_BOTH(file, name) PTRUN_ULTRALYTICS(file, name), PTRUN_YOLOV5(name)

namespace ptrun::models {

// What child `cv1` of `m`, a convolution unit, gave as `x`, in two halves of its channels.
std::vector<Value> halves(ModuleWriter& w, const PickledModule& m, Value x);

// The children of container `name` of `m`, for example of a ModuleList. Throws bad_model when it is absent.
std::vector<PickledModule> list_of(const PickledModule& m, std::string_view name);

// For a feature map x [N, C, H, W]: the centres of its cells in cells, [1, 2, H * W] (x, then y), and ones
// [1, 1, H * W]. Computed inside the graph, so any height and width will do.
struct CellGrid {
  Value centres;
  Value ones;
};
CellGrid cell_grid(ModuleWriter& w, Value x);

}  // namespace ptrun::models
