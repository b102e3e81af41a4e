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

void apply_facts(const ModelFacts& facts, Model::Impl& model) {
  if (model.labels.names.empty()) model.labels = facts.labels;
  if (model.file_preset.source.empty()) model.file_preset = facts.preset;
  if (!facts.task.empty()) model.task = parse_task(facts.task);
}

}  // namespace ptrun
