// Convolutions and linear layers on bytes: eight-bit activations, eight-bit weights with a scale for each output
// channel, through LibTorch's oneDNN operators.
#pragma once

#include <c10/core/ScalarType.h>

#include <memory>

#include "graph/ranges.h"
#include "graph/record_shapes.h"

namespace torch::jit {
struct Graph;
}

namespace ptrun::jit {

// Rewrites `graph`, which is normal, folded and float32; `shapes` are its values' shapes for the inputs it will run on,
// and afterwards those of the new values too. `ranges` are those of numbered_tensors(graph). Layers whose tensors have
// a range take and give bytes, and what stands between them (pooling, additions, gates of squeeze-and-excitation) works
// on bytes where both sides have them; the rest is cast to `type` (float32 or bfloat16), with conversions between; the
// graph's inputs stay float32.
// Activations and the additions of residual blocks are done by the layer before them. Biases take up the mean error of
// the rounded weights. Returns how many layers became int8. Throws what LibTorch throws, the graph is then unusable.
int quantise(const std::shared_ptr<torch::jit::Graph>& graph, Shapes& shapes, const Ranges& ranges,
             c10::ScalarType type);

}  // namespace ptrun::jit
