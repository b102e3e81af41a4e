// Knowledge about published models, handed to the loader as tables. An embedding program can pass
// builtin_models() as it is, or a copy with rows of its own.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ptrun/export.h"
#include "ptrun/graph.h"
#include "ptrun/labels.h"
#include "ptrun/modules.h"
#include "ptrun/prediction.h"
#include "ptrun/preset.h"

namespace ptrun {

// What recognising a file's weights found.
struct ArchitectureMatch {
  std::string name;  // the variant, for example "resnet50", "resnext50_32x4d"
  Task task = Task::classify;
  std::int64_t classes = 0;       // size of the last layer, 0 when it has none
  std::int64_t input_height = 0;  // pixels, where the weights fix them (position embeddings); 0: any size
  std::int64_t input_width = 0;
};

// A family of networks, told apart and built from tensor names and shapes alone.
struct Architecture {
  std::string_view family;                 // "resnet"
  std::string_view source;                 // reference implementation and paper
  std::vector<std::string_view> variants;  // names accepted by --arch
  // Nothing when the names and shapes are not this family's. Never throws.
  std::optional<ArchitectureMatch> (*recognise)(const Weights& weights);
  // Writes the graph of the network for x [N, 3, H, W] float32 and returns the logits [N, classes].
  Value (*build)(GraphBuilder& graph, const Weights& weights, Value x);
  // Python classes of whole networks of this family: "torchvision.models.resnet.ResNet".
  std::vector<std::string_view> module_classes;
  // The last guess, marked assumed, for a variant without published weights.
  PresetLayer assumed_preset;
  // Other networks with the same names and shapes, which compute something else; said for weights that are not among
  // the published ones. Empty: none known.
  std::string_view same_keys = {};
  // Networks that compute something else than an earlier or later family of the same names and shapes: taken only where
  // a variant's name is given, by --arch or by the config.json beside the weights.
  bool by_name = false;
};

// Published weights: which preset and labels belong to the exact file.
struct PublishedWeights {
  std::string_view name;          // "torchvision/MobileNet_V2_Weights.IMAGENET1K_V1"
  std::string_view file_name;     // as published, with its hash tag: "mobilenet_v2-b0353104.pth"
  std::string_view sha256;        // of the whole file in hex, empty when only the tag (its first 8 digits) is known
  std::uint64_t file_size = 0;    // bytes, 0 when unknown; a file of another size is not hashed
  std::string_view labels;        // name of a label set, for example "imagenet1k"; empty: not known
  std::string_view architecture;  // the variant's name, "mobilenet_v2"
  PresetLayer preset;             // of the network as its library builds it
  // In place of the preset's for the network that `architecture` builds, where the library's transforms its input first
  // (torchvision's transform_input) and the file of weights does not say so.
  std::optional<std::array<double, 3>> built_mean = {};
  std::optional<std::array<double, 3>> built_std = {};
};

// Class names that published weights refer to.
struct LabelSet {
  std::string_view name;  // "imagenet1k"
  std::size_t size = 0;
  Labels (*load)();
};

// Everything that the loader knows about models beside the file.
struct ModelTables {
  std::vector<Architecture> architectures;
  std::vector<PublishedWeights> published;
  std::vector<LabelSet> label_sets;
  std::vector<ModuleRule> modules;  // of two rules for one class the first is used
};

// Everything in models/. Any thread; valid for ever.
PTRUN_API const ModelTables& builtin_models();

}  // namespace ptrun
