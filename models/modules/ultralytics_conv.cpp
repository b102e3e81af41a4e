// Convolution units of ultralytics and YOLOv5. Written both as trained and as fused: fuse() folds the batch norms into
// the convolutions and deletes them, so each rule runs what is there.
#include "modules/ultralytics.h"

namespace ptrun::models {
namespace {

constexpr std::string_view kFused = "forward_fuse";

Value forward_if(ModuleWriter& w, const PickledModule& m, std::string_view child, Value x) {
  if (const auto found = m.find(child)) return w.forward(*found, x);
  return x;
}

// Convolution, batch norm, activation.
Value conv(ModuleWriter& w, const PickledModule& m, Value x) {
  x = w.forward(m.child("conv"), x);
  return forward_if(w, m, "act", forward_if(w, m, "bn", x));
}

// RepVGG (2101.03697): 3x3 and 1x1 branches, and the identity behind a batch norm where the sizes allow it. Fused, one
// convolution with a bias is left.
Value rep_conv(ModuleWriter& w, const PickledModule& m, Value x) {
  if (const auto fused = m.find("conv")) return forward_if(w, m, "act", w.forward(*fused, x));
  Value y = w.graph().add(w.forward(m.child("conv1"), x), w.forward(m.child("conv2"), x));
  if (const auto identity = m.find("bn")) y = w.graph().add(y, w.forward(*identity, x));
  return forward_if(w, m, "act", y);
}

// The depthwise form of it in YOLOv10 (2405.14458): 7x7 and 3x3.
Value rep_vgg_dw(ModuleWriter& w, const PickledModule& m, Value x) {
  Value y = w.forward(m.child("conv"), x);
  if (const auto side = m.find("conv1")) y = w.graph().add(y, w.forward(*side, x));
  return forward_if(w, m, "act", y);
}

// GhostNet (1911.11907): half of the channels are a cheap depthwise function of the other half.
Value ghost_conv(ModuleWriter& w, const PickledModule& m, Value x) {
  const Value y = w.forward(m.child("cv1"), x);
  return w.graph().cat({y, w.forward(m.child("cv2"), y)}, 1);
}

// Every second pixel in four phases, as channels: left top, left bottom, right top, right bottom.
Value focus(ModuleWriter& w, const PickledModule& m, Value x) {
  const auto phase = [&](std::int64_t row, std::int64_t column) {
    const auto step = [&](Value y, std::int64_t dim, std::int64_t start) {
      return w.graph().op("aten::slice.Tensor", {y, dim, start, {}, std::int64_t{2}});
    };
    return step(step(x, 2, row), 3, column);
  };
  return w.forward(m.child("conv"), w.graph().cat({phase(0, 0), phase(1, 0), phase(0, 1), phase(1, 1)}, 1));
}

Values concat(ModuleWriter& w, const PickledModule& m, const Values& in) {
  if (in.items.empty()) m.refuse("is given no tensor");
  return w.graph().cat(in.items, m.integer("d"));
}

}  // namespace

Rules ultralytics_conv() {
  return {
      {{PTRUN_BOTH("conv", "Conv"), PTRUN_BOTH("conv", "DWConv")}, one_tensor<conv>, kFused},
      {{PTRUN_ULTRALYTICS("conv", "RepConv")}, one_tensor<rep_conv>, kFused},
      {{PTRUN_ULTRALYTICS("block", "RepVGGDW")}, one_tensor<rep_vgg_dw>, kFused},
      {{PTRUN_BOTH("conv", "GhostConv")}, one_tensor<ghost_conv>},
      {{PTRUN_BOTH("conv", "Focus")}, one_tensor<focus>},
      {{PTRUN_BOTH("conv", "Concat")}, concat},
  };
}

}  // namespace ptrun::models
