// Which 3x3 convolutions run by Winograd's minimal filtering (operators/fused.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace ptrun::jit {

// The edge of the tiles that a dense 3x3 convolution of stride 1 in float32 takes least time by: 4 or 2; 0 where
// another way is about as fast. `input` [N, C, H, W], `weight` [columns, C, 3, 3].
int winograd_edge(at::IntArrayRef input, at::IntArrayRef weight, std::int64_t padding);

}  // namespace ptrun::jit
