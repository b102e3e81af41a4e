// torch/nn/modules/{upsampling,pixelshuffle,channelshuffle,padding,fold}.py
#include <algorithm>
#include <cmath>

#include "modules/modules.h"
#include "modules/rule_tools.h"

namespace ptrun::models {
namespace {

constexpr std::int64_t kMostPadding = 4096;
constexpr std::int64_t kMostFactor = 64;
constexpr std::int64_t kMostSize = 1 << 14;

// Numbers of `name`, a single one repeated.
std::vector<double> factors_of(ModuleWriter& w, const PickledModule& m, std::string_view name, std::size_t dims) {
  std::vector<double> factors = w.numbers(m, name);
  if (m.attribute(name).real()) factors.assign(dims, factors.front());
  for (const double factor : factors) {
    if (!(factor > 0.0) || factor > static_cast<double>(kMostFactor)) {
      m.fail("has a " + std::string(name) + " that is not above 0 and at most " + std::to_string(kMostFactor));
    }
  }
  return factors;
}

// One dimension for linear, three for trilinear, else what size or scale_factor have, else those of an image.
std::size_t upsample_dims(const PickledModule& m, const std::string& mode) {
  if (mode == "linear") return 1;
  if (mode == "trilinear") return 3;
  if (mode == "bilinear" || mode == "bicubic") return 2;
  for (const char* name : {"size", "scale_factor"}) {
    const std::size_t count = m.attribute(name).items().size();
    if (count > 0) return count;
  }
  return 2;
}

std::string upsample_schema(const PickledModule& m, const std::string& mode, std::size_t dims) {
  const std::string end = std::to_string(dims) + "d.vec";
  if (dims > 3) m.fail("scales " + std::to_string(dims) + " dimensions, expected at most 3");
  if (mode == "nearest") return "aten::upsample_nearest" + end;
  if (mode == "nearest-exact") return "aten::_upsample_nearest_exact" + end;
  if (mode == "linear") return "aten::upsample_linear1d.vec";
  if (mode == "bilinear") return "aten::upsample_bilinear2d.vec";
  if (mode == "bicubic") return "aten::upsample_bicubic2d.vec";
  if (mode == "trilinear") return "aten::upsample_trilinear3d.vec";
  if (mode == "area") m.refuse("has mode 'area', which ptrun does not compute; use torch.jit.trace");
  m.fail("has an unknown mode '" + mode + "'");
}

// Whether the scale is made anew from the two sizes, which differs where a factor is no whole number: where the module
// says so, and before 1.6 always. _non_persistent_buffers_set came with that version.
bool recomputes_scale(const PickledModule& m) {
  if (m.attribute("recompute_scale_factor").given()) return m.boolean("recompute_scale_factor");
  return !m.attribute("_non_persistent_buffers_set");
}

// floor(size * factor) of each dimension.
Value scaled_size(ModuleWriter& w, Value x, std::size_t dimension, double factor) {
  GraphBuilder& g = w.graph();
  const Value size = g.size(x, static_cast<std::int64_t>(dimension) + 2);
  return g.op("aten::floor.float", {g.op("aten::mul.int_float", {size, factor})});
}

Value upsample(ModuleWriter& w, const PickledModule& m, Value x) {
  const std::string mode = m.text("mode", "nearest");
  const std::size_t dims = upsample_dims(m, mode);
  const std::string schema = upsample_schema(m, mode, dims);
  Argument size;
  Argument scale;
  if (m.attribute("size").given()) {
    size = bounded(m, "size", dims, 1, kMostSize);
  } else {
    const std::vector<double> factors = factors_of(w, m, "scale_factor", dims);
    if (factors.size() != dims) m.fail("has a scale_factor of " + std::to_string(factors.size()) + " numbers");
    const bool whole =
        std::all_of(factors.begin(), factors.end(), [](double factor) { return factor == std::floor(factor); });
    if (!whole && recomputes_scale(m)) {
      std::vector<Value> sizes;
      for (std::size_t i = 0; i < dims; ++i) sizes.push_back(scaled_size(w, x, i, factors[i]));
      size = sizes;
    } else {
      scale = factors;
    }
  }
  if (mode.compare(0, 7, "nearest") == 0) return w.graph().op(schema, {x, size, scale});
  const bool aligned = m.attribute("align_corners").given() && m.boolean("align_corners");
  return w.graph().op(schema, {x, size, aligned, scale});
}

Value pixel_shuffle(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::pixel_shuffle", {x, bounded(m, "upscale_factor", 1, 1, kMostFactor)[0]});
}

Value pixel_unshuffle(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::pixel_unshuffle", {x, bounded(m, "downscale_factor", 1, 1, kMostFactor)[0]});
}

Value channel_shuffle(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::channel_shuffle", {x, bounded(m, "groups", 1, 1, 1 << 16)[0]});
}

// Two amounts a dimension; negative ones cut off.
template <std::size_t Dims>
std::vector<std::int64_t> amounts(const PickledModule& m) {
  return bounded(m, "padding", 2 * Dims, -kMostPadding, kMostPadding);
}

template <std::size_t Dims>
Value constant_pad(ModuleWriter& w, const PickledModule& m, Value x) {
  return pad(w, x, amounts<Dims>(m), "constant", m.real("value", 0.0));
}

template <std::size_t Dims>
Value reflection_pad(ModuleWriter& w, const PickledModule& m, Value x) {
  return pad(w, x, amounts<Dims>(m), "reflect");
}

template <std::size_t Dims>
Value replication_pad(ModuleWriter& w, const PickledModule& m, Value x) {
  return pad(w, x, amounts<Dims>(m), "replicate");
}

template <std::size_t Dims>
Value circular_pad(ModuleWriter& w, const PickledModule& m, Value x) {
  return pad(w, x, amounts<Dims>(m), "circular");
}

Value unfold(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::im2col",
                      {x, bounded(m, "kernel_size", 2, 1, kMostPadding), bounded(m, "dilation", 2, 1, kMostPadding, 1),
                       bounded(m, "padding", 2, 0, kMostPadding, 0), bounded(m, "stride", 2, 1, kMostPadding, 1)});
}

Value fold(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::col2im",
                      {x, bounded(m, "output_size", 2, 1, kMostSize), bounded(m, "kernel_size", 2, 1, kMostPadding),
                       bounded(m, "dilation", 2, 1, kMostPadding, 1), bounded(m, "padding", 2, 0, kMostPadding, 0),
                       bounded(m, "stride", 2, 1, kMostPadding, 1)});
}

}  // namespace

