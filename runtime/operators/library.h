// Shared libraries with operators that a model file needs and neither LibTorch nor ptrun has (detectron2, mmcv).
#pragma once

#include <string>
#include <vector>

namespace ptrun {

// Opens `path`, whose code runs as it is opened, and returns the names that it registered with LibTorch's dispatcher
// ("detectron2::nms_rotated"), sorted. Opening the same file again gives the same names. It stays open until the
// process ends. Any thread. Throws not_found, unsupported naming the loader's reason, or invalid_argument once
// register_operators() has run: a library that brings torchvision's operators would meet ours.
std::vector<std::string> load_operator_library(const std::string& path);

}  // namespace ptrun
