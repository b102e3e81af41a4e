// A folder as MODEL: which file in it is meant, and what config.json beside it says.
#pragma once

#include <string>
#include <string_view>

#include "loader/sidecar.h"

namespace ptrun {

// The model file that `path` means: itself, or in a folder model.safetensors, pytorch_model.bin, an index of one of
// them, or the only file that can be a model. Throws unsupported naming what the folder holds instead (photos,
// TensorFlow, Core ML), bad_model when there are several or none. Looks at names only.
std::string find_model_file(const std::string& path);

// What timm's config.json (pretrained_cfg, label_names) or transformers' config.json and preprocessor_config.json in
// the folder of `file` say; empty where there are none, or where `file` has another name than those two give it.
// The architecture is timm's name, "timm/tf_efficientnet_b0", a hint where names and shapes of several networks are the
// same. Throws bad_model for malformed JSON.
ModelFacts read_folder_config(const std::string& file);

// The two forms by themselves. `source` names the text in messages and sources.
ModelFacts read_model_config(std::string_view text, const std::string& source);
PresetLayer read_preprocessor_config(std::string_view text, const std::string& source);

}  // namespace ptrun
