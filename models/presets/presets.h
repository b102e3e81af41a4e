// Which preprocessing and labels belong to published weights.
#pragma once

#include <vector>

#include "ptrun/models.h"

namespace ptrun::models {

// torchvision's ImageClassification preset with its defaults: bilinear, short side to `resize_size`, centre crop 224.
PresetLayer imagenet_preset(int resize_size);

// timm's defaults (timm/data/constants.py): bicubic, 224 of 256, ImageNet's mean and deviation.
PresetLayer timm_preset();

// The table of published weights.
std::vector<PublishedWeights> published_weights();

}  // namespace ptrun::models
