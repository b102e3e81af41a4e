// Outcome -> bytes. One file per format, in one table (output.cpp).
#pragma once

#include <cstddef>
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
  std::string picture;  // the file that holds the class map; empty: none was written
};

// Takes rows in order, from one thread. Throws output_failed, and what the sink throws.
class RowWriter {
 public:
  virtual ~RowWriter() = default;
  virtual void write(const Row& row) = 0;
  // No row follows.
  virtual void finish() = 0;
};

// Takes whole rows; throws output_failed when they cannot be kept.
using ByteSink = std::function<void(std::string_view bytes)>;

// What a writer has to know before the first row.
struct OutputContext {
  Task task = Task::classify;
  int topk = 5;                  // classes that a row lists at most
  bool logits = false;           // scores are logits
  std::size_t path_columns = 0;  // display width of the longest path, 0: unknown; aligns the table
  std::size_t line_columns = 0;  // display width of a terminal line, 0: no limit; the table ends there
};

struct OutputFormat {
  std::string_view name;       // "jsonl"
  std::string_view extension;  // ".jsonl"; empty: standard output only
  std::vector<Task> tasks;     // empty: every task
  bool atomic = true;          // a file is written under a temporary name and renamed when complete
  std::unique_ptr<RowWriter> (*make)(ByteSink sink, const OutputContext& context);
};
const std::vector<OutputFormat>& output_format_table();

// By extension, in any case; throws invalid_argument naming the known ones with the nearest match.
const OutputFormat& output_format_for(std::string_view path);
// By name; throws invalid_argument naming the known ones.
const OutputFormat& output_format_named(std::string_view name);
bool fits(const OutputFormat& format, Task task);

// The formats, one file each.
std::unique_ptr<RowWriter> make_jsonl_writer(ByteSink sink, const OutputContext& context);
std::unique_ptr<RowWriter> make_csv_writer(ByteSink sink, const OutputContext& context);
std::unique_ptr<RowWriter> make_npz_writer(ByteSink sink, const OutputContext& context);
std::unique_ptr<RowWriter> make_table_writer(ByteSink sink, const OutputContext& context);

// One JSONL row, schema 1, without the newline.
std::string to_json_row(const Row& row);

}  // namespace ptrun
