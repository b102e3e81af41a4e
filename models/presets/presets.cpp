#include "presets/presets.h"

#include <array>
#include <string>

namespace ptrun::models {
namespace {

using enum Interpolation;

// Mean and standard deviation. "half": ImageNet's, from which the network itself goes on to 0.5 (transform_input).
enum class Scale { imagenet, half, mean_only, minus_one_to_one, none, clip };
using enum Scale;
enum class Crop { center, squash };
using enum Crop;

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

// Weights as timm publishes them, of ImageNet's 1000 classes.
struct TimmRow {
  std::string_view name;
  std::string_view architecture;
  int input_size;
  double crop_pct;
  Interpolation interpolation;
  Scale scale;
  Crop crop;
};

// clang-format off
constexpr Row kRows[] = {
#include "presets/torchvision.inc"
};

constexpr TimmRow kTimmRows[] = {
#include "presets/timm.inc"
};
// clang-format on

void set_scale(PresetLayer& layer, Scale scale) {
  using Colours = std::array<double, 3>;
  switch (scale) {
    case imagenet:
    case half: break;  // as it is
    case mean_only:
      layer.mean = Colours{0.48235, 0.45882, 0.40784};
      layer.std = Colours{1.0 / 255.0, 1.0 / 255.0, 1.0 / 255.0};
      break;
    case minus_one_to_one: layer.mean = layer.std = Colours{0.5, 0.5, 0.5}; break;
    case none:
      layer.mean = Colours{0.0, 0.0, 0.0};
      layer.std = Colours{1.0, 1.0, 1.0};
      break;
    case clip:
      layer.mean = Colours{0.48145466, 0.4578275, 0.40821073};
      layer.std = Colours{0.26862954, 0.26130258, 0.27577711};
      break;
  }
}

PresetLayer preset_of(const Row& row) {
  PresetLayer layer = imagenet_preset(row.resize_size);
  layer.input_height = layer.input_width = row.input_size;
  layer.interpolation = row.interpolation;
  set_scale(layer, row.scale);
  layer.source = std::string(row.name);
  return layer;
}

PresetLayer preset_of(const TimmRow& row) {
  PresetLayer layer = timm_preset();
  layer.input_height = layer.input_width = row.input_size;
  layer.crop_pct = row.crop_pct;
  layer.interpolation = row.interpolation;
  set_scale(layer, row.scale);
  if (row.crop == squash) layer.resize_mode = ResizeMode::stretch;
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

PresetLayer timm_preset() {
  PresetLayer layer = imagenet_preset(0);
  layer.resize_size.reset();
  layer.crop_pct = 0.875;
  layer.interpolation = bicubic;
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
    if (row.scale == half) weights.built_mean = weights.built_std = {0.5, 0.5, 0.5};
    result.push_back(std::move(weights));
  }
  for (const TimmRow& row : kTimmRows) {
    PublishedWeights weights;
    weights.name = row.name;
    weights.architecture = row.architecture;
    weights.labels = "imagenet1k";
    weights.preset = preset_of(row);
    result.push_back(std::move(weights));
  }
  return result;
}

}  // namespace ptrun::models
