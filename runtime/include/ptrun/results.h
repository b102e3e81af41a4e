// Rows of results in a file, as `ptrun predict -o FILE` writes them, for programs that run a Predictor themselves.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "ptrun/export.h"
#include "ptrun/prediction.h"

namespace ptrun {

// Which files to write, and what of each row.
struct ResultFileOptions {
  std::size_t size = sizeof(ResultFileOptions);
  Task task = Task::classify;  // of the model: some formats cannot hold every task
  int topk = 5;                // classes a CSV row has columns for
  bool logits = false;         // scores are logits (Activation::none)
  bool replace = false;        // an existing file is replaced; else it is refused
};

// One file of rows, in the format that follows from its name (output_formats() in job.h). It gets its name in finish();
// destroyed before, it leaves nothing behind. One thread at a time.
class PTRUN_API ResultFile {
 public:
  // Throws invalid_argument for an unknown ending, a task that the format cannot hold, a folder that is not there or a
  // file that exists; output_failed where the file cannot be made.
  explicit ResultFile(const std::string& path, const ResultFileOptions& options = {});
  ~ResultFile();
  ResultFile(const ResultFile&) = delete;
  ResultFile& operator=(const ResultFile&) = delete;

  // Adds the row of one image; `image` is its path as the row shows it. Throws output_failed.
  void write(const std::string& image, const Outcome& outcome);
  // No row follows: the file is complete, durable and has its name. Throws output_failed.
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ptrun
