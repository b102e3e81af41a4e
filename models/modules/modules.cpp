#include "modules/modules.h"

namespace ptrun::models {

Rules module_rules() {
  Rules all;
  for (Rules (*const package)() : {
           timm_layers,           timm_models,          torch_nn_activation,
           torch_nn_containers,   torch_nn_conv,        torch_nn_linear,
           torch_nn_norm,         torch_nn_pooling,     torch_nn_shape,
           torchvision_blocks,    torchvision_classify, torchvision_inception,
           torchvision_maxvit,    torchvision_segment,  torchvision_swin,
           ultralytics_attention, ultralytics_blocks,   ultralytics_conv,
           ultralytics_heads,     ultralytics_model,    yolov5,
       }) {
    for (ModuleRule& rule : package()) all.push_back(std::move(rule));
  }
  return all;
}

}  // namespace ptrun::models
