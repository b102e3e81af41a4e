#include "loader/extra_files.h"

#include <array>

#include "archive/byte_source.h"
#include "core/text.h"
#include "loader/labels.h"
#include "loader/sidecar.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

constexpr std::array kTasks = {Task::classify, Task::detect,  Task::segment, Task::keypoints,
                               Task::embed,    Task::restore, Task::tensors};

ModelFacts read_labels_only(const std::string& text, const std::string& source) {
  ModelFacts facts;
  facts.labels = read_labels(*archive::from_memory(source, text));
  facts.labels.source = source;
  return facts;
}

ModelFacts read_facts(const ExtraFile& file, const std::string& source) {
  if (file.name == "ptrun.json") return read_ptrun_json(file.text, source);
  if (file.name == "config.txt") return read_ultralytics_config(file.text, source);
  return read_labels_only(file.text, source);
}

void set_task(const std::string& name, const std::string& source, Model::Impl& model) {
  for (const Task task : kTasks) {
    if (name != to_string(task)) continue;
    model.task = task;
    return;
  }
  model.notes.push_back("ignored: " + source + ": task " + printable(name, 60) + " is not known");
}

}  // namespace

void take_extra_files(const std::vector<ExtraFile>& files, Model::Impl& model) {
  bool has_task = false;
  for (const char* name : {"ptrun.json", "config.txt", "labels.json", "labels.txt"}) {
    for (const ExtraFile& file : files) {
      if (file.name != name) continue;
      const std::string source = "extra file " + file.name + " in the model file";
      try {
        const ModelFacts facts = read_facts(file, source);
        if (model.labels.names.empty()) model.labels = facts.labels;
        if (model.file_preset.source.empty()) model.file_preset = facts.preset;
        if (!has_task && !facts.task.empty()) set_task(facts.task, source, model);
        has_task = has_task || !facts.task.empty();
      } catch (const Error& error) {
        model.notes.push_back(std::string("ignored: ") + error.what());
      }
    }
  }
}

}  // namespace ptrun
