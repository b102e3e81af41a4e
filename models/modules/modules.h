// Forward rules of Python classes, for whole pickled modules. A new package: one file with one function here, one row
// in modules.cpp, one golden test.
#pragma once

#include <vector>

#include "ptrun/modules.h"

namespace ptrun::models {

using Rules = std::vector<ModuleRule>;

Rules timm_layers();
Rules timm_models();
Rules torch_nn_activation();
Rules torch_nn_containers();
Rules torch_nn_conv();
Rules torch_nn_linear();
Rules torch_nn_norm();
Rules torch_nn_pooling();
Rules torch_nn_shape();
Rules torchvision_blocks();
Rules torchvision_classify();
Rules torchvision_inception();
Rules torchvision_maxvit();
Rules torchvision_segment();
Rules torchvision_swin();
Rules ultralytics_attention();
Rules ultralytics_blocks();
Rules ultralytics_conv();
Rules ultralytics_heads();
Rules ultralytics_model();
Rules yolov5();

// All of them. Of two rules for one class the first counts.
Rules module_rules();

}  // namespace ptrun::models
