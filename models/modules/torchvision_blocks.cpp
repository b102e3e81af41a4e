// torchvision's building blocks, of which many networks of others are made: torchvision/ops/misc.py,
// stochastic_depth.py, models/_utils.py.
#include "modules/modules.h"
#include "modules/rule_tools.h"

namespace ptrun::models {
namespace {

Value in_order(ModuleWriter& w, const PickledModule& m, Value x) { return w.forward_all(m, x); }

Value unchanged(ModuleWriter& /*w*/, const PickledModule& /*m*/, Value x) { return x; }

Value permute(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::permute", {x, m.integers("dims")});
}

Value squeeze_excitation(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().mul(chain(w, m, x, {"avgpool", "fc1", "activation", "fc2", "scale_activation"}), x);
}

// torchvision 0.9 to 0.11 had one inside mobilenetv3.py.
Value squeeze_excitation_v3(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  const Value scale = chain(w, m, g.adaptive_avg_pool2d(x, 1, 1), {"fc1", "relu", "fc2"});
  return g.mul(g.hardsigmoid(scale), x);
}

Value frozen_batch_norm(ModuleWriter& w, const PickledModule& m, Value x) {
  // The same numbers as its own formula up to rounding, and what folds into the convolution before it.
  return w.graph().op("aten::batch_norm",
                      {x, w.parameter(m, "weight", 1), w.parameter(m, "bias", 1), w.parameter(m, "running_mean", 1),
                       w.parameter(m, "running_var", 1), false, 0.1, m.real("eps", 1e-5), true});
}

Value layer_norm_2d(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  x = g.permute(x, {0, 2, 3, 1});
  x = g.op("aten::layer_norm", {x, m.integers("normalized_shape"), w.optional_parameter(m, "weight"),
                                w.optional_parameter(m, "bias"), m.real("eps", 1e-5), true});
  return g.permute(x, {0, 3, 1, 2});
}

// Runs its children up to the last one whose name it returns; the results carry the new names.
Values layer_getter(ModuleWriter& w, const PickledModule& m, const Values& in) {
  Values result;
  Values x = in;
  const PickledValue wanted = m.attribute("return_layers");
  for (const PickledModule& child : m.children()) {
    x = w.forward(child, x);
    const auto name = wanted.attribute(child.name()).text();
    if (!name) continue;
    result.items.push_back(w.only(child, x));
    result.names.push_back(*name);
  }
  return result;
}

}  // namespace

Rules torchvision_blocks() {
  return {
      {{"torchvision.ops.misc.Conv2dNormActivation", "torchvision.ops.misc.ConvNormActivation",
        "torchvision.ops.misc.Conv3dNormActivation", "torchvision.ops.misc.MLP",
        "torchvision.models.mobilenetv2.ConvBNReLU", "torchvision.models.mobilenetv2.ConvBNActivation",
        "torchvision.models.mobilenet.ConvBNReLU", "torchvision.models.vision_transformer.MLPBlock",
        "torchvision.models.regnet.SimpleStemIN", "torchvision.models.regnet.BottleneckTransform",
        "torchvision.models.regnet.AnyStage", "torchvision.models.densenet._Transition",
        "torchvision.models.segmentation.fcn.FCNHead", "torchvision.models.segmentation.deeplabv3.DeepLabHead",
        "torchvision.models.segmentation.deeplabv3.ASPPConv"},
       one_tensor<in_order>},
      {{"torchvision.ops.stochastic_depth.StochasticDepth"}, one_tensor<unchanged>},
      {{"torchvision.ops.misc.Permute"}, one_tensor<permute>},
      {{"torchvision.ops.misc.SqueezeExcitation"}, one_tensor<squeeze_excitation>},
      {{"torchvision.models.mobilenetv3.SqueezeExcitation"}, one_tensor<squeeze_excitation_v3>},
      {{"torchvision.ops.misc.FrozenBatchNorm2d"}, one_tensor<frozen_batch_norm>},
      {{"torchvision.models.convnext.LayerNorm2d", "torchvision.ops.misc.LayerNorm2d"}, one_tensor<layer_norm_2d>},
      {{"torchvision.models._utils.IntermediateLayerGetter"}, layer_getter},
  };
}

}  // namespace ptrun::models
