// What a GraphBuilder holds, for the rooms that finish its graph.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "archive/weight_table.h"
#include "graph/jit_api.h"
#include "graph/module.h"
#include "ptrun/graph.h"

namespace at {
class Tensor;
}

namespace ptrun {

// The values of a weight. Called once per entry that the network uses.
using TensorProvider = std::function<at::Tensor(const WeightTable::Entry& entry)>;

// How the names in a file differ from those the network asked for.
struct WeightDifferences {
  std::vector<std::string> missing;     // asked for, not in the file
  std::vector<std::string> mismatched;  // "fc.weight has shape [10, 3], expected [*, 512]"
  std::vector<std::string> left_over;   // in the file, never asked for; num_batches_tracked is not counted
  std::size_t used = 0;
  bool empty() const noexcept { return missing.empty() && mismatched.empty() && left_over.empty(); }
};

struct GraphBuilder::Impl {
  explicit Impl(const WeightTable& names) : table(&names) {}

  // What is known about a value's shape while it is being built, to check weights against it.
  struct Known {
    std::int64_t channels = 0;  // size of dimension 1, 0: unknown
    std::int64_t pixels = 0;    // height * width where fixed, 0: unknown
    std::int64_t last = 0;      // size of the last dimension, 0: unknown
  };

  const WeightTable* table;
  TensorProvider provider;  // empty: names and shapes are checked, the graph has no values
  std::shared_ptr<torch::jit::Graph> graph;
  std::unordered_map<std::string, torch::jit::Value*> constants;  // by weight name
  std::vector<bool> used;                                         // by table entry
  std::vector<std::string> missing;
  std::vector<std::string> mismatched;
  std::unordered_map<const torch::jit::Value*, Known> known;
  std::vector<std::string> input_names;
  std::vector<torch::jit::Value*> outputs;
  std::vector<std::string> output_names;

  static torch::jit::Value* raw(Value value);
  static Value wrap(torch::jit::Value* value) { return Value(value); }
  Known known_of(Value value) const;
  Value with(Value value, Known known);
  // Marks the table's entry as known to the network; null is no entry.
  void use(const WeightTable::Entry* entry);
  jit::Operand operand(const Argument& argument);
  std::vector<jit::Operand> operands(const std::vector<Argument>& arguments);

  // The constant of weight `name`, float32 when it is of a floating type. A missing weight is remembered and
  // answered with an empty tensor.
  Value weight(const Weights& w, std::string_view name);
  // The same for a layer's parameter whose sizes must be `expected` (-1: any size).
  Value parameter(const Weights& w, std::string_view name, const std::vector<std::int64_t>& expected);
  void mismatch(const std::string& name, const std::string& expectation);
};

// A builder whose constants come from `provider`; an empty one checks names and shapes only.
GraphBuilder make_builder(const WeightTable& table, TensorProvider provider);
WeightDifferences differences(GraphBuilder& builder);
// Ends the graph: outputs registered, normal form. The caller has looked at differences().
GraphModule finish(GraphBuilder& builder);

}  // namespace ptrun
