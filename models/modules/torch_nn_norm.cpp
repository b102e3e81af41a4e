// torch/nn/modules/{batchnorm,instancenorm,normalization}.py
#include "modules/modules.h"
#include "modules/rule_tools.h"

namespace ptrun::models {
namespace {

Value batch_norm(ModuleWriter& w, const PickledModule& m, Value x) {
  if (!m.has("running_mean") || !m.has("running_var")) {
    m.refuse(
        "keeps no running statistics (track_running_stats=False): an image's result would depend on its neighbours in "
        "the batch");
  }
  return w.graph().op("aten::batch_norm", {x, w.optional_parameter(m, "weight", 1), w.optional_parameter(m, "bias", 1),
                                           w.parameter(m, "running_mean", 1), w.parameter(m, "running_var", 1), false,
                                           0.1, m.real("eps", 1e-5), true});
}

Value instance_norm(ModuleWriter& w, const PickledModule& m, Value x) {
  const bool tracked = m.boolean("track_running_stats", false);
  Argument mean;
  Argument variance;
  if (tracked) {
    mean = w.parameter(m, "running_mean", 1);
    variance = w.parameter(m, "running_var", 1);
  }
  return w.graph().op("aten::instance_norm",
                      {x, w.optional_parameter(m, "weight", 1), w.optional_parameter(m, "bias", 1), mean, variance,
                       !tracked, 0.1, m.real("eps", 1e-5), true});
}

Value group_norm(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::group_norm",
                      {x, bounded(m, "num_groups", 1, 1, 1 << 20)[0], w.optional_parameter(m, "weight", 1),
                       w.optional_parameter(m, "bias", 1), m.real("eps", 1e-5), true});
}

Value layer_norm(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().op("aten::layer_norm", {x, m.integers("normalized_shape"), w.optional_parameter(m, "weight"),
                                           w.optional_parameter(m, "bias"), m.real("eps", 1e-5), true});
}

Value rms_norm(ModuleWriter& w, const PickledModule& m, Value x) {
  Argument eps;
  if (m.attribute("eps").given()) eps = m.real("eps");
  return w.graph().op("aten::rms_norm", {x, m.integers("normalized_shape"), w.optional_parameter(m, "weight"), eps});
}

// F.local_response_norm for images [N, C, H, W].
Value local_response_norm(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  const std::int64_t size = bounded(m, "size", 1, 1, 4096)[0];
  Value squares = g.op("aten::unsqueeze", {g.mul(x, x), std::int64_t{1}});
  squares = pad(w, squares, {0, 0, 0, 0, size / 2, (size - 1) / 2});
  squares =
      g.op("aten::avg_pool3d", {squares, std::vector<std::int64_t>{size, 1, 1}, std::vector<std::int64_t>{1, 1, 1},
                                std::vector<std::int64_t>{0, 0, 0}, false, true});
  squares = g.op("aten::squeeze.dim", {squares, std::int64_t{1}});
  squares = g.op("aten::add.Scalar", {g.op("aten::mul.Scalar", {squares, m.real("alpha", 1e-4)}), m.real("k", 1.0)});
  return g.op("aten::div.Tensor", {x, g.op("aten::pow.Tensor_Scalar", {squares, m.real("beta", 0.75)})});
}

}  // namespace

Rules torch_nn_norm() {
  return {
      {{"torch.nn.modules.batchnorm.BatchNorm1d", "torch.nn.modules.batchnorm.BatchNorm2d",
        "torch.nn.modules.batchnorm.BatchNorm3d", "torch.nn.modules.batchnorm.SyncBatchNorm"},
       one_tensor<batch_norm>},
      {{"torch.nn.modules.instancenorm.InstanceNorm1d", "torch.nn.modules.instancenorm.InstanceNorm2d",
        "torch.nn.modules.instancenorm.InstanceNorm3d"},
       one_tensor<instance_norm>},
      {{"torch.nn.modules.normalization.GroupNorm"}, one_tensor<group_norm>},
      {{"torch.nn.modules.normalization.LayerNorm", "timm.layers.norm.LayerNorm", "timm.models.layers.norm.LayerNorm"},
       one_tensor<layer_norm>},
      {{"torch.nn.modules.normalization.RMSNorm"}, one_tensor<rms_norm>},
      {{"torch.nn.modules.normalization.LocalResponseNorm"}, one_tensor<local_response_norm>},
  };
}

}  // namespace ptrun::models
