// torchvision's classification networks over the tree, so that a head, activation or block that was exchanged by hand
// counts: torchvision/models/{resnet,vgg,alexnet,mobilenetv2,mobilenetv3,efficientnet,mnasnet,regnet,shufflenetv2,
// squeezenet,densenet,convnext,vision_transformer}.py.
#include <string>

#include "modules/modules.h"
#include "modules/rule_tools.h"

namespace ptrun::models {
namespace {

Value shortcut(ModuleWriter& w, const PickledModule& m, Value x) {
  const auto downsample = m.find("downsample");
  return downsample ? w.forward(*downsample, x) : x;
}

Value basic_block(ModuleWriter& w, const PickledModule& m, Value x) {
  const Value y = chain(w, m, x, {"conv1", "bn1", "relu", "conv2", "bn2"});
  return w.forward(m.child("relu"), w.graph().add(y, shortcut(w, m, x)));
}

Value bottleneck(ModuleWriter& w, const PickledModule& m, Value x) {
  const Value y = chain(w, m, x, {"conv1", "bn1", "relu", "conv2", "bn2", "relu", "conv3", "bn3"});
  return w.forward(m.child("relu"), w.graph().add(y, shortcut(w, m, x)));
}

Value resnet(ModuleWriter& w, const PickledModule& m, Value x) {
  x = chain(w, m, x, {"conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool"});
  return w.forward(m.child("fc"), w.graph().flatten(x));
}

// VGG, AlexNet, MobileNetV3, EfficientNet; VGG and AlexNet had no avgpool before torchvision 0.3.
Value features_pool_classifier(ModuleWriter& w, const PickledModule& m, Value x) {
  x = w.forward(m.child("features"), x);
  if (const auto pool = m.find("avgpool")) x = w.forward(*pool, x);
  return w.forward(m.child("classifier"), w.graph().flatten(x));
}

Value mobilenet_v2(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  x = g.adaptive_avg_pool2d(w.forward(m.child("features"), x), 1, 1);
  return w.forward(m.child("classifier"), g.flatten(x));
}

Value residual(ModuleWriter& w, const PickledModule& m, Value x, std::string_view inner, std::string_view flag) {
  const Value y = w.forward(m.child(inner), x);
  return m.boolean(flag) ? w.graph().add(y, x) : y;
}

Value inverted_residual_v2(ModuleWriter& w, const PickledModule& m, Value x) {
  return residual(w, m, x, "conv", "use_res_connect");
}

Value residual_block(ModuleWriter& w, const PickledModule& m, Value x) {
  return residual(w, m, x, "block", "use_res_connect");
}

Value mnasnet_block(ModuleWriter& w, const PickledModule& m, Value x) {
  return residual(w, m, x, "layers", "apply_residual");
}

Value mnasnet(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.forward(m.child("classifier"), w.graph().mean(w.forward(m.child("layers"), x), {2, 3}));
}

Value regnet_block(ModuleWriter& w, const PickledModule& m, Value x) {
  const auto projection = m.find("proj");
  const Value y = w.forward(m.child("f"), x);
  return w.forward(m.child("activation"), w.graph().add(projection ? w.forward(*projection, x) : x, y));
}

Value regnet(ModuleWriter& w, const PickledModule& m, Value x) {
  x = chain(w, m, x, {"stem", "trunk_output", "avgpool"});
  return w.forward(m.child("fc"), w.graph().flatten(x));
}

Value shufflenet_block(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  Value left;
  Value right;
  if (m.integer("stride") == 1) {
    const Value halves = g.op("aten::chunk", {x, std::int64_t{2}, std::int64_t{1}});
    left = g.op("aten::__getitem__.t", {halves, std::int64_t{0}});
    right = g.op("aten::__getitem__.t", {halves, std::int64_t{1}});
  } else {
    left = w.forward(m.child("branch1"), x);
    right = x;
  }
  x = g.cat({left, w.forward(m.child("branch2"), right)}, 1);
  return g.op("aten::channel_shuffle", {x, std::int64_t{2}});
}

Value shufflenet(ModuleWriter& w, const PickledModule& m, Value x) {
  x = chain(w, m, x, {"conv1", "maxpool", "stage2", "stage3", "stage4", "conv5"});
  return w.forward(m.child("fc"), w.graph().mean(x, {2, 3}));
}

Value fire(ModuleWriter& w, const PickledModule& m, Value x) {
  x = chain(w, m, x, {"squeeze", "squeeze_activation"});
  return w.graph().cat(
      {chain(w, m, x, {"expand1x1", "expand1x1_activation"}), chain(w, m, x, {"expand3x3", "expand3x3_activation"})},
      1);
}

Value squeezenet(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().flatten(chain(w, m, x, {"features", "classifier"}));
}

// Takes all features so far, as a list, and gives the new ones. Before torchvision 0.4 a Sequential with the same
// children.
Values dense_layer(ModuleWriter& w, const PickledModule& m, const Values& in) {
  const Value x = in.items.size() == 1 ? in.items[0] : w.graph().cat(in.items, 1);
  return chain(w, m, x, {"norm1", "relu1", "conv1", "norm2", "relu2", "conv2"});
}

Value dense_block(ModuleWriter& w, const PickledModule& m, Value x) {
  std::vector<Value> features = {x};
  for (const PickledModule& layer : m.children()) {
    features.push_back(w.only(layer, w.forward(layer, Values(features))));
  }
  return w.graph().cat(features, 1);
}

Value densenet(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  x = g.adaptive_avg_pool2d(g.relu(w.forward(m.child("features"), x)), 1, 1);
  return w.forward(m.child("classifier"), g.flatten(x));
}

Value convnext_block(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  return g.add(g.mul(w.parameter(m, "layer_scale"), w.forward(m.child("block"), x)), x);
}

Value convnext(ModuleWriter& w, const PickledModule& m, Value x) {
  return chain(w, m, x, {"features", "avgpool", "classifier"});
}

Value vit_block(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  const PickledModule attention = m.child("self_attention");
  if (!attention.boolean("batch_first", false)) m.refuse("attends with the batch in the second dimension");
  x = g.add(self_attention(w, attention, w.forward(m.child("ln_1"), x)), x);
  return g.add(x, chain(w, m, x, {"ln_2", "mlp"}));
}

Value vit_encoder(ModuleWriter& w, const PickledModule& m, Value x) {
  return chain(w, m, w.graph().add(x, w.parameter(m, "pos_embedding", 3)), {"layers", "ln"});
}

Value vision_transformer(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  // The position embedding fixes the size of the image.
  const int size = static_cast<int>(bounded(m, "image_size", 1, 1, 4096)[0]);
  w.facts().file_preset.source = "image_size inside the file";
  w.facts().file_preset.input_height = size;
  w.facts().file_preset.input_width = size;
  x = w.forward(m.child("conv_proj"), x);
  x = g.transpose(g.flatten(x, 2), 1, 2);
  const Value token = g.op("aten::expand", {w.parameter(m, "class_token", 3), g.sizes({g.size(x, 0), -1, -1})});
  x = w.forward(m.child("encoder"), g.cat({token, x}, 1));
  return w.forward(m.child("heads"), g.select(x, 1, 0));
}

}  // namespace

Rules torchvision_classify() {
  return {
      {{"torchvision.models.resnet.BasicBlock"}, one_tensor<basic_block>},
      {{"torchvision.models.resnet.Bottleneck"}, one_tensor<bottleneck>},
      {{"torchvision.models.resnet.ResNet"}, one_tensor<resnet>},
      {{"torchvision.models.vgg.VGG", "torchvision.models.alexnet.AlexNet",
        "torchvision.models.mobilenetv3.MobileNetV3", "torchvision.models.efficientnet.EfficientNet"},
       one_tensor<features_pool_classifier>},
      {{"torchvision.models.mobilenetv2.MobileNetV2", "torchvision.models.mobilenet.MobileNetV2"},
       one_tensor<mobilenet_v2>},
      {{"torchvision.models.mobilenetv2.InvertedResidual", "torchvision.models.mobilenet.InvertedResidual"},
       one_tensor<inverted_residual_v2>},
      {{"torchvision.models.mobilenetv3.InvertedResidual", "torchvision.models.efficientnet.MBConv",
        "torchvision.models.efficientnet.FusedMBConv"},
       one_tensor<residual_block>},
      {{"torchvision.models.mnasnet._InvertedResidual"}, one_tensor<mnasnet_block>},
      {{"torchvision.models.mnasnet.MNASNet"}, one_tensor<mnasnet>},
      {{"torchvision.models.regnet.ResBottleneckBlock"}, one_tensor<regnet_block>},
      {{"torchvision.models.regnet.RegNet"}, one_tensor<regnet>},
      {{"torchvision.models.shufflenetv2.InvertedResidual"}, one_tensor<shufflenet_block>},
      {{"torchvision.models.shufflenetv2.ShuffleNetV2"}, one_tensor<shufflenet>},
      {{"torchvision.models.squeezenet.Fire"}, one_tensor<fire>},
      {{"torchvision.models.squeezenet.SqueezeNet"}, one_tensor<squeezenet>},
      {{"torchvision.models.densenet._DenseLayer"}, dense_layer},
      {{"torchvision.models.densenet._DenseBlock"}, one_tensor<dense_block>},
      {{"torchvision.models.densenet.DenseNet"}, one_tensor<densenet>},
      {{"torchvision.models.convnext.CNBlock"}, one_tensor<convnext_block>},
      {{"torchvision.models.convnext.ConvNeXt"}, one_tensor<convnext>},
      {{"torchvision.models.vision_transformer.EncoderBlock"}, one_tensor<vit_block>},
      {{"torchvision.models.vision_transformer.Encoder"}, one_tensor<vit_encoder>},
      {{"torchvision.models.vision_transformer.VisionTransformer"}, one_tensor<vision_transformer>},
  };
}

}  // namespace ptrun::models
