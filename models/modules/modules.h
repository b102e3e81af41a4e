// Forward rules of Python classes, for whole pickled modules. A new package: one file with one function here, one row
// in modules.cpp, one golden test.
#pragma once

#include <vector>

#include "ptrun/modules.h"

namespace ptrun::models {

using Rules = std::vector<ModuleRule>;

Rules torch_nn_containers();

// All of them. Of two rules for one class the first counts.
Rules module_rules();

}  // namespace ptrun::models
