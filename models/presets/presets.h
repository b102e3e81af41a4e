// Which preprocessing and labels belong to published weights.
#pragma once

#include <vector>

#include "ptrun/models.h"

namespace ptrun::models {

// torchvision's ImageClassification preset with its defaults: bilinear, short side to `resize_size`, centre crop 224.
PresetLayer imagenet_preset(int resize_size);

// The table of published weights.
std::vector<PublishedWeights> published_weights();

}  // namespace ptrun::models
