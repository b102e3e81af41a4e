// What a Model handle holds. Made by a loader, read by executor and predictor; immutable once a Model exists.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "graph/module.h"
#include "loader/sidecar.h"
#include "ptrun/model.h"

namespace ptrun {

struct Model::Impl {
  std::string path;
  std::string kind;           // archive::info(kind).word, or "state_dict", "checkpoint"
  std::string architecture;   // variant name, empty when the file carries its own graph
  bool from_weights = false;  // built by an Architecture from weights alone
  Task task = Task::classify;
  bool task_given = false;  // by the caller or the sidecar, not read from the file
  Module module;
  Signature signature;
  Labels labels;                   // a loader fills in what the file itself says; loader.cpp does the rest
  bool labels_assumed = false;     // a guess from the number of classes
  std::vector<ModelFacts> stated;  // written for ptrun or by other tools, in the file and its folder; first wins
  PresetLayer file_preset;         // what the file itself says otherwise
  PresetLayer assumed_preset;      // what most files of its kind or family use
  std::string same_keys;           // what else weights of these names could be, unless they are published ones
  ResolvedPreset preset;           // resolved by loader.cpp
  // Why an input tensor of this shape is refused, where the dimensions of the signature do not say everything; may be
  // empty. Any thread.
  std::function<std::string(const std::vector<std::int64_t>& shape)> input_problem;
  bool rotated_boxes = false;  // of a detector: an angle follows the classes
  bool anchor_rows = false;    // of a detector whose output has no name: objectness stands before the classes
  std::array<std::int64_t, 2> keypoint_shape = {0, 0};  // points, numbers a point; zeros: not known
  std::int64_t parameters = 0;
  std::vector<std::string> notes;  // what the loader chose for the user, one sentence each
};

}  // namespace ptrun
