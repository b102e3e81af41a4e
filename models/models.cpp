#include "ptrun/models.h"

namespace ptrun {

const ModelTables& builtin_models() {
  static const ModelTables tables;
  return tables;
}

}  // namespace ptrun
