// timm's inverted residuals (timm/models/_efficientnet_blocks.py), shared by its mobile networks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "architectures/blocks.h"

namespace ptrun::models {

// One stage of blocks; channels are the file's.
struct TimmStage {
  // timm's letters: depthwise and pointwise ("ds"), inverted residual ("ir"), edge residual ("er"), convolution ("cn").
  enum class Kind { separable, inverted, edge, conv } kind;
  std::size_t depth;
  std::int64_t kernel;
  std::int64_t stride;  // of its first block
  bool squeeze;
  Activation activation = nullptr;  // else the network's
};

struct TimmMobile {
  std::vector<TimmStage> stages;
  Activation activation;
  double eps = 1e-5;         // of the batch norms
  bool same = false;         // padded as TensorFlow does, more below and on the right: timm's tf_ networks
  Activation reduced;        // inside the squeeze and excitation
  Activation gate;           // at its end
  bool pools_first = false;  // global mean, then conv_head with a bias (MobileNetV3); else conv_head, bn2, global mean
};

// True when conv_stem, the blocks, conv_head and classifier of `w` are those of `network`.
bool fits(const Weights& w, const TimmMobile& network);

// The logits of x [N, 3, H, W].
Value timm_mobile(GraphBuilder& g, const Weights& w, const TimmMobile& network, Value x);

}  // namespace ptrun::models
