// Outcome -> bytes. One file per format, in one table (output.cpp).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ptrun/prediction.h"

namespace ptrun {

struct Row {
  std::string path;  // as given or joined to the given root; may hold bytes that are not UTF-8
  Outcome outcome;
};

// Takes rows in order, from one thread. Throws output_failed.
class RowWriter {
 public:
  virtual ~RowWriter() = default;
  virtual void write(const Row& row) = 0;
  // Everything is written; a file gets its final name here (JSONL has it from the start).
  virtual void finish() = 0;
};

using ByteSink = std::function<void(std::string_view bytes)>;

struct OutputFormat {
  std::string_view name;       // "jsonl"
  std::string_view extension;  // ".jsonl"; empty: standard output only
  std::vector<Task> tasks;     // empty: every task
  bool atomic = true;          // written under a temporary name and renamed by finish()
  std::unique_ptr<RowWriter> (*make)(ByteSink sink, Task task, int topk);
};
const std::vector<OutputFormat>& output_format_table();

// By extension; throws invalid_argument naming the known ones with the nearest match.
const OutputFormat& output_format_for(std::string_view path);

// One JSONL row, schema 1, without the newline.
std::string to_json_row(const Row& row);

}  // namespace ptrun
