// The outputs of one job: every row goes to each.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/output_file.h"
#include "output/output.h"
#include "output/picture_folder.h"
#include "ptrun/job.h"

namespace ptrun::job {

// Throws invalid_argument when an output would replace the model or an image of this job, or pictures would lie among
// the images.
void check_not_read(const JobOptions& options, const std::string& model, const std::vector<std::string>& images);

// One thread. Throws output_failed, and what write_stdout throws.
class Outputs {
 public:
  // Opens all files. `paths`: those of the rows to come, for the table's alignment.
  Outputs(const JobOptions& options, const Model& model, const std::vector<std::string>& paths);

  void write(Row row);
  bool writes_pictures() const noexcept { return pictures_ != nullptr; }
  // Makes files durable and gives them their final names; what is not `complete` and has none yet becomes NAME.partial.
  void finish(bool complete);

 private:
  struct Target {
    std::unique_ptr<OutputFile> file;  // none: write_stdout
    std::unique_ptr<RowWriter> writer;
  };
  std::vector<Target> targets_;
  std::unique_ptr<PictureFolder> pictures_;  // null: none were asked for
};

}  // namespace ptrun::job
