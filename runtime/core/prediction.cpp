#include "ptrun/prediction.h"

namespace ptrun {

const char* to_string(Task task) noexcept {
  switch (task) {
    case Task::classify: return "classify";
    case Task::detect: return "detect";
    case Task::segment: return "segment";
    case Task::keypoints: return "keypoints";
    case Task::embed: return "embed";
    case Task::restore: return "restore";
    case Task::tensors: return "tensors";
  }
  return "unknown";
}

const char* to_string(Stage stage) noexcept {
  switch (stage) {
    case Stage::read: return "read";
    case Stage::decode: return "decode";
    case Stage::preprocess: return "preprocess";
    case Stage::model: return "model";
    case Stage::output: return "output";
  }
  return "unknown";
}

}  // namespace ptrun
