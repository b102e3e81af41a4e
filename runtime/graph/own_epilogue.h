// Activations as our own operators do them.
#pragma once

#include <optional>

#include "kernels/kernels.h"

namespace torch::jit {
struct Node;
}

namespace ptrun::jit {

// Of a node that is an activation and has loops.
std::optional<kernels::Epilogue> epilogue(const torch::jit::Node& node);

}  // namespace ptrun::jit
