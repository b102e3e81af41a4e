// What the graph itself says about a dict that it returns.
#pragma once

#include "ptrun/signature.h"

namespace torch::jit {
struct Value;
}

namespace ptrun::torchscript {

// Gives the children of dicts in `node`, the tree of `value`, the keys that the graph writes; where a key is set to
// what comes out of a convolution, enlarged or added up, also its dimensions [N, channels, H, W].
void name_dict_keys(OutputNode& node, const torch::jit::Value* value);

}  // namespace ptrun::torchscript
