#include "ptrun/models.h"

#include "architectures/architectures.h"
#include "labels/labels.h"
#include "modules/modules.h"
#include "presets/presets.h"

namespace ptrun {

const ModelTables& builtin_models() {
  static const ModelTables tables = {models::architectures(), models::published_weights(), models::label_sets(),
                                     models::module_rules()};
  return tables;
}

}  // namespace ptrun
