// torch/nn/modules/pooling.py
#include "modules/modules.h"
#include "modules/rule_tools.h"

namespace ptrun::models {
namespace {

constexpr std::int64_t kMost = 1 << 16;  // pixels

template <std::size_t Dims>
std::string schema_of(const char* before, const char* after = "") {
  return before + std::to_string(Dims) + "d" + after;
}

// stride=None means the kernel size; always spelled out, see GraphBuilder::max_pool2d.
std::vector<std::int64_t> stride_of(const PickledModule& m, std::size_t dims) {
  return m.attribute("stride").given() ? bounded(m, "stride", dims, 1, kMost)
                                       : bounded(m, "kernel_size", dims, 1, kMost);
}

template <std::size_t Dims>
Values max_pool(ModuleWriter& w, const PickledModule& m, const Values& in) {
  const std::vector<Argument> arguments = {w.only(m, in),
                                           bounded(m, "kernel_size", Dims, 1, kMost),
                                           stride_of(m, Dims),
                                           bounded(m, "padding", Dims, 0, kMost, 0),
                                           bounded(m, "dilation", Dims, 1, kMost, 1),
                                           m.boolean("ceil_mode", false)};
  if (m.boolean("return_indices", false)) {
    return w.graph().op_results(schema_of<Dims>("aten::max_pool", "_with_indices"), arguments);
  }
  return w.graph().op(schema_of<Dims>("aten::max_pool"), arguments);
}

template <std::size_t Dims>
Value average_pool(ModuleWriter& w, const PickledModule& m, Value x) {
  std::vector<Argument> arguments = {x,
                                     bounded(m, "kernel_size", Dims, 1, kMost),
                                     stride_of(m, Dims),
                                     bounded(m, "padding", Dims, 0, kMost, 0),
                                     m.boolean("ceil_mode", false),
                                     m.boolean("count_include_pad", true)};
  if (Dims > 1 && m.attribute("divisor_override").given()) arguments.emplace_back(m.integer("divisor_override"));
  return w.graph().op(schema_of<Dims>("aten::avg_pool"), arguments);
}

// None among the sizes keeps the input's.
template <std::size_t Dims>
Argument output_size(ModuleWriter& w, const PickledModule& m, Value x) {
  const PickledValue value = m.attribute("output_size");
  const std::vector<PickledValue> items = value.items();
  bool any_none = false;
  for (const PickledValue& item : items) any_none = any_none || !item.given();
  if (!any_none && value.given()) return bounded(m, "output_size", Dims, 1, 4096);
  if (!items.empty() && items.size() != Dims)
    m.fail("has an output_size of " + std::to_string(items.size()) + " sizes");
  std::vector<Value> sizes;
  for (std::size_t i = 0; i < Dims; ++i) {
    if (!items.empty() && items[i].given()) {
      const auto size = items[i].integer();
      if (!size || *size < 1 || *size > 4096) m.fail("has an output_size that is no number from 1 to 4096");
      sizes.push_back(w.graph().constant(*size));
    } else {
      sizes.push_back(w.graph().size(x, static_cast<std::int64_t>(i) + 2));
    }
  }
  // The first decides the type of the list: all are integers.
  return sizes;
}

template <std::size_t Dims>
Value adaptive_average(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op(schema_of<Dims>("aten::adaptive_avg_pool"), {x, output_size<Dims>(w, m, x)});
}

template <std::size_t Dims>
Values adaptive_max(ModuleWriter& w, const PickledModule& m, const Values& in) {
  const Value x = w.only(m, in);
  std::vector<Value> results =
      w.graph().op_results(schema_of<Dims>("aten::adaptive_max_pool"), {x, output_size<Dims>(w, m, x)});
  if (!m.boolean("return_indices", false)) results.resize(1);
  return results;
}

// F.lp_pool: (sign(y) * relu(|y|) * k) ** (1 / p) with y the average of x ** p.
template <std::size_t Dims>
Value lp_pool(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  const double norm = m.real("norm_type");
  const std::vector<std::int64_t> kernel = bounded(m, "kernel_size", Dims, 1, kMost);
  double count = 1.0;
  for (const std::int64_t size : kernel) count *= static_cast<double>(size);
  const Value powers = g.op("aten::pow.Tensor_Scalar", {x, norm});
  const Value y = g.op(
      schema_of<Dims>("aten::avg_pool"),
      {powers, kernel, stride_of(m, Dims), std::vector<std::int64_t>(Dims, 0), m.boolean("ceil_mode", false), true});
  const Value size = g.op("aten::mul.Tensor", {g.op("aten::sign", {y}), g.relu(g.op("aten::abs", {y}))});
  return g.op("aten::pow.Tensor_Scalar", {g.op("aten::mul.Scalar", {size, count}), 1.0 / norm});
}

// (size - 1) * stride + kernel - 2 * padding in each dimension.
Value max_unpool(ModuleWriter& w, const PickledModule& m, const Values& in) {
  if (in.items.size() != 2) m.refuse("is given " + std::to_string(in.items.size()) + " tensors where it takes two");
  const std::vector<std::int64_t> kernel = bounded(m, "kernel_size", 2, 1, kMost);
  const std::vector<std::int64_t> stride = stride_of(m, 2);
  const std::vector<std::int64_t> padding = bounded(m, "padding", 2, 0, kMost, 0);
  std::vector<Value> sizes;
  for (std::size_t i = 0; i < 2; ++i) {
    const Value steps = calculate(w, "aten::sub.int", w.graph().size(in.items[0], static_cast<std::int64_t>(i) + 2), 1);
    sizes.push_back(
        calculate(w, "aten::add.int", calculate(w, "aten::mul.int", steps, stride[i]), kernel[i] - 2 * padding[i]));
  }
  return w.graph().op("aten::max_unpool2d", {in.items[0], in.items[1], sizes});
}

Values max_unpool2d(ModuleWriter& w, const PickledModule& m, const Values& in) { return max_unpool(w, m, in); }

}  // namespace

Rules torch_nn_pooling() {
  return {
      {{"torch.nn.modules.pooling.MaxPool1d"}, max_pool<1>},
      {{"torch.nn.modules.pooling.MaxPool2d"}, max_pool<2>},
      {{"torch.nn.modules.pooling.MaxPool3d"}, max_pool<3>},
      {{"torch.nn.modules.pooling.MaxUnpool2d"}, max_unpool2d},
      {{"torch.nn.modules.pooling.AvgPool1d"}, one_tensor<average_pool<1>>},
      {{"torch.nn.modules.pooling.AvgPool2d"}, one_tensor<average_pool<2>>},
      {{"torch.nn.modules.pooling.AvgPool3d"}, one_tensor<average_pool<3>>},
      {{"torch.nn.modules.pooling.LPPool1d"}, one_tensor<lp_pool<1>>},
      {{"torch.nn.modules.pooling.LPPool2d"}, one_tensor<lp_pool<2>>},
      {{"torch.nn.modules.pooling.AdaptiveAvgPool1d"}, one_tensor<adaptive_average<1>>},
      {{"torch.nn.modules.pooling.AdaptiveAvgPool2d"}, one_tensor<adaptive_average<2>>},
      {{"torch.nn.modules.pooling.AdaptiveAvgPool3d"}, one_tensor<adaptive_average<3>>},
      {{"torch.nn.modules.pooling.AdaptiveMaxPool1d"}, adaptive_max<1>},
      {{"torch.nn.modules.pooling.AdaptiveMaxPool2d"}, adaptive_max<2>},
      {{"torch.nn.modules.pooling.AdaptiveMaxPool3d"}, adaptive_max<3>},
  };
}

}  // namespace ptrun::models
