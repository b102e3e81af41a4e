// What a recognised network says about its model: names, signature, the preset that its files usually need.
#pragma once

#include "loader/model_impl.h"
#include "ptrun/models.h"

namespace ptrun {

// The preset of the first published weights of this architecture and input size, else the family's; its source names
// other published weights that need another one.
PresetLayer preset_to_assume(const Architecture& architecture, const ArchitectureMatch& match,
                             const ModelTables& tables);

// Fills architecture, task, signature, same_keys and assumed_preset.
void fill_network_facts(const Architecture& architecture, const ArchitectureMatch& match, const ModelTables& tables,
                        Model::Impl& model);

}  // namespace ptrun
