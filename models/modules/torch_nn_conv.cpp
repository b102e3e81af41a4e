// torch/nn/modules/conv.py
#include <algorithm>
#include <string>
#include <vector>

#include "modules/modules.h"
#include "modules/rule_tools.h"

namespace ptrun::models {
namespace {

constexpr std::int64_t kMost = 4096;  // stride, padding, dilation

// What `padding_mode` meant in the version that saved `m`, told by the attribute that its forward reads. Before 1.5
// only "circular" was followed, with the larger half of the padding in front, and none at all where the half behind is
// 0; 1.5.0 exchanged height and width; 1.5.1 and later do what is written.
void follow_version(const PickledModule& m, std::string& mode, std::vector<std::int64_t>& left,
                    std::vector<std::int64_t>& right) {
  if (mode == "zeros" || m.attribute("_reversed_padding_repeated_twice")) return;
  if (m.attribute("_padding_repeated_twice")) {
    std::reverse(left.begin(), left.end());
    std::reverse(right.begin(), right.end());
    return;
  }
  if (mode != "circular") {
    mode = "zeros";
    return;
  }
  for (std::size_t i = 0; i < left.size(); ++i) {
    right[i] /= 2;
    left[i] = right[i] == 0 ? 0 : left[i] - right[i];
  }
}

// Zeros on both sides of each dimension, or what padding_mode says, beginning with the last dimension as F.pad does.
struct Padding {
  std::vector<std::int64_t> even;      // for the operator itself
  std::vector<std::int64_t> in_front;  // for F.pad; empty: none
  std::string mode = "constant";
};

Padding read_padding(const PickledModule& m, std::size_t dims, const std::vector<std::int64_t>& kernel,
                     const std::vector<std::int64_t>& dilation) {
  Padding padding;
  padding.even.assign(dims, 0);
  std::vector<std::int64_t> left(dims, 0);
  std::vector<std::int64_t> right(dims, 0);
  if (const auto word = m.attribute("padding").text()) {
    if (*word != "same" && *word != "valid") m.fail("has padding '" + *word + "', expected 'same' or 'valid'");
    for (std::size_t i = 0; *word == "same" && i < dims; ++i) {
      const std::int64_t total = dilation[i] * (kernel[i] - 1);
      left[i] = total / 2;
      right[i] = total - left[i];
    }
  } else {
    left = right = bounded(m, "padding", dims, 0, kMost);
  }
  std::string mode = m.text("padding_mode", "zeros");
  if (mode != "zeros" && mode != "reflect" && mode != "replicate" && mode != "circular") {
    m.fail("has padding_mode '" + mode + "', expected zeros, reflect, replicate or circular");
  }
  follow_version(m, mode, left, right);
  if (mode == "zeros" && left == right) {
    padding.even = left;
    return padding;
  }
  if (mode != "zeros") padding.mode = mode;
  for (std::size_t i = dims; i-- > 0;) {
    padding.in_front.push_back(left[i]);
    padding.in_front.push_back(right[i]);
  }
  return padding;
}

template <std::size_t Dims>
Value convolution(ModuleWriter& w, const PickledModule& m, Value x) {
  const std::vector<std::int64_t> kernel = bounded(m, "kernel_size", Dims, 1, kMost);
  const std::vector<std::int64_t> dilation = bounded(m, "dilation", Dims, 1, kMost, 1);
  const Padding padding = read_padding(m, Dims, kernel, dilation);
  if (!padding.in_front.empty()) x = pad(w, x, padding.in_front, padding.mode);
  const Value weight = w.parameter(m, "weight", static_cast<int>(Dims) + 2);
  const std::string schema = "aten::conv" + std::to_string(Dims) + "d";
  return w.graph().op(schema, {x, weight, w.optional_parameter(m, "bias", 1), bounded(m, "stride", Dims, 1, kMost, 1),
                               padding.even, dilation, bounded(m, "groups", 1, 1, 1 << 20, 1)[0]});
}

template <std::size_t Dims>
Value transposed(ModuleWriter& w, const PickledModule& m, Value x) {
  // Python allows no other mode here either.
  if (m.text("padding_mode", "zeros") != "zeros") m.fail("has another padding_mode than zeros");
  const std::string schema = "aten::conv_transpose" + std::to_string(Dims) + "d" + (Dims == 1 ? "" : ".input");
  return w.graph().op(schema,
                      {x, w.parameter(m, "weight", static_cast<int>(Dims) + 2), w.optional_parameter(m, "bias", 1),
                       bounded(m, "stride", Dims, 1, kMost, 1), bounded(m, "padding", Dims, 0, kMost, 0),
                       bounded(m, "output_padding", Dims, 0, kMost, 0), bounded(m, "groups", 1, 1, 1 << 20, 1)[0],
                       bounded(m, "dilation", Dims, 1, kMost, 1)});
}

}  // namespace

Rules torch_nn_conv() {
  return {
      {{"torch.nn.modules.conv.Conv2d"}, one_tensor<convolution<2>>},
      {{"torch.nn.modules.conv.Conv1d"}, one_tensor<convolution<1>>},
      {{"torch.nn.modules.conv.Conv3d"}, one_tensor<convolution<3>>},
      {{"torch.nn.modules.conv.ConvTranspose1d"}, one_tensor<transposed<1>>},
      {{"torch.nn.modules.conv.ConvTranspose2d"}, one_tensor<transposed<2>>},
      {{"torch.nn.modules.conv.ConvTranspose3d"}, one_tensor<transposed<3>>},
  };
}

}  // namespace ptrun::models
