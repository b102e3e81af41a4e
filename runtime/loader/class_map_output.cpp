#include "loader/class_map_output.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace ptrun {
namespace {

constexpr std::string_view kOut = "out";
constexpr std::string_view kAux = "aux";
// torchvision/transforms/_presets.py: SemanticSegmentation, as all its published weights give it.
constexpr int kShortSide = 520;

const std::string& name_of(const OutputNode& node) { return node.name.empty() ? node.spec.name : node.name; }

bool fits(const OutputNode& node) {
  return node.kind == OutputNode::Kind::tensor && (node.spec.dimensions.empty() || node.spec.dimensions.size() == 4);
}

}  // namespace

const OutputNode* class_map_entry(const OutputNode& output) {
  if (output.children.empty()) return name_of(output) == kOut && fits(output) ? &output : nullptr;
  const OutputNode* out = nullptr;
  for (const OutputNode& child : output.children) {
    const std::string& name = name_of(child);
    if (!fits(child) || (name != kOut && name != kAux)) return nullptr;
    if (name == kOut) out = &child;
  }
  return out;
}

bool gives_class_map(const OutputNode& output) {
  return is_class_map(output) || output.kind == OutputNode::Kind::tensor || output.kind == OutputNode::Kind::dict;
}

void assume_class_map_preset(Model::Impl& model) {
  if (model.task != Task::segment || model.signature.form != InputForm::batched_nchw ||
      !gives_class_map(model.signature.output)) {
    return;
  }
  const auto says_mode = [](const ModelFacts& facts) { return facts.preset.resize_mode.has_value(); };
  if (model.file_preset.resize_mode || std::any_of(model.stated.begin(), model.stated.end(), says_mode)) return;
  PresetLayer& preset = model.assumed_preset;
  preset = {};
  preset.source = "default of torchvision's segmentation networks";
  if (model.file_preset.input_height && model.file_preset.input_width) {
    preset.resize_mode = ResizeMode::stretch;
    preset.crop_pct = 1.0;
  } else {
    preset.input_height = preset.input_width = kShortSide;
    preset.resize_size = kShortSide;
    preset.resize_mode = ResizeMode::shortest;
    preset.crop_mode = CropMode::none;
  }
  preset.interpolation = Interpolation::bilinear;
  preset.mean = Preset().mean;
  preset.std = Preset().std;
}

}  // namespace ptrun
