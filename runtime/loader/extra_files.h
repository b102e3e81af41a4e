// Side files that an exporter put into a model archive: labels, preset, task.
#pragma once

#include <string>
#include <vector>

#include "loader/model_impl.h"

namespace ptrun {

struct ExtraFile {
  std::string name;  // "ptrun.json", without "extra/"
  std::string text;
};

// Takes labels, preset and task out of "ptrun.json" (ours), "config.txt" (ultralytics), "labels.json" and "labels.txt";
// earlier ones of this order win field by field. One that cannot be read is ignored with a note.
void take_extra_files(const std::vector<ExtraFile>& files, Model::Impl& model);

}  // namespace ptrun
