// A predictor over many files: every input gets exactly one row, in order.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ptrun/export.h"
#include "ptrun/predictor.h"

namespace ptrun {

// What to predict. Each source is one of: an image file, a folder (recursive, natural order: img2 before img10), a glob
// (* ? [abc], ** for any depth), "@list.txt" (one path a line, relative to the working folder), "-" (paths on standard
// input). A name that exists is taken literally, whatever characters it holds; "./@x" and "./-" are files.
struct SourceOptions {
  std::vector<std::string> sources;
  bool all_files = false;      // folders and globs take every file, not only known image extensions
  bool nul_separated = false;  // "-" reads NUL separated paths
  int input_descriptor = 0;    // what "-" reads
};

// Names in folders and globs that were not taken.
struct SkippedNames {
  std::string what;  // ".txt", "no extension", "hidden", "no file" (FIFO, socket, device), "folder loop"
  std::size_t count = 0;
};

// What a job predicts, and what list_inputs() left out.
struct InputList {
  std::vector<std::string> paths;     // in the order of their rows, as given or joined to the given root
  std::vector<SkippedNames> skipped;  // most frequent first

  // Of all kinds together.
  std::size_t skipped_count() const {
    std::size_t sum = 0;
    for (const SkippedNames& names : skipped) sum += names.count;
    return sum;
  }
};

// Lists the inputs without opening one. Names in folders that begin with a dot are hidden and never taken; links to
// folders are followed, except back into a folder that holds them. A folder that cannot be read becomes an input, so
// that its row says why. Throws not_found for a path, glob or list that is not there, invalid_argument for "-" given
// twice.
PTRUN_API InputList list_inputs(const SourceOptions& options);

// A format that rows can have.
struct OutputFormatInfo {
  std::string name;       // "jsonl"
  std::string extension;  // ".jsonl"; empty: standard output only
};
// Every format of JobOptions::outputs and stdout_format. Any thread.
PTRUN_API std::vector<OutputFormatInfo> output_formats();

// How far a job is.
struct Progress {
  std::size_t done = 0;  // rows written
  std::size_t failed = 0;
  std::size_t total = 0;
  double seconds = 0;
};

// How a job runs and where its rows go.
struct JobOptions {
  std::size_t size = sizeof(JobOptions);
  PredictOptions predict;
  // Files to write; the format follows from the name. JSONL grows row by row, CSV gets its name when complete. A name
  // that ends with a slash is a folder, made where it is missing, for one PNG a photo of the class of each pixel
  // (semantic segmentation): 8 bits, palette, the index is the class; JSONL rows name it as "map".
  std::vector<std::string> outputs;
  // A format's name for rows that go to `write_stdout` too; empty: none.
  std::string stdout_format;
  // Called with whole rows from the thread that called run_job. What it throws ends the job and leaves run_job.
  std::function<void(const std::string& bytes)> write_stdout;
  std::size_t stdout_columns = 0;  // width of the terminal behind write_stdout, 0: no limit
  bool force = false;              // replace existing outputs
  // 0: never stop for failed images; N: stop after the row of the Nth.
  std::size_t stop_after_errors = 0;
  // At most 10 times a second and once at the end, from the thread that called run_job.
  std::function<void(const Progress&)> progress;
  // Set to true (a signal handler may): finish the rows in progress, write them and return.
  const std::atomic<bool>* cancel = nullptr;
};

// How a job ended.
struct JobSummary {
  std::size_t total = 0;
  std::size_t succeeded = 0;
  std::size_t failed = 0;
  bool cancelled = false;
  bool stopped_on_errors = false;
  double seconds = 0;  // from the first submit to the last row
  int batch_size = 0;
  int workers = 0;
  int threads_per_worker = 0;
  std::string plan;  // how the model was run: "plain", "cpu_onednn", "cpu_packed_bf16", "script"
  StageTimes times;
};

// Predicts `inputs` and writes one row for each, in order, until done, cancelled or stopped. Outputs are complete and
// durable when it returns, also after a cancel or stop, when CSV has the rows so far and is called NAME.partial. Throws
// output_failed when a result cannot be written (rows already written stay), and what check_outputs and Predictor
// throw.
PTRUN_API JobSummary run_job(const Model& model, const InputList& inputs, const JobOptions& options);

// Refuses, before any work, outputs that exist without `force`, have no folder, an unknown ending, or, where the task
// is known, a format that cannot hold it. Throws invalid_argument.
PTRUN_API void check_outputs(const JobOptions& options, std::optional<Task> task = std::nullopt);

// The task that `options.outputs` ask for: tensors where every file is of a format that holds raw outputs alone (NPZ)
// and nothing goes to standard output; else none. Throws invalid_argument for an unknown ending. Any thread.
PTRUN_API std::optional<Task> task_of_outputs(const JobOptions& options);

}  // namespace ptrun
