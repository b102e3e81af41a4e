// Whole models of ultralytics and YOLOv5: a list of layers, each with the indices of the layers it takes its input
// from (`f`, -1 for the one before) and its own index (`i`), and what the model says about itself.
#include <algorithm>
#include <array>
#include <cmath>

#include "modules/ultralytics.h"

namespace ptrun::models {
namespace {

constexpr int kDefaultSize = 640;  // pixels; ultralytics' and YOLOv5's default imgsz
constexpr int kDefaultClassifySize = 224;
constexpr int kMaxSize = 16'384;

struct HeadRow {
  std::string_view name;
  Task task;
};
constexpr std::array kHeads = {
    HeadRow{"Detect", Task::detect},           HeadRow{"v10Detect", Task::detect}, HeadRow{"Segment", Task::segment},
    HeadRow{"Segment26", Task::segment},       HeadRow{"Pose", Task::keypoints},   HeadRow{"Pose26", Task::keypoints},
    HeadRow{"Classify", Task::classify},       HeadRow{"OBB", Task::detect},       HeadRow{"OBB26", Task::detect},
    HeadRow{"SemanticSegment", Task::segment},
};

// The indices a layer reads from; for a list, in its order.
std::vector<std::int64_t> sources_of(const PickledModule& layer) { return layer.integers("f"); }

// Layers that hand on what they take make lists grow; no published network comes near.
constexpr std::size_t kMaxInputs = 4096;

Values gathered(const PickledModule& layer, const std::vector<Values>& done) {
  const bool fuse = layer.short_class() == "CBFuse";
  const std::vector<std::int64_t> sources = sources_of(layer);
  const std::vector<std::int64_t> parts = fuse ? layer.integers("idx") : std::vector<std::int64_t>{};
  Values result;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const auto count = static_cast<std::int64_t>(done.size());
    const std::int64_t at = sources[i] < 0 ? count + sources[i] : sources[i];
    if (at < 0 || at >= count) {
      layer.fail("takes its input from layer " + std::to_string(sources[i]) + ", which does not come before it");
    }
    const std::vector<Value>& items = done[static_cast<std::size_t>(at)].items;
    if (i < parts.size() && i + 1 < sources.size()) {
      if (parts[i] < 0 || parts[i] >= static_cast<std::int64_t>(items.size())) {
        layer.fail("takes part " + std::to_string(parts[i]) + " of a layer that gives " + std::to_string(items.size()));
      }
      result.items.push_back(items[static_cast<std::size_t>(parts[i])]);
    } else {
      result.items.insert(result.items.end(), items.begin(), items.end());
    }
    if (result.items.size() > kMaxInputs) {
      layer.fail("takes more than " + std::to_string(kMaxInputs) + " tensors, expected a handful");
    }
  }
  return result;
}

Values run_layers(ModuleWriter& w, const std::vector<PickledModule>& layers, Value images) {
  // Before the first layer -1 means the images, and layer 0 is nobody's input by that number.
  std::vector<Values> done;
  done.reserve(layers.size());
  for (const PickledModule& layer : layers) {
    done.push_back(w.forward(layer, done.empty() ? Values(images) : gathered(layer, done)));
  }
  return done.back();
}

// Height and width that the model was trained with, where it says so.
std::array<int, 2> image_size(const PickledModule& m, int fallback, int stride) {
  std::array<int, 2> size = {fallback, fallback};
  const PickledValue value = m.attribute("args").attribute("imgsz");
  const std::vector<PickledValue> items = value.items();
  for (std::size_t i = 0; i < size.size(); ++i) {
    const PickledValue& item = items.empty() ? value : items[std::min(i, items.size() - 1)];
    const std::int64_t side = item.integer().value_or(0);
    if (side >= 1 && side <= kMaxSize) size.at(i) = static_cast<int>(side);
    // As ultralytics does, up to a whole number of strides.
    size.at(i) = (size.at(i) + stride - 1) / stride * stride;
  }
  return size;
}

int largest_stride(ModuleWriter& w, const PickledModule& head) {
  const std::vector<double> strides = w.numbers(head, "stride");
  const double largest = strides.empty() ? 0.0 : *std::max_element(strides.begin(), strides.end());
  if (!(largest >= 1 && largest <= 1024)) head.fail("has strides that are no size of a cell");
  return std::max(static_cast<int>(std::lround(largest)), 32);
}

// The preprocessing that both projects do before every model: the same numbers are in no file.
PresetLayer preprocessing(const std::array<int, 2>& size, bool classifier) {
  PresetLayer preset;
  preset.source = "inside the file";
  preset.input_height = size[0];
  preset.input_width = size[1];
  preset.mean = {0.0, 0.0, 0.0};
  preset.std = {1.0, 1.0, 1.0};
  preset.rescale = 1.0 / 255.0;
  preset.channel_order = ChannelOrder::rgb;
  preset.interpolation = Interpolation::bilinear;
  if (classifier) {
    preset.resize_mode = ResizeMode::shortest;
    preset.crop_mode = CropMode::center;
    preset.crop_pct = 1.0;
    preset.resize_backend = ResizeBackend::pillow;
  } else {
    preset.resize_mode = ResizeMode::letterbox;
    preset.pad_value = 114;
    preset.resize_backend = ResizeBackend::opencv;
  }
  return preset;
}

// "yolov8n-seg" of {"yaml_file": "yolov8n-seg.yaml"}.
std::string architecture_of(const PickledModule& m) {
  std::string name = m.attribute("yaml").attribute("yaml_file").text().value_or("");
  name.erase(0, name.find_last_of("/\\") + 1);
  return name.substr(0, name.rfind(".yaml"));
}

Values model(ModuleWriter& w, const PickledModule& m, const Values& in) {
  const std::vector<PickledModule> layers = list_of(m, "model");
  if (layers.empty()) m.fail("has no layers");
  const PickledModule& head = layers.back();
  Values result = run_layers(w, layers, w.only(m, in));

  ModuleFacts& facts = w.facts();
  const auto* const row = std::find_if(kHeads.begin(), kHeads.end(),
                                       [&](const HeadRow& candidate) { return candidate.name == head.short_class(); });
  facts.task = row == kHeads.end() ? Task::tensors : row->task;
  const bool classifier = facts.task == Task::classify;
  const int stride = classifier ? 1 : largest_stride(w, head);
  facts.file_preset =
      preprocessing(image_size(m, classifier ? kDefaultClassifySize : kDefaultSize, stride), classifier);
  if (classifier && m.class_name().find("ultralytics") == std::string::npos) {
    // YOLOv5's classifiers normalise as torchvision's.
    facts.file_preset.mean = {0.485, 0.456, 0.406};
    facts.file_preset.std = {0.229, 0.224, 0.225};
  }
  facts.architecture = architecture_of(m);
  facts.trial_size = classifier ? kDefaultClassifySize : 4 * stride;
  // Focus takes every second pixel in four phases before its convolution.
  if (layers.front().short_class() == "Focus") {
    const std::int64_t taken = layers.front().weights().size("conv.conv.weight", 1);
    if (taken > 0) facts.input_channels = taken / 4;
  }
  return result;
}

}  // namespace

Rules ultralytics_model() {
  return {
      {{"ultralytics.nn.tasks.DetectionModel", "ultralytics.nn.tasks.SegmentationModel",
        "ultralytics.nn.tasks.PoseModel", "ultralytics.nn.tasks.OBBModel", "ultralytics.nn.tasks.ClassificationModel",
        "ultralytics.nn.tasks.SemanticSegmentationModel", "ultralytics.nn.tasks.YOLOv10DetectionModel",
        "models.yolo.Model", "models.yolo.DetectionModel", "models.yolo.SegmentationModel",
        "models.yolo.ClassificationModel", "yolov5.models.yolo.Model", "yolov5.models.yolo.DetectionModel",
        "yolov5.models.yolo.SegmentationModel", "yolov5.models.yolo.ClassificationModel"},
       model},
  };
}

}  // namespace ptrun::models
