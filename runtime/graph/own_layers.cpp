#include "graph/own_layers.h"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "graph/match.h"

namespace ptrun::jit {

std::optional<Convolution> convolution(const torch::jit::Node& node) {
  const auto weight = constant(node, "weight");
  const auto bias = constant(node, "bias");
  const auto stride = pair(node, "stride");
  const auto padding = pair(node, "padding");
  const auto dilation = pair(node, "dilation");
  const auto groups = constant(node, "groups");
  if (!weight || !weight->isTensor() || !fits(weight->toTensor(), 4) || !bias || !stride || !padding || !dilation ||
      !groups) {
    return std::nullopt;
  }
  if (argument(node, "transposed") != nullptr) {
    const auto transposed = constant(node, "transposed");
    if (!transposed || transposed->toBool()) return std::nullopt;
  }
  for (const auto& both : {*stride, *padding, *dilation}) {
    if (both[0] != both[1]) return std::nullopt;
  }
  Convolution made{weight->toTensor(), std::nullopt, (*stride)[0], (*padding)[0], (*dilation)[0], groups->toInt()};
  if (bias->isTensor()) made.bias = bias->toTensor();
  return made;
}

std::optional<double> attention_scale(const torch::jit::Node& node, std::int64_t width) {
  const auto mask = constant(node, "attn_mask");
  const auto dropout = number(node, "dropout_p");
  const auto causal = constant(node, "is_causal");
  const torch::jit::Value* scale = argument(node, "scale");
  const auto known = scale == nullptr ? std::optional(c10::IValue()) : torch::jit::toIValue(scale);
  if (!mask || !mask->isNone() || dropout != 0.0 || !causal || !causal->isBool() || causal->toBool() || !known) {
    return std::nullopt;
  }
  return known->isNone() ? 1.0 / std::sqrt(static_cast<double>(width)) : known->toScalar().toDouble();
}

bool is_global_mean(const torch::jit::Node& node) {
  if (is(node, "aten::adaptive_avg_pool2d")) return pair(node, "output_size") == std::vector<std::int64_t>{1, 1};
  const auto dimensions = constant(node, "dim");
  const auto keep = constant(node, "keepdim");
  const auto type = constant(node, "dtype");
  if (!dimensions || !dimensions->isIntList() || !keep || !keep->isBool() || !keep->toBool() || !type ||
      !type->isNone()) {
    return false;
  }
  std::vector<std::int64_t> list = dimensions->toIntVector();
  for (std::int64_t& dimension : list) dimension += dimension < 0 ? 4 : 0;
  std::sort(list.begin(), list.end());
  return list == std::vector<std::int64_t>{2, 3};
}

}  // namespace ptrun::jit
