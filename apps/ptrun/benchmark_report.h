// What ptrun benchmark measured, as text and JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ptrun/predictor.h"

namespace ptrun::tool {

// Images from files to predictions, in the warm state.
struct EndToEnd {
  std::size_t files = 0;
  std::size_t images = 0;  // predicted; files are taken again until there are enough
  std::size_t failed = 0;
  double seconds = 0;
  std::vector<double> latencies;  // seconds from submitting an image to its answer, under full load
  StageTimes times;               // of these images, all workers
};

struct BenchmarkReport {
  std::string model;  // path
  std::string kind;
  std::string architecture;  // may be empty
  std::string device;
  std::string precision;
  std::string plan;
  int input_height = 0;
  int input_width = 0;
  int batch_size = 0;
  int workers = 0;
  int threads_per_worker = 0;
  double load_seconds = 0;  // the model file
  double plan_seconds = 0;  // until the plan was decided
  int warm_up_calls = 0;
  int calls = 0;  // of each worker
  ModelTimes model_alone;
  std::optional<EndToEnd> end_to_end;
  std::uint64_t peak_memory = 0;  // bytes of the process
};

// The value that `share` (0..1) of `values` do not exceed; 0 for none.
double percentile(std::vector<double> values, double share);

std::string benchmark_text(const BenchmarkReport& report);
// One object, "v": 1; see docs/benchmark.md.
std::string benchmark_json(const BenchmarkReport& report);

}  // namespace ptrun::tool
