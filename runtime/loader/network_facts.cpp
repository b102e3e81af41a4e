#include "loader/network_facts.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/text.h"

namespace ptrun {
namespace {

Dimension side_of(std::int64_t size) {
  Dimension dimension;
  if (size > 0) dimension.size = size;
  return dimension;
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

Signature network_signature(const ArchitectureMatch& match) {
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

std::optional<Recognised> recognise(const ModelTables& tables, const WeightTable& table, const std::string& said) {
  const Weights weights(table);
  std::optional<Recognised> first;
  for (const Architecture& architecture : tables.architectures) {
    if (architecture.by_name && said.empty()) continue;
    auto match = architecture.recognise(weights);
    if (!match) continue;
    if (match->name == said) return Recognised{&architecture, std::move(*match)};
    if (!architecture.by_name && !first) first = Recognised{&architecture, std::move(*match)};
  }
  return first;
}

const Architecture* family_of(const ModelTables& tables, const std::vector<std::string>& classes) {
  for (const Architecture& family : tables.architectures) {
    const auto& own = family.module_classes;
    const bool known = std::any_of(classes.begin(), classes.end(), [&](const std::string& name) {
      return std::find(own.begin(), own.end(), name) != own.end();
    });
    if (known) return &family;
  }
  return nullptr;
}

PresetLayer preset_to_assume(const Architecture& architecture, const ArchitectureMatch& match,
                             const ModelTables& tables, bool from_weights) {
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
  PresetLayer preset = published_preset(*first, from_weights);
  if (!others.empty()) preset.source += "; another than " + others;
  return preset;
}

PresetLayer published_preset(const PublishedWeights& weights, bool from_weights) {
  PresetLayer preset = weights.preset;
  preset.source = std::string(weights.name);
  if (from_weights && weights.built_mean) preset.mean = weights.built_mean;
  if (from_weights && weights.built_std) preset.std = weights.built_std;
  return preset;
}

void fill_network_facts(const Architecture& architecture, const ArchitectureMatch& match, const ModelTables& tables,
                        const std::string& said, Model::Impl& model) {
  model.from_weights = true;
  model.architecture = match.name;
  model.task = match.task;
  model.signature = network_signature(match);
  model.same_keys = architecture.same_keys;
  model.assumed_preset = preset_to_assume(architecture, match, tables, true);
  if (said.empty()) return;
  // Vision transformers are called by patch alone here, by size too in timm.
  if (said.rfind(match.name, 0) == 0 || said == "timm/" + match.name) {
    model.same_keys.clear();
    return;
  }
  model.notes.push_back("config.json says " + printable(said) + ", the weights are taken as those of " + match.name +
                        ", which have the same names and shapes; results are wrong where the two compute otherwise");
}

}  // namespace ptrun
