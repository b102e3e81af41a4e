// torch/nn/modules/activation.py. One that works in place changes its input too, which no rule follows: no published
// network uses that input again.
#include "modules/modules.h"
#include "modules/rule_tools.h"

namespace ptrun::models {
namespace {

Value relu(ModuleWriter& w, const PickledModule& /*m*/, Value x) { return w.graph().relu(x); }
Value relu6(ModuleWriter& w, const PickledModule& /*m*/, Value x) { return w.graph().relu6(x); }
Value silu(ModuleWriter& w, const PickledModule& /*m*/, Value x) { return w.graph().silu(x); }
Value sigmoid(ModuleWriter& w, const PickledModule& /*m*/, Value x) { return w.graph().sigmoid(x); }
Value hardswish(ModuleWriter& w, const PickledModule& /*m*/, Value x) { return w.graph().hardswish(x); }
Value hardsigmoid(ModuleWriter& w, const PickledModule& /*m*/, Value x) { return w.graph().hardsigmoid(x); }
Value mish(ModuleWriter& w, const PickledModule& /*m*/, Value x) { return w.graph().op("aten::mish", {x}); }
Value tanh(ModuleWriter& w, const PickledModule& /*m*/, Value x) { return w.graph().op("aten::tanh", {x}); }
Value selu(ModuleWriter& w, const PickledModule& /*m*/, Value x) { return w.graph().op("aten::selu", {x}); }
Value log_sigmoid(ModuleWriter& w, const PickledModule& /*m*/, Value x) {
  return w.graph().op("aten::log_sigmoid", {x});
}

Value hardtanh(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::hardtanh", {x, m.real("min_val", -1.0), m.real("max_val", 1.0)});
}

Value gelu(ModuleWriter& w, const PickledModule& m, Value x) {
  const std::string form = m.text("approximate", "none");
  if (form != "none" && form != "tanh") m.fail("has approximate '" + form + "', expected 'none' or 'tanh'");
  return w.graph().op("aten::gelu", {x}, {{"approximate", form}});
}

Value glu(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::glu", {x, m.integer("dim", -1)});
}

Value hardshrink(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::hardshrink", {x, m.real("lambd", 0.5)});
}

Value softshrink(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::softshrink", {x, m.real("lambd", 0.5)});
}

Value tanhshrink(ModuleWriter& w, const PickledModule& /*m*/, Value x) {
  return w.graph().op("aten::sub.Tensor", {x, w.graph().op("aten::tanh", {x})});
}

Value softsign(ModuleWriter& w, const PickledModule& /*m*/, Value x) {
  GraphBuilder& g = w.graph();
  return g.op("aten::div.Tensor", {x, g.op("aten::add.Scalar", {g.op("aten::abs", {x}), 1.0})});
}

Value softplus(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::softplus", {x, m.real("beta", 1.0), m.real("threshold", 20.0)});
}

Value leaky_relu(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::leaky_relu", {x, m.real("negative_slope", 0.01)});
}

// Without training its slope is the mean of the two.
Value rrelu(ModuleWriter& w, const PickledModule& m, Value x) {
  const double slope = (m.real("lower", 1.0 / 8.0) + m.real("upper", 1.0 / 3.0)) / 2.0;
  return w.graph().op("aten::leaky_relu", {x, slope});
}

Value prelu(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::prelu", {x, w.parameter(m, "weight", 1)});
}

Value elu(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::elu", {x, m.real("alpha", 1.0)});
}

Value celu(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::celu", {x, m.real("alpha", 1.0)});
}

Value threshold(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::threshold", {x, m.real("threshold"), m.real("value")});
}

// dim=None means dimension 1 of [N, C] and [N, C, H, W].
std::int64_t softmax_dim(const PickledModule& m) { return m.attribute("dim").given() ? m.integer("dim") : 1; }

Value softmax(ModuleWriter& w, const PickledModule& m, Value x) { return w.graph().softmax(x, softmax_dim(m)); }

Value softmin(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().softmax(w.graph().op("aten::neg", {x}), softmax_dim(m));
}

Value softmax2d(ModuleWriter& w, const PickledModule& /*m*/, Value x) { return w.graph().softmax(x, -3); }

Value log_softmax(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::log_softmax.int", {x, softmax_dim(m)});
}

}  // namespace

Rules torch_nn_activation() {
  return {
      {{"torch.nn.modules.activation.ReLU"}, one_tensor<relu>},
      {{"torch.nn.modules.activation.ReLU6"}, one_tensor<relu6>},
      {{"torch.nn.modules.activation.Hardtanh"}, one_tensor<hardtanh>},
      {{"torch.nn.modules.activation.Sigmoid"}, one_tensor<sigmoid>},
      {{"torch.nn.modules.activation.Tanh"}, one_tensor<tanh>},
      {{"torch.nn.modules.activation.SiLU"}, one_tensor<silu>},
      {{"torch.nn.modules.activation.Mish"}, one_tensor<mish>},
      {{"torch.nn.modules.activation.GELU"}, one_tensor<gelu>},
      {{"torch.nn.modules.activation.GLU"}, one_tensor<glu>},
      {{"torch.nn.modules.activation.Hardswish"}, one_tensor<hardswish>},
      {{"torch.nn.modules.activation.Hardsigmoid"}, one_tensor<hardsigmoid>},
      {{"torch.nn.modules.activation.Hardshrink"}, one_tensor<hardshrink>},
      {{"torch.nn.modules.activation.Softshrink"}, one_tensor<softshrink>},
      {{"torch.nn.modules.activation.Tanhshrink"}, one_tensor<tanhshrink>},
      {{"torch.nn.modules.activation.Softsign"}, one_tensor<softsign>},
      {{"torch.nn.modules.activation.Softplus"}, one_tensor<softplus>},
      {{"torch.nn.modules.activation.LogSigmoid"}, one_tensor<log_sigmoid>},
      {{"torch.nn.modules.activation.LeakyReLU"}, one_tensor<leaky_relu>},
      {{"torch.nn.modules.activation.RReLU"}, one_tensor<rrelu>},
      {{"torch.nn.modules.activation.PReLU"}, one_tensor<prelu>},
      {{"torch.nn.modules.activation.ELU"}, one_tensor<elu>},
      {{"torch.nn.modules.activation.CELU"}, one_tensor<celu>},
      {{"torch.nn.modules.activation.SELU"}, one_tensor<selu>},
      {{"torch.nn.modules.activation.Threshold"}, one_tensor<threshold>},
      {{"torch.nn.modules.activation.Softmax"}, one_tensor<softmax>},
      {{"torch.nn.modules.activation.Softmin"}, one_tensor<softmin>},
      {{"torch.nn.modules.activation.Softmax2d"}, one_tensor<softmax2d>},
      {{"torch.nn.modules.activation.LogSoftmax"}, one_tensor<log_softmax>},
  };
}

}  // namespace ptrun::models
