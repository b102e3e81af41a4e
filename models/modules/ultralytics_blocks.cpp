// Blocks of ultralytics and YOLOv5 that are built from convolution units.
#include "modules/ultralytics.h"

namespace ptrun::models {
namespace {

Value last_of(ModuleWriter& w, const PickledModule& m, std::string_view child, const std::vector<Value>& parts) {
  return w.forward(m.child(child), w.graph().cat(parts, 1));
}

Value residual(ModuleWriter& w, const PickledModule& m, Value x, Value y) {
  return m.boolean("add", false) ? w.graph().add(x, y) : y;
}

std::vector<Value> halves_of(ModuleWriter& w, const PickledModule& m, Value x, std::int64_t channels) {
  if (channels < 2 || channels % 2 != 0) m.fail("halves " + std::to_string(channels) + " channels");
  const auto part = [&](std::int64_t start) { return w.graph().slice(x, 1, start, start + channels / 2); };
  return {part(0), part(channels / 2)};
}

// Residual unit of two convolutions.
Value bottleneck(ModuleWriter& w, const PickledModule& m, Value x) {
  return residual(w, m, x, w.forward(m.child("cv2"), w.forward(m.child("cv1"), x)));
}

// Compact inverted block (YOLOv10, 2405.14458): a Sequential with a residual.
Value cib(ModuleWriter& w, const PickledModule& m, Value x) { return residual(w, m, x, w.forward(m.child("cv1"), x)); }

// Cross stage partial with three convolutions (CSPNet, 1911.11929).
Value c3(ModuleWriter& w, const PickledModule& m, Value x) {
  const Value main = w.forward(m.child("m"), w.forward(m.child("cv1"), x));
  return last_of(w, m, "cv3", {main, w.forward(m.child("cv2"), x)});
}

// The same with a sum instead of a concatenation: RT-DETR (2304.08069).
Value rep_c3(ModuleWriter& w, const PickledModule& m, Value x) {
  const Value main = w.forward(m.child("m"), w.forward(m.child("cv1"), x));
  return w.forward(m.child("cv3"), w.graph().add(main, w.forward(m.child("cv2"), x)));
}

Value bottleneck_csp(ModuleWriter& w, const PickledModule& m, Value x) {
  const Value main = w.forward(m.child("cv3"), w.forward(m.child("m"), w.forward(m.child("cv1"), x)));
  const Value joined = w.graph().cat({main, w.forward(m.child("cv2"), x)}, 1);
  return w.forward(m.child("cv4"), w.forward(m.child("act"), w.forward(m.child("bn"), joined)));
}

Value c1(ModuleWriter& w, const PickledModule& m, Value x) {
  x = w.forward(m.child("cv1"), x);
  return w.graph().add(w.forward(m.child("m"), x), x);
}

// Half of the channels goes through the blocks, the other past them.
Value c2(ModuleWriter& w, const PickledModule& m, Value x) {
  const std::vector<Value> parts = halves(w, m, w.forward(m.child("cv1"), x));
  return last_of(w, m, "cv2", {w.forward(m.child("m"), parts[0]), parts[1]});
}

// YOLO11's attention block splits as C2 does, but its blocks take the second half.
Value c2_psa(ModuleWriter& w, const PickledModule& m, Value x) {
  const std::vector<Value> parts = halves(w, m, w.forward(m.child("cv1"), x));
  return last_of(w, m, "cv2", {parts[0], w.forward(m.child("m"), parts[1])});
}

// Every block's result is kept, as in ELAN (2211.04800).
Value c2f(ModuleWriter& w, const PickledModule& m, Value x) {
  std::vector<Value> parts = halves(w, m, w.forward(m.child("cv1"), x));
  for (const PickledModule& block : list_of(m, "m")) parts.push_back(w.forward(block, parts.back()));
  return last_of(w, m, "cv2", parts);
}

// YOLOv9's GELAN (2402.13616).
Value gelan(ModuleWriter& w, const PickledModule& m, Value x) {
  std::vector<Value> parts = halves(w, m, w.forward(m.child("cv1"), x));
  for (const char* block : {"cv2", "cv3"}) parts.push_back(w.forward(m.child(block), parts.back()));
  return last_of(w, m, "cv4", parts);
}

// Spatial pyramid pooling over growing windows (1406.4729).
Value spp(ModuleWriter& w, const PickledModule& m, Value x) {
  x = w.forward(m.child("cv1"), x);
  std::vector<Value> parts = {x};
  for (const PickledModule& pool : list_of(m, "m")) parts.push_back(w.forward(pool, x));
  return last_of(w, m, "cv2", parts);
}

// The same windows by one small pooling again and again; YOLO26 says how often and adds the input.
Value sppf(ModuleWriter& w, const PickledModule& m, Value x) {
  std::vector<Value> parts = {w.forward(m.child("cv1"), x)};
  const std::int64_t count = m.integer("n", 3);
  if (count < 0 || count > 100) m.fail("pools " + std::to_string(count) + " times, expected a few");
  for (std::int64_t i = 0; i < count; ++i) parts.push_back(w.forward(m.child("m"), parts.back()));
  return residual(w, m, x, last_of(w, m, "cv2", parts));
}

Value spp_elan(ModuleWriter& w, const PickledModule& m, Value x) {
  std::vector<Value> parts = {w.forward(m.child("cv1"), x)};
  for (const char* pool : {"cv2", "cv3", "cv4"}) parts.push_back(w.forward(m.child(pool), parts.back()));
  return last_of(w, m, "cv5", parts);
}

Value ghost_bottleneck(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().add(w.forward(m.child("conv"), x), w.forward(m.child("shortcut"), x));
}

Value cv1_then_cv2(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.forward(m.child("cv2"), w.forward(m.child("cv1"), x));
}

Value mean_of_2x2(ModuleWriter& w, Value x) {
  const std::vector<std::int64_t> kernel = {2, 2};
  const std::vector<std::int64_t> one = {1, 1};
  const std::vector<std::int64_t> none = {0, 0};
  return w.graph().op("aten::avg_pool2d", {x, kernel, one, none, false, true});
}

// YOLOv9's down-sampling: averaged first, then by a convolution alone, ...
Value a_conv(ModuleWriter& w, const PickledModule& m, Value x) { return w.forward(m.child("cv1"), mean_of_2x2(w, x)); }

// ... or half by a convolution and half by a maximum.
Value a_down(ModuleWriter& w, const PickledModule& m, Value x) {
  const std::vector<Value> parts = halves_of(w, m, mean_of_2x2(w, x), 2 * m.weights().size("cv1.conv.weight", 1));
  Pool2dOptions pool;
  pool.kernel = 3;
  pool.stride = 2;
  pool.padding = 1;
  const Value second = w.forward(m.child("cv2"), w.graph().max_pool2d(parts[1], pool));
  return w.graph().cat({w.forward(m.child("cv1"), parts[0]), second}, 1);
}

// One convolution whose channels are cut into several outputs (CBNet, 1909.03625).
Values cb_linear(ModuleWriter& w, const PickledModule& m, const Values& in) {
  Value x = w.forward(m.child("conv"), w.only(m, in));
  std::vector<Value> parts;
  std::int64_t start = 0;
  for (const std::int64_t size : m.integers("c2s")) {
    if (size < 1 || size > (1 << 20)) m.fail("cuts its channels into parts of impossible sizes");
    parts.push_back(w.graph().slice(x, 1, start, start + size));
    start += size;
  }
  return parts;
}

Value resized_like(ModuleWriter& w, Value x, Value like) {
  GraphBuilder& g = w.graph();
  const std::vector<Value> size = {g.size(like, 2), g.size(like, 3)};
  return g.op("aten::upsample_nearest2d.vec", {x, size, {}});
}

// Sums feature maps at the size of the last one. The model hands over the parts that `idx` names.
Values cb_fuse(ModuleWriter& w, const PickledModule& m, const Values& in) {
  if (in.items.size() < 2) m.refuse("is given fewer than two tensors");
  std::vector<Value> maps;
  for (std::size_t i = 0; i + 1 < in.items.size(); ++i) {
    maps.push_back(resized_like(w, in.items[i], in.items.back()));
  }
  maps.push_back(in.items.back());
  return w.graph().op("aten::sum.dim_IntList",
                      {w.graph().op("aten::stack", {maps, std::int64_t{0}}), std::vector<std::int64_t>{0}});
}

// Prototypes of masks (YOLACT, 1904.02689).
Value proto(ModuleWriter& w, const PickledModule& m, Value x) {
  for (const char* step : {"cv1", "upsample", "cv2", "cv3"}) x = w.forward(m.child(step), x);
  return x;
}

// YOLO26 adds the coarser maps to the finest one first. Its `semseg` branch serves training alone.
Values proto26(ModuleWriter& w, const PickledModule& m, const Values& in) {
  if (in.items.empty()) m.refuse("is given no tensor");
  const std::vector<PickledModule> refine = list_of(m, "feat_refine");
  if (refine.size() + 1 != in.items.size()) m.fail("refines another number of feature maps than it is given");
  Value x = in.items.front();
  for (std::size_t i = 0; i < refine.size(); ++i) {
    x = w.graph().add(x, resized_like(w, w.forward(refine[i], in.items[i + 1]), in.items.front()));
  }
  return proto(w, m, w.forward(m.child("feat_fuse"), x));
}

}  // namespace

std::vector<Value> halves(ModuleWriter& w, const PickledModule& m, Value x) {
  // Of the result of a convolution unit: its channels are the first size of the weight.
  return halves_of(w, m, x, m.weights().size("cv1.conv.weight", 0));
}

std::vector<PickledModule> list_of(const PickledModule& m, std::string_view name) { return m.child(name).children(); }

// NOLINTBEGIN(bugprone-suspicious-missing-comma): the paths' parts are joined by the preprocessor
Rules ultralytics_blocks() {
  return {
      {{PTRUN_BOTH("block", "Bottleneck"), PTRUN_ULTRALYTICS("block", "RepBottleneck")}, one_tensor<bottleneck>},
      {{PTRUN_ULTRALYTICS("block", "CIB")}, one_tensor<cib>},
      {{PTRUN_BOTH("block", "C3"), PTRUN_BOTH("block", "C3x"), PTRUN_BOTH("block", "C3Ghost"),
        PTRUN_ULTRALYTICS("block", "C3k"), PTRUN_ULTRALYTICS("block", "RepCSP")},
       one_tensor<c3>},
      {{PTRUN_ULTRALYTICS("block", "RepC3")}, one_tensor<rep_c3>},
      {{PTRUN_BOTH("block", "BottleneckCSP")}, one_tensor<bottleneck_csp>},
      {{PTRUN_ULTRALYTICS("block", "C1")}, one_tensor<c1>},
      {{PTRUN_ULTRALYTICS("block", "C2")}, one_tensor<c2>},
      {{PTRUN_ULTRALYTICS("block", "C2PSA")}, one_tensor<c2_psa>},
      {{PTRUN_ULTRALYTICS("block", "C2f"), PTRUN_ULTRALYTICS("block", "C3k2"), PTRUN_ULTRALYTICS("block", "C2fCIB")},
       one_tensor<c2f>},
      {{PTRUN_ULTRALYTICS("block", "RepNCSPELAN4"), PTRUN_ULTRALYTICS("block", "ELAN1")}, one_tensor<gelan>},
      {{PTRUN_BOTH("block", "SPP")}, one_tensor<spp>},
      {{PTRUN_BOTH("block", "SPPF")}, one_tensor<sppf>},
      {{PTRUN_ULTRALYTICS("block", "SPPELAN")}, one_tensor<spp_elan>},
      {{PTRUN_BOTH("block", "GhostBottleneck")}, one_tensor<ghost_bottleneck>},
      {{PTRUN_ULTRALYTICS("block", "SCDown")}, one_tensor<cv1_then_cv2>},
      {{PTRUN_ULTRALYTICS("block", "AConv")}, one_tensor<a_conv>},
      {{PTRUN_ULTRALYTICS("block", "ADown")}, one_tensor<a_down>},
      {{PTRUN_ULTRALYTICS("block", "CBLinear")}, cb_linear},
      {{PTRUN_ULTRALYTICS("block", "CBFuse")}, cb_fuse},
      {{PTRUN_BOTH("block", "Proto")}, one_tensor<proto>},
      {{PTRUN_ULTRALYTICS("block", "Proto26")}, proto26},
  };
}
// NOLINTEND(bugprone-suspicious-missing-comma)

}  // namespace ptrun::models
