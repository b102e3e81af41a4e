// The families of networks that ptrun can build from weights alone. A new family: one file with one function here, one
// row in architectures.cpp, one golden test.
#pragma once

#include <vector>

#include "ptrun/models.h"

namespace ptrun::models {

Architecture mobilenet_v2_family();
Architecture resnet_family();

// The table, in the order in which families are tried.
std::vector<Architecture> architectures();

}  // namespace ptrun::models
