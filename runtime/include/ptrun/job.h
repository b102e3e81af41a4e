// A predictor over many files: every input gets exactly one row, in order.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "ptrun/export.h"
#include "ptrun/predictor.h"

namespace ptrun {

// What to predict: image files, folders (recursive, natural order), globs, "@list.txt", "-" (paths on standard input).
struct SourceOptions {
  std::vector<std::string> sources;
  bool all_files = false;      // folders and globs take every file, not only known image extensions
  bool nul_separated = false;  // "-" reads NUL separated paths
};

struct InputList {
  std::vector<std::string> paths;  // in the order of their rows, as given or joined to the given root
  std::size_t skipped = 0;         // names in folders and globs that are no known image
};

// Lists the inputs without opening one. Throws not_found for a path, glob or list that is not there.
PTRUN_API InputList list_inputs(const SourceOptions& options);

struct OutputFormatInfo {
  std::string name;       // "jsonl"
  std::string extension;  // ".jsonl"
};
PTRUN_API std::vector<OutputFormatInfo> output_formats();

struct Progress {
  std::size_t done = 0;
  std::size_t failed = 0;
  std::size_t total = 0;
  double seconds = 0;
};

struct JobOptions {
  std::size_t size = sizeof(JobOptions);
  PredictOptions predict;
  // Files to write; the format follows from the name. "-" with `stdout_format` goes to `write_stdout`.
  std::vector<std::string> outputs;
  std::string stdout_format;  // "jsonl", "table", or empty: nothing
  std::function<void(const std::string& bytes)> write_stdout;
  bool force = false;  // replace existing outputs
  // 0: never stop for failed images; N: stop after N of them.
  std::size_t stop_after_errors = 0;
  std::function<void(const Progress&)> progress;  // at most 10 times a second, from one thread at a time
  const std::atomic<bool>* cancel = nullptr;      // set to true: finish the rows in progress and return
};

struct JobSummary {
  std::size_t total = 0;
  std::size_t succeeded = 0;
  std::size_t failed = 0;
  bool cancelled = false;
  bool stopped_on_errors = false;
  double seconds = 0;
  int batch_size = 0;
  int workers = 0;
  StageTimes times;
};

// Throws output_failed when a result cannot be written (rows already written stay), and what Predictor throws.
PTRUN_API JobSummary run_job(const Model& model, const InputList& inputs, const JobOptions& options);

// Refuses, before any work, outputs that exist, cannot be made, or do not fit the task. Throws invalid_argument.
PTRUN_API void check_outputs(const JobOptions& options, Task task);

}  // namespace ptrun
