// What a file of weights says about itself beside the weights: the JSON that ptrun convert put there, class names.
#pragma once

#include "archive/weight_table.h"
#include "loader/model_impl.h"
#include "loader/sidecar.h"

namespace ptrun {

// Throws bad_model when ptrun's own JSON is malformed.
ModelFacts read_file_facts(const archive::TensorFile& file, const archive::FoundWeights& found);

// Adds the facts to `model`: labels where it has none yet, a preset below those stated before, the task if there is
// one.
void apply_facts(ModelFacts facts, Model::Impl& model);

// A task by its name; throws invalid_argument about `subject` (what says the name) with the known ones. Defined in
// loader.cpp.
Task parse_task(const std::string& text, const std::string& subject);

}  // namespace ptrun
