// What a recognised network says about its model: names, signature, the preset that its files usually need.
#pragma once

#include "loader/model_impl.h"
#include "ptrun/models.h"

namespace ptrun {

// Fills architecture, task, signature, same_keys and assumed_preset. The assumed preset is that of the first published
// weights of this architecture and input size, else the family's; its source names other published weights that need
// another one.
void fill_network_facts(const Architecture& architecture, const ArchitectureMatch& match, const ModelTables& tables,
                        Model::Impl& model);

}  // namespace ptrun