Rules torch_nn_shape() {
  return {
      {{"torch.nn.modules.upsampling.Upsample", "torch.nn.modules.upsampling.UpsamplingNearest2d",
        "torch.nn.modules.upsampling.UpsamplingBilinear2d"},
       one_tensor<upsample>},
      {{"torch.nn.modules.pixelshuffle.PixelShuffle"}, one_tensor<pixel_shuffle>},
      {{"torch.nn.modules.pixelshuffle.PixelUnshuffle"}, one_tensor<pixel_unshuffle>},
      {{"torch.nn.modules.channelshuffle.ChannelShuffle"}, one_tensor<channel_shuffle>},
      {{"torch.nn.modules.padding.ConstantPad1d", "torch.nn.modules.padding.ZeroPad1d"}, one_tensor<constant_pad<1>>},
      {{"torch.nn.modules.padding.ConstantPad2d", "torch.nn.modules.padding.ZeroPad2d"}, one_tensor<constant_pad<2>>},
      {{"torch.nn.modules.padding.ConstantPad3d", "torch.nn.modules.padding.ZeroPad3d"}, one_tensor<constant_pad<3>>},
      {{"torch.nn.modules.padding.ReflectionPad1d"}, one_tensor<reflection_pad<1>>},
      {{"torch.nn.modules.padding.ReflectionPad2d"}, one_tensor<reflection_pad<2>>},
      {{"torch.nn.modules.padding.ReflectionPad3d"}, one_tensor<reflection_pad<3>>},
      {{"torch.nn.modules.padding.ReplicationPad1d"}, one_tensor<replication_pad<1>>},
      {{"torch.nn.modules.padding.ReplicationPad2d"}, one_tensor<replication_pad<2>>},
      {{"torch.nn.modules.padding.ReplicationPad3d"}, one_tensor<replication_pad<3>>},
      {{"torch.nn.modules.padding.CircularPad1d"}, one_tensor<circular_pad<1>>},
      {{"torch.nn.modules.padding.CircularPad2d"}, one_tensor<circular_pad<2>>},
      {{"torch.nn.modules.padding.CircularPad3d"}, one_tensor<circular_pad<3>>},
      {{"torch.nn.modules.fold.Unfold"}, one_tensor<unfold>},
      {{"torch.nn.modules.fold.Fold"}, one_tensor<fold>},
  };
}

}  // namespace ptrun::models
