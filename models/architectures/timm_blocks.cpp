#include "architectures/timm_blocks.h"

#include <string>

namespace ptrun::models {
namespace {

using Kind = TimmStage::Kind;

// Names of the convolution with a kernel and of those around it.
struct Names {
  const char* before;  // null: none
  const char* spatial;
  const char* after;
};

Names names_of(Kind kind) {
  switch (kind) {
    case Kind::separable: return {nullptr, "conv_dw", "conv_pw"};
    case Kind::inverted: return {"conv_pw", "conv_dw", "conv_pwl"};
    case Kind::edge: return {nullptr, "conv_exp", "conv_pwl"};
    case Kind::conv: break;
  }
  return {nullptr, "conv", nullptr};
}

std::string weight_of(const char* name) { return std::string(name) + ".weight"; }

bool fits(const Weights& block, const TimmStage& stage) {
  const Names names = names_of(stage.kind);
  for (const char* other : {"conv_pw", "conv_dw", "conv_pwl", "conv_exp", "conv"}) {
    bool expected = other == std::string_view(names.spatial);
    for (const char* name : {names.before, names.after}) {
      expected = expected || (name != nullptr && other == std::string_view(name));
    }
    if (block.has(weight_of(other)) != expected) return false;
  }
  return is_conv(block, weight_of(names.spatial), stage.kernel) && block.has("se.conv_reduce.weight") == stage.squeeze;
}

// Zeros so that ceil(side / stride) positions come out, the odd one behind.
Value padded(GraphBuilder& g, Value x, std::int64_t kernel, std::int64_t stride) {
  std::vector<Size> amounts;
  for (const std::int64_t dim : {3, 2}) {
    const Value missing =
        g.op("aten::remainder.int", {g.op("aten::neg.int", {g.size(x, dim)}), stride});  // to whole strides
    const Value all = g.op("aten::add.int", {missing, kernel - stride});
    const Value front = g.op("aten::floordiv.int", {all, std::int64_t{2}});
    amounts.emplace_back(front);
    amounts.emplace_back(g.op("aten::sub.int", {all, front}));
  }
  return g.op("aten::pad", {x, g.sizes(amounts)});
}

// A convolution, its batch norm `norm`, and an activation.
Value conv_of(GraphBuilder& g, const TimmMobile& network, const Weights& conv, const Weights& norm, Value x,
              std::int64_t stride, Activation activation) {
  const std::int64_t kernel = conv.size("weight", 2);
  const bool uneven = network.same && stride > 1 && kernel >= stride;
  if (uneven) x = padded(g, x, kernel, stride);
  return conv_norm(g, conv, norm, x,
                   {.stride = stride,
                    .groups = conv.size("weight", 1) == 1 ? 0 : 1,
                    .activation = activation,
                    .eps = network.eps,
                    .padded = !uneven});
}

Value block_of(GraphBuilder& g, const Weights& w, const TimmMobile& network, const TimmStage& stage, Value x,
               std::int64_t stride) {
  const Names names = names_of(stage.kind);
  const Activation activation = stage.activation == nullptr ? network.activation : stage.activation;
  int norms = 0;
  const auto step = [&](const char* name, Value y, std::int64_t by, Activation then) {
    return conv_of(g, network, w / name, w / ("bn" + std::to_string(++norms)), y, by, then);
  };
  Value y = x;
  if (names.before != nullptr) y = step(names.before, y, 1, activation);
  y = step(names.spatial, y, stride, activation);
  if (stage.squeeze) {
    y = squeeze_excitation(g, w / "se.conv_reduce", w / "se.conv_expand", y, network.reduced, network.gate);
  }
  if (names.after != nullptr) y = step(names.after, y, 1, nullptr);
  const bool depthwise = stage.kind == Kind::separable;
  const std::int64_t in = w.size(weight_of(names.before != nullptr ? names.before : names.spatial), depthwise ? 0 : 1);
  const std::int64_t out = w.size(weight_of(names.after != nullptr ? names.after : names.spatial), 0);
  return stride == 1 && in == out ? g.add(y, x) : y;
}

}  // namespace

bool fits(const Weights& w, const TimmMobile& network) {
  const Weights blocks = w / "blocks";
  if (!is_conv(w, "conv_stem.weight", 3) || !is_conv(w, "conv_head.weight", 1) || linear_size(w, "classifier") == 0 ||
      w.has("conv_head.bias") != network.pools_first || blocks.count() != network.stages.size()) {
    return false;
  }
  for (std::size_t i = 0; i < network.stages.size(); ++i) {
    const Weights stage = blocks / std::to_string(i);
    if (stage.count() != network.stages[i].depth) return false;
    for (const Weights& block : stage.items()) {
      if (!fits(block, network.stages[i])) return false;
    }
  }
  return true;
}

Value timm_mobile(GraphBuilder& g, const Weights& w, const TimmMobile& network, Value x) {
  x = conv_of(g, network, w / "conv_stem", w / "bn1", x, 2, network.activation);
  for (std::size_t i = 0; i < network.stages.size(); ++i) {
    const TimmStage& stage = network.stages[i];
    for (std::size_t j = 0; j < stage.depth; ++j) {
      const Weights block = w / "blocks" / std::to_string(i) / std::to_string(j);
      x = block_of(g, block, network, stage, x, j == 0 ? stage.stride : 1);
    }
  }
  if (network.pools_first) {
    x = biased_conv(g, w / "conv_head", g.adaptive_avg_pool2d(x, 1, 1), {.groups = 1});
    return biased_linear(g, w / "classifier", g.flatten(activate(g, network.activation, x)));
  }
  x = conv_of(g, network, w / "conv_head", w / "bn2", x, 1, network.activation);
  return pool_and_classify(g, w / "classifier", x);
}

}  // namespace ptrun::models
