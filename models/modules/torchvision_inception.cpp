// torchvision/models/{googlenet,inception}.py. The auxiliary heads are for training alone.
#include "modules/modules.h"
#include "modules/rule_tools.h"

namespace ptrun::models {
namespace {

Value basic_conv(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().relu(chain(w, m, x, {"conv", "bn"}));
}

// From ImageNet's mean and deviation to -1..1, which the weights from TensorFlow were trained with.
Value transform_input(ModuleWriter& w, const PickledModule& m, Value x) {
  if (!m.boolean("transform_input", false)) return x;
  constexpr double kMean[] = {0.485, 0.456, 0.406};
  constexpr double kDeviation[] = {0.229, 0.224, 0.225};
  GraphBuilder& g = w.graph();
  std::vector<Value> channels;
  for (std::int64_t i = 0; i < 3; ++i) {
    const Value channel = g.slice(x, 1, i, i + 1);
    const Value scaled = g.op("aten::mul.Scalar", {channel, kDeviation[i] / 0.5});
    channels.push_back(g.op("aten::add.Scalar", {scaled, (kMean[i] - 0.5) / 0.5}));
  }
  return g.cat(channels, 1);
}

Value google_block(ModuleWriter& w, const PickledModule& m, Value x) {
  std::vector<Value> branches;
  for (const char* name : {"branch1", "branch2", "branch3", "branch4"}) branches.push_back(chain(w, m, x, {name}));
  return w.graph().cat(branches, 1);
}

Value googlenet(ModuleWriter& w, const PickledModule& m, Value x) {
  x = chain(w, m, transform_input(w, m, x),
            {"conv1", "maxpool1", "conv2", "conv3", "maxpool2", "inception3a", "inception3b", "maxpool3", "inception4a",
             "inception4b", "inception4c", "inception4d", "inception4e", "maxpool4", "inception5a", "inception5b",
             "avgpool"});
  return w.forward(m.child("fc"), w.graph().flatten(x));
}

Value average(ModuleWriter& w, Value x) {
  const std::vector<std::int64_t> ones = {1, 1};
  return w.graph().op("aten::avg_pool2d", {x, std::vector<std::int64_t>{3, 3}, ones, ones, false, true});
}

Value largest(ModuleWriter& w, Value x) { return w.graph().max_pool2d(x, {.kernel = 3, .stride = 2}); }

Value block_a(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().cat({chain(w, m, x, {"branch1x1"}), chain(w, m, x, {"branch5x5_1", "branch5x5_2"}),
                        chain(w, m, x, {"branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"}),
                        chain(w, m, average(w, x), {"branch_pool"})},
                       1);
}

Value block_b(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().cat({chain(w, m, x, {"branch3x3"}),
                        chain(w, m, x, {"branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"}), largest(w, x)},
                       1);
}

Value block_c(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().cat(
      {chain(w, m, x, {"branch1x1"}), chain(w, m, x, {"branch7x7_1", "branch7x7_2", "branch7x7_3"}),
       chain(w, m, x, {"branch7x7dbl_1", "branch7x7dbl_2", "branch7x7dbl_3", "branch7x7dbl_4", "branch7x7dbl_5"}),
       chain(w, m, average(w, x), {"branch_pool"})},
      1);
}

Value block_d(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().cat(
      {chain(w, m, x, {"branch3x3_1", "branch3x3_2"}),
       chain(w, m, x, {"branch7x7x3_1", "branch7x7x3_2", "branch7x7x3_3", "branch7x7x3_4"}), largest(w, x)},
      1);
}

Value block_e(ModuleWriter& w, const PickledModule& m, Value x) {
  const Value single = chain(w, m, x, {"branch3x3_1"});
  const Value twice = chain(w, m, x, {"branch3x3dbl_1", "branch3x3dbl_2"});
  return w.graph().cat({chain(w, m, x, {"branch1x1"}), chain(w, m, single, {"branch3x3_2a"}),
                        chain(w, m, single, {"branch3x3_2b"}), chain(w, m, twice, {"branch3x3dbl_3a"}),
                        chain(w, m, twice, {"branch3x3dbl_3b"}), chain(w, m, average(w, x), {"branch_pool"})},
                       1);
}

// A pooling that was a function call before torchvision 0.7.
Value pool_or(ModuleWriter& w, const PickledModule& m, std::string_view name, Value x) {
  const auto child = m.find(name);
  return child ? w.forward(*child, x) : largest(w, x);
}

Value inception(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  // The auxiliary head fixes nothing when not training; 299 pixels are what its weights were made with.
  w.facts().assumed_preset.input_height = 299;
  w.facts().assumed_preset.input_width = 299;
  x = chain(w, m, transform_input(w, m, x), {"Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3"});
  x = chain(w, m, pool_or(w, m, "maxpool1", x), {"Conv2d_3b_1x1", "Conv2d_4a_3x3"});
  x = chain(w, m, pool_or(w, m, "maxpool2", x),
            {"Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7a",
             "Mixed_7b", "Mixed_7c"});
  const auto pool = m.find("avgpool");
  x = pool ? w.forward(*pool, x) : g.adaptive_avg_pool2d(x, 1, 1);
  return w.forward(m.child("fc"), g.flatten(x));
}

}  // namespace

Rules torchvision_inception() {
  return {
      {{"torchvision.models.googlenet.BasicConv2d", "torchvision.models.inception.BasicConv2d"},
       one_tensor<basic_conv>},
      {{"torchvision.models.googlenet.Inception"}, one_tensor<google_block>},
      {{"torchvision.models.googlenet.GoogLeNet"}, one_tensor<googlenet>},
      {{"torchvision.models.inception.InceptionA"}, one_tensor<block_a>},
      {{"torchvision.models.inception.InceptionB"}, one_tensor<block_b>},
      {{"torchvision.models.inception.InceptionC"}, one_tensor<block_c>},
      {{"torchvision.models.inception.InceptionD"}, one_tensor<block_d>},
      {{"torchvision.models.inception.InceptionE"}, one_tensor<block_e>},
      {{"torchvision.models.inception.Inception3"}, one_tensor<inception>},
  };
}

}  // namespace ptrun::models
