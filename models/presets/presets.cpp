#include "presets/presets.h"

#include <string>

namespace ptrun::models {
namespace {

using enum Interpolation;

// Mean and standard deviation.
enum class Scale { imagenet, half, mean_only };
using enum Scale;

// Weights as torchvision's *_Weights enumerations publish them.
struct Row {
  std::string_view name;
  std::string_view architecture;
  std::string_view file_name;
  int input_size;
  int resize_size;
  Interpolation interpolation;
  Scale scale;
  bool has_labels;  // ImageNet's
  std::string_view sha256 = {};
  std::uint64_t file_size = 0;
};

// clang-format off
constexpr Row kRows[] = {
#include "presets/torchvision.inc"
};
// clang-format on

PresetLayer preset_of(const Row& row) {
  PresetLayer layer = imagenet_preset(row.resize_size);
  layer.input_height = layer.input_width = row.input_size;
  layer.interpolation = row.interpolation;
  if (row.scale == half) layer.mean = layer.std = {0.5, 0.5, 0.5};
  if (row.scale == mean_only) {
    layer.mean = {0.48235, 0.45882, 0.40784};
    layer.std = {1.0 / 255.0, 1.0 / 255.0, 1.0 / 255.0};
  }
  layer.source = std::string(row.name);
  return layer;
}

}  // namespace

PresetLayer imagenet_preset(int resize_size) {
  PresetLayer layer;
  layer.input_height = 224;
  layer.input_width = 224;
  layer.resize_size = resize_size;
  layer.interpolation = bilinear;
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
    weights.architecture = row.architecture;
    weights.file_name = row.file_name;
    weights.sha256 = row.sha256;
    weights.file_size = row.file_size;
    if (row.has_labels) weights.labels = "imagenet1k";
    weights.preset = preset_of(row);
    result.push_back(std::move(weights));
  }
  return result;
}

}  // namespace ptrun::models
