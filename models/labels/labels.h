// Built-in sets of class names.
#pragma once

#include <vector>

#include "ptrun/models.h"

namespace ptrun::models {

std::vector<LabelSet> label_sets();
LabelSet voc_labels();

}  // namespace ptrun::models
