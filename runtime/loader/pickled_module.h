// Whole pickled modules that run by the forward rules of their classes.
#pragma once

#include <memory>
#include <string>

#include "archive/tensor_file.h"
#include "archive/weight_table.h"
#include "loader/loader.h"

namespace ptrun {

// Fills `model` from the tree that `found` names: the graph by its rules, task and classes from one run on a made-up
// image. Throws what ModuleWriter::forward throws, and bad_model for a graph that cannot run.
void load_pickled_module(const LoadRequest& request, const std::shared_ptr<const archive::TensorFile>& file,
                         const archive::FoundWeights& found, Model::Impl& model);

// Why the tree cannot run by rules; empty when it can. Reads no weights.
std::string explain_pickled_module(const std::shared_ptr<const archive::TensorFile>& file, archive::NodeId root,
                                   const ModelTables& tables);

}  // namespace ptrun
