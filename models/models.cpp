#include "ptrun/models.h"

#include "architectures/architectures.h"
#include "labels/labels.h"
#include "presets/presets.h"

namespace ptrun {

const ModelTables& builtin_models() {
  static const ModelTables tables = {models::architectures(), models::published_weights(), models::label_sets()};
  return tables;
}

}  // namespace ptrun
