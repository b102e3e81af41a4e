// What a recognised network says about its model: names, signature, the preset that its files usually need.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "archive/weight_table.h"
#include "loader/model_impl.h"
#include "ptrun/models.h"

namespace ptrun {

struct Recognised {
  const Architecture* architecture = nullptr;
  ArchitectureMatch match;
};

// The family that takes these names and shapes: one with the variant `said`, else the first that names and shapes tell.
std::optional<Recognised> recognise(const ModelTables& tables, const WeightTable& table, const std::string& said = {});

// The first family that one of the Python classes `classes` is of; null when there is none.
const Architecture* family_of(const ModelTables& tables, const std::vector<std::string>& classes);

// The preset of the first published weights of this architecture and input size, else the family's; its source names
// other published weights that need another one. `from_weights`: the network is built by its architecture.
PresetLayer preset_to_assume(const Architecture& architecture, const ArchitectureMatch& match,
                             const ModelTables& tables, bool from_weights);

// The preset of published weights, or of the network that their architecture builds from them.
PresetLayer published_preset(const PublishedWeights& weights, bool from_weights);

// Images [N, 3, H, W] in, logits [N, classes] out.
Signature network_signature(const ArchitectureMatch& match);

// For a network that `architecture` builds: fills architecture, task, signature, same_keys, assumed_preset and
// from_weights. `said`: what config.json calls the network, or empty; another name than that of `match` is told in a
// note.
void fill_network_facts(const Architecture& architecture, const ArchitectureMatch& match, const ModelTables& tables,
                        const std::string& said, Model::Impl& model);

}  // namespace ptrun
