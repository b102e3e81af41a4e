// Semantic segmentation: outputs that hold a logit for every class and place, and the preprocessing that most such
// networks were trained with.
#pragma once

#include "loader/model_impl.h"
#include "ptrun/signature.h"

namespace ptrun {

// The entry that holds the logits by torchvision's convention: entries called "out" and, of training, "aux", with four
// dimensions where they are known. Null for other outputs. Lives as long as `output`.
const OutputNode* class_map_entry(const OutputNode& output);
inline bool is_class_map(const OutputNode& output) { return class_map_entry(output) != nullptr; }

// True where a model of Task::segment that returns `output` says a class for every place; else it lists objects, as a
// tuple of rows and prototypes.
bool gives_class_map(const OutputNode& output);

// For a model of Task::segment that gives a class map: assumes torchvision's preprocessing below what the file says.
// The whole photo with its short side at 520 pixels, or stretched to the input where the file fixes its size.
void assume_class_map_preset(Model::Impl& model);

}  // namespace ptrun
