// Operators that model files need and LibTorch lacks.
#pragma once

#include <string>
#include <vector>

namespace ptrun {

// Registers torchvision's operators for the CPU with LibTorch's dispatcher, each only when nobody has (an application
// may have loaded torchvision itself). Cheap after the first call; any thread.
void register_operators();

// True once register_operators() has run in this process.
bool operators_are_registered();

// Names that register_operators() provides ("torchvision::nms"), for ptrun inspect. Registers nothing.
const std::vector<std::string>& provided_operators();

}  // namespace ptrun
