#include "architectures/architectures.h"

namespace ptrun::models {

std::vector<Architecture> architectures() {
  return {
      resnet_family(),
      mobilenet_v2_family(),
  };
}

}  // namespace ptrun::models
