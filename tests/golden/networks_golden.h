// Networks described by names and shapes, filled by name, against Python's numbers: scripts/fixtures/
// make_golden_networks.py.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "archive/weight_table.h"
#include "graph/builder_impl.h"
#include "ptrun/models.h"

namespace ptrun::testing {

nlohmann::json read_network(const std::string& path);

// Rows of names and shapes, runs such as "layer{1-4}.0.conv{1-2}.weight" spelled out.
WeightTable table_of(const nlohmann::json& network);

// Values of each weight from its name.
TensorProvider by_name(const nlohmann::json& network);

// Every family that takes the weights, in the order of the table; the one called `said` in place of its twin.
std::vector<std::pair<const Architecture*, ArchitectureMatch>> recognise_all(const WeightTable& table,
                                                                             const std::string& said = {});

struct BuiltNetwork {
  WeightDifferences differences;
  GraphModule module;
};
BuiltNetwork build_network(const Architecture& architecture, const WeightTable& table, const TensorProvider& provider);

// Logits of the images that Python saw.
at::Tensor run_network(const nlohmann::json& network, const GraphModule& module);

// Largest difference to Python's numbers, in units of the largest logit; infinite when the shape or the best class is
// another.
double difference(const nlohmann::json& network, const at::Tensor& logits);

}  // namespace ptrun::testing
