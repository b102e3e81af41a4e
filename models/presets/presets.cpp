// Rows as torchvision publishes them: the *_Weights enums of torchvision/models/resnet.py and mobilenetv2.py.
#include "presets/presets.h"

#include <string>

namespace ptrun::models {
namespace {

struct Row {
  std::string_view name;
  std::string_view file_name;
  int resize_size;
  std::string_view sha256 = {};
  std::uint64_t file_size = 0;
};

// clang-format off
constexpr Row kRows[] = {
    {"torchvision/MobileNet_V2_Weights.IMAGENET1K_V1", "mobilenet_v2-b0353104.pth", 256,
     "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889", 14212972},
    {"torchvision/MobileNet_V2_Weights.IMAGENET1K_V2", "mobilenet_v2-7ebf99e0.pth", 232},
    {"torchvision/ResNet18_Weights.IMAGENET1K_V1", "resnet18-f37072fd.pth", 256},
    {"torchvision/ResNet34_Weights.IMAGENET1K_V1", "resnet34-b627a593.pth", 256},
    {"torchvision/ResNet50_Weights.IMAGENET1K_V1", "resnet50-0676ba61.pth", 256},
    {"torchvision/ResNet50_Weights.IMAGENET1K_V2", "resnet50-11ad3fa6.pth", 232},
    {"torchvision/ResNet101_Weights.IMAGENET1K_V1", "resnet101-63fe2227.pth", 256},
    {"torchvision/ResNet101_Weights.IMAGENET1K_V2", "resnet101-cd907fc2.pth", 232},
    {"torchvision/ResNet152_Weights.IMAGENET1K_V1", "resnet152-394f9c45.pth", 256},
    {"torchvision/ResNet152_Weights.IMAGENET1K_V2", "resnet152-f82ba261.pth", 232},
    {"torchvision/ResNeXt50_32X4D_Weights.IMAGENET1K_V1", "resnext50_32x4d-7cdf4587.pth", 256},
    {"torchvision/ResNeXt50_32X4D_Weights.IMAGENET1K_V2", "resnext50_32x4d-1a0047aa.pth", 232},
    {"torchvision/ResNeXt101_32X8D_Weights.IMAGENET1K_V1", "resnext101_32x8d-8ba56ff5.pth", 256},
    {"torchvision/ResNeXt101_32X8D_Weights.IMAGENET1K_V2", "resnext101_32x8d-110c445d.pth", 232},
    {"torchvision/ResNeXt101_64X4D_Weights.IMAGENET1K_V1", "resnext101_64x4d-173b62eb.pth", 232},
    {"torchvision/Wide_ResNet50_2_Weights.IMAGENET1K_V1", "wide_resnet50_2-95faca4d.pth", 256},
    {"torchvision/Wide_ResNet50_2_Weights.IMAGENET1K_V2", "wide_resnet50_2-9ba9bcbe.pth", 232},
    {"torchvision/Wide_ResNet101_2_Weights.IMAGENET1K_V1", "wide_resnet101_2-32ee1156.pth", 256},
    {"torchvision/Wide_ResNet101_2_Weights.IMAGENET1K_V2", "wide_resnet101_2-d733dc28.pth", 232},
    // The same weights as torchvision before 0.10 named them.
    {"torchvision/ResNet18_Weights.IMAGENET1K_V1", "resnet18-5c106cde.pth", 256},
    {"torchvision/ResNet34_Weights.IMAGENET1K_V1", "resnet34-333f7ec4.pth", 256},
    {"torchvision/ResNet50_Weights.IMAGENET1K_V1", "resnet50-19c8e357.pth", 256},
    {"torchvision/ResNet101_Weights.IMAGENET1K_V1", "resnet101-5d3b4d8f.pth", 256},
    {"torchvision/ResNet152_Weights.IMAGENET1K_V1", "resnet152-b121ed2d.pth", 256},
};
// clang-format on

}  // namespace

PresetLayer imagenet_preset(int resize_size) {
  PresetLayer layer;
  layer.input_height = 224;
  layer.input_width = 224;
  layer.resize_size = resize_size;
  layer.interpolation = Interpolation::bilinear;
  layer.resize_mode = ResizeMode::shortest;
  layer.crop_mode = CropMode::center;
  layer.mean = {0.485, 0.456, 0.406};
  layer.std = {0.229, 0.224, 0.225};
  layer.rescale = 1.0 / 255.0;
  layer.channel_order = ChannelOrder::rgb;
  layer.antialias = true;
  layer.resize_backend = ResizeBackend::pillow;
  return layer;
}

std::vector<PublishedWeights> published_weights() {
  std::vector<PublishedWeights> result;
  for (const Row& row : kRows) {
    PublishedWeights weights;
    weights.name = row.name;
    weights.file_name = row.file_name;
    weights.sha256 = row.sha256;
    weights.file_size = row.file_size;
    weights.labels = "imagenet1k";
    weights.preset = imagenet_preset(row.resize_size);
    weights.preset.source = std::string(row.name);
    result.push_back(weights);
  }
  return result;
}

}  // namespace ptrun::models
