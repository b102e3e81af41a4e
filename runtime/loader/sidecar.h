// What a model's author wrote down beside or inside the model file: labels, preset, task.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ptrun/labels.h"
#include "ptrun/preset.h"
#include "ptrun/signature.h"

namespace ptrun {

// What an AOTInductor package leaves out and its host has to know.
struct NativeFacts {
  std::string torch;  // version that compiled it, "2.15.0"
  std::vector<TensorSpec> inputs;
};

struct ModelFacts {
  Labels labels;
  PresetLayer preset;
  std::string task;          // "classify", ..., or empty
  std::string preset_name;   // of published weights, below the fields of `preset`; or empty
  std::string architecture;  // a variant's name, or empty
  std::optional<NativeFacts> native;
  // What an exported detector's rows hold, where its file says it; Model::Impl has the meanings.
  bool rotated_boxes = false;
  bool anchor_rows = false;
  std::array<std::int64_t, 2> keypoint_shape = {0, 0};
};

inline constexpr std::size_t kMaxSidecarBytes = 16U << 20U;  // also of the same text inside a file

// MODELFILE.ptrun.json of the model file `path`; empty where there is none. Defined in loader.cpp. Throws Error.
ModelFacts read_sidecar(const std::string& path);

// ptrun's own JSON, as MODELFILE.ptrun.json or as the extra file "ptrun.json" of a TorchScript archive:
//   {"task": "classify", "labels": ["cat", "dog"], "preset": {"input_size": "224", "mean": [0.5, 0.5, 0.5]}}
// and for an AOTInductor package what its code takes, a dynamic size as its range, the first counting images:
//   {"native": {"torch": "2.15.0", "inputs": [{"shape": [[1, 64], 3, 224, 224], "dtype": "float32"}]}}
// labels come in any form of label_names.h; preset may be the name of published weights; its fields, named as in
// preset_field_names(), may also stand at the top; "v" may say 1. `source` names it in messages and becomes the source
// of what was read. Throws Error(bad_model) for another form, an unknown key or field.
ModelFacts read_ptrun_json(std::string_view text, const std::string& source);

// The extra file "config.txt" that ultralytics (names, imgsz, task, kpt_shape) and the yolov5 repository (names, shape)
// export. The preset is ultralytics' own: letterbox with grey 114 by OpenCV, values 0..1 (classify: shortest side and
// centre crop). Throws Error(bad_model), also for JSON of somebody else.
ModelFacts read_ultralytics_config(std::string_view text, const std::string& source);

}  // namespace ptrun
