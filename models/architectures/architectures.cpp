#include "architectures/architectures.h"

namespace ptrun::models {

std::vector<Architecture> architectures() {
  return {
      resnet_family(),
      mobilenet_v2_family(),
      mobilenet_v3_family(),
      efficientnet_family(),
      convnext_family(),
      vit_family(),
      swin_family(),
      densenet_family(),
      vgg_family(),
      alexnet_family(),
      squeezenet_family(),
      shufflenet_v2_family(),
      mnasnet_family(),
      regnet_family(),
      googlenet_family(),
      inception_v3_family(),
      maxvit_family(),
      timm_vit_family(),
      timm_resnet_family(),
      timm_convnext_family(),
      timm_mobilenet_v3_family(),
      timm_mobilenet_v2_family(),
      timm_efficientnet_family(),
      timm_tf_mobilenet_v3_family(),
      timm_efficientnet_twin_family(),
  };
}

}  // namespace ptrun::models
