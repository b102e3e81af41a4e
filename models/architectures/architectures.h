// The families of networks that ptrun can build from weights alone. A new family: one file with one function here, one
// row in architectures.cpp, one golden test.
#pragma once

#include <vector>

#include "ptrun/models.h"

namespace ptrun::models {

Architecture alexnet_family();
Architecture convnext_family();
Architecture densenet_family();
Architecture efficientnet_family();
Architecture googlenet_family();
Architecture inception_v3_family();
Architecture maxvit_family();
Architecture mnasnet_family();
Architecture mobilenet_v2_family();
Architecture mobilenet_v3_family();
Architecture regnet_family();
Architecture resnet_family();
Architecture shufflenet_v2_family();
Architecture squeezenet_family();
Architecture swin_family();
Architecture timm_convnext_family();
Architecture timm_efficientnet_family();
Architecture timm_efficientnet_twin_family();
Architecture timm_mobilenet_v2_family();
Architecture timm_mobilenet_v3_family();
Architecture timm_resnet_family();
Architecture timm_tf_mobilenet_v3_family();
Architecture timm_vit_family();
Architecture vgg_family();
Architecture vit_family();

// The table, in the order in which families are tried.
std::vector<Architecture> architectures();

}  // namespace ptrun::models
