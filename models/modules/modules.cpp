#include "modules/modules.h"

namespace ptrun::models {

Rules module_rules() {
  Rules all;
  for (Rules (*const package)() : {
           torch_nn_containers,
       }) {
    for (ModuleRule& rule : package()) all.push_back(std::move(rule));
  }
  return all;
}

}  // namespace ptrun::models
