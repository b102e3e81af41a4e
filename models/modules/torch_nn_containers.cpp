// torch.nn modules that hold or pass on: torch/nn/modules/{container,linear,dropout,flatten}.py, nn/parallel.
#include "modules/modules.h"

namespace ptrun::models {
namespace {

// A container without forward of its own is an error in Python as well.
Values sequential(ModuleWriter& w, const PickledModule& m, const Values& in) {
  Values x = in;
  for (const PickledModule& child : m.children()) x = w.forward(child, x);
  return x;
}

Values pass(ModuleWriter& /*w*/, const PickledModule& /*m*/, const Values& in) { return in; }

Values wrapped(ModuleWriter& w, const PickledModule& m, const Values& in) { return w.forward(m.child("module"), in); }

Values compiled(ModuleWriter& w, const PickledModule& m, const Values& in) {
  return w.forward(m.child("_orig_mod"), in);
}

Value flatten(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::flatten.using_ints", {x, m.integer("start_dim", 1), m.integer("end_dim", -1)});
}

Value unflatten(ModuleWriter& w, const PickledModule& m, Value x) {
  const auto dim = m.attribute("dim").integer();
  if (!dim) m.refuse("names its dimension, expected a number; named tensors are not supported");
  return w.graph().op("aten::unflatten.int", {x, *dim, m.integers("unflattened_size")});
}

Values no_forward(ModuleWriter& /*w*/, const PickledModule& m, const Values& /*in*/) {
  m.refuse("is a list of modules, which has no forward function in Python either");
}

}  // namespace

Rules torch_nn_containers() {
  return {
      {{"torch.nn.modules.container.Sequential"}, sequential},
      {{"torch.nn.modules.container.ModuleList", "torch.nn.modules.container.ModuleDict"}, no_forward},
      {{"torch.nn.modules.linear.Identity", "torch.nn.modules.dropout.Dropout", "torch.nn.modules.dropout.Dropout1d",
        "torch.nn.modules.dropout.Dropout2d", "torch.nn.modules.dropout.Dropout3d",
        "torch.nn.modules.dropout.AlphaDropout", "torch.nn.modules.dropout.FeatureAlphaDropout"},
       pass},
      {{"torch.nn.modules.flatten.Flatten"}, one_tensor<flatten>},
      {{"torch.nn.modules.flatten.Unflatten"}, one_tensor<unflatten>},
      {{"torch.nn.parallel.data_parallel.DataParallel", "torch.nn.parallel.distributed.DistributedDataParallel"},
       wrapped},
      {{"torch._dynamo.eval_frame.OptimizedModule"}, compiled},
  };
}

}  // namespace ptrun::models
