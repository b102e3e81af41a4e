// Whole pickled modules that run by the forward rules of their classes.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "archive/tensor_file.h"
#include "archive/weight_table.h"
#include "loader/loader.h"

namespace ptrun {

// Fills `model` from the tree that `found` names, a pickled module's forward function being Python code outside the
// file: the graph by the rules of its classes, task and classes from one run on a made-up image; `inside` is what the
// file says beside the tree. Throws what ModuleWriter::forward throws, with the lines that export the module behind
// what is unsupported, and bad_model for a graph that cannot run.
void load_pickled_module(const LoadRequest& request, const std::shared_ptr<const archive::TensorFile>& file,
                         const archive::FoundWeights& found, ModelFacts inside, Model::Impl& model);

// What is known of such a module before its trial run.
struct PickledSummary {
  std::string refusal;       // why it cannot run by rules; empty when it can
  std::optional<Task> task;  // else the trial run tells
};

// Fills architecture, signature (where the family is known) and presets of `model`. Reads no weights but small lists of
// numbers.
PickledSummary describe_pickled_module(const std::shared_ptr<const archive::TensorFile>& file,
                                       const archive::FoundWeights& found, const ModelTables& tables,
                                       Model::Impl& model);

}  // namespace ptrun
