#include "loader/network_facts.h"

#include <cmath>
#include <string>

namespace ptrun {
namespace {

Dimension side_of(std::int64_t size) {
  Dimension dimension;
  if (size > 0) dimension.size = size;
  return dimension;
}

Signature signature_of(const ArchitectureMatch& match) {
  Signature signature;
  Dimension batch;
  batch.batch = true;
  Dimension channels;
  channels.size = 3;
  TensorSpec images;
  images.name = "images";
  images.dimensions = {batch, channels, side_of(match.input_height), side_of(match.input_width)};
  signature.inputs.push_back(images);
  Dimension classes;
  classes.size = match.classes;
  signature.output.spec.name = "logits";
  signature.output.spec.dimensions = {batch, classes};
  return signature;
}

bool fits(const ArchitectureMatch& match, const PresetLayer& preset) {
  const auto same = [](std::int64_t fixed, const std::optional<int>& side) { return fixed <= 0 || side == fixed; };
  return same(match.input_height, preset.input_height) && same(match.input_width, preset.input_width);
}

bool same_pixels(const PresetLayer& a, const PresetLayer& b) {
  return a.input_height == b.input_height && a.input_width == b.input_width && a.resize_size == b.resize_size &&
         a.crop_pct == b.crop_pct && a.interpolation == b.interpolation && a.resize_mode == b.resize_mode &&
         a.mean == b.mean && a.std == b.std;
}

// The family's preset at the size that the weights fix, resize_size in proportion.
PresetLayer family_preset(const Architecture& architecture, const ArchitectureMatch& match) {
  PresetLayer preset = architecture.assumed_preset;
  preset.source = "family " + std::string(architecture.family);
  if (match.input_height <= 0 || match.input_width <= 0) return preset;
  if (preset.resize_size && preset.input_height.value_or(0) > 0) {
    const double scale = static_cast<double>(match.input_height) / *preset.input_height;
    preset.resize_size = static_cast<int>(std::lround(*preset.resize_size * scale));
  }
  preset.input_height = static_cast<int>(match.input_height);
  preset.input_width = static_cast<int>(match.input_width);
  return preset;
}

}  // namespace

PresetLayer preset_to_assume(const Architecture& architecture, const ArchitectureMatch& match,
                             const ModelTables& tables) {
  const PublishedWeights* first = nullptr;
  std::string others;
  for (const PublishedWeights& row : tables.published) {
    if (row.architecture != match.name || !fits(match, row.preset)) continue;
    if (first == nullptr) {
      first = &row;
    } else if (!same_pixels(first->preset, row.preset)) {
      others += (others.empty() ? "" : ", ") + std::string(row.name);
    }
  }
  if (first == nullptr) return family_preset(architecture, match);
  PresetLayer preset = first->preset;
  preset.source = std::string(first->name);
  if (!others.empty()) preset.source += "; another than " + others;
  return preset;
}

void fill_network_facts(const Architecture& architecture, const ArchitectureMatch& match, const ModelTables& tables,
                        Model::Impl& model) {
  model.architecture = match.name;
  model.task = match.task;
  model.signature = signature_of(match);
  model.same_keys = architecture.same_keys;
  model.assumed_preset = preset_to_assume(architecture, match, tables);
}

}  // namespace ptrun
