#include "loader/file_facts.h"

#include "archive/inspect_archive.h"

namespace ptrun {

ModelFacts read_file_facts(const archive::TensorFile& file, const archive::FoundWeights& found) {
  ModelFacts facts;
  if (!file.own_facts().empty())
    facts = read_ptrun_json(file.own_facts(), file.source().name() + " (ptrun.json inside)");
  if (facts.labels.names.empty()) {
    std::string where;
    facts.labels.names = archive::find_class_names(file.data(), found.node, where);
    if (!facts.labels.names.empty()) facts.labels.source = "key '" + where + "' of the file";
  }
  return facts;
}

void apply_facts(ModelFacts facts, Model::Impl& model) {
  if (model.labels.names.empty()) model.labels = std::move(facts.labels);
  if (!facts.task.empty()) model.task = parse_task(facts.task, facts.preset.source);
  model.rotated_boxes = model.rotated_boxes || facts.rotated_boxes;
  model.anchor_rows = model.anchor_rows || facts.anchor_rows;
  if (model.keypoint_shape[0] == 0) model.keypoint_shape = facts.keypoint_shape;
  model.stated.push_back(std::move(facts));
}

}  // namespace ptrun
