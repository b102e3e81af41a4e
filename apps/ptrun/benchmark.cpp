// ptrun benchmark: how fast a model runs here, alone and from image files to predictions.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <memory>
#include <mutex>

#include "benchmark_report.h"
#include "command.h"
#include "inputs.h"
#include "predict_options.h"
#include "ptrun/device.h"
#include "ptrun/model.h"
#include "ptrun/text.h"

namespace ptrun::tool {
namespace {

using Clock = std::chrono::steady_clock;

// A long job, so that its plans are measured; from 1000 on one would look for a warning's sake while we measure.
constexpr std::size_t kManyImages = 999;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

StageTimes minus(const StageTimes& a, const StageTimes& b) {
  return {a.plan - b.plan,   a.read - b.read, a.decode - b.decode, a.preprocess - b.preprocess,
          a.model - b.model, a.task - b.task};
}

// What the answers leave; shared with them, because the last one may still hold it when the wait for it is over.
struct Answers {
  std::mutex mutex;
  std::condition_variable all;
  std::vector<double> latencies;
  std::size_t failed = 0;
};

// `count` images, files taken in turn; returns when all are answered.
EndToEnd run(Predictor& predictor, const std::vector<std::string>& files, std::size_t count) {
  const auto answers = std::make_shared<Answers>();
  answers->latencies.reserve(count);
  const StageTimes before = predictor.times();
  const Clock::time_point start = Clock::now();
  for (std::size_t i = 0; i < count; ++i) {
    Input input;
    input.path = files[i % files.size()];
    predictor.submit(std::move(input), [answers, count, submitted = Clock::now()](Outcome&& outcome) {
      const std::lock_guard lock(answers->mutex);
      answers->latencies.push_back(seconds_since(submitted));
      if (!outcome.ok()) ++answers->failed;
      if (answers->latencies.size() == count) answers->all.notify_one();
    });
  }
  std::unique_lock lock(answers->mutex);
  answers->all.wait(lock, [&] { return answers->latencies.size() == count; });
  EndToEnd result;
  result.seconds = seconds_since(start);
  result.times = minus(predictor.times(), before);
  result.files = files.size();
  result.images = count;
  result.failed = answers->failed;
  result.latencies = answers->latencies;
  return result;
}

std::uint64_t peak_memory() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

BenchmarkReport measure(const Arguments& arguments, const InputList& inputs, const PredictOptions& options,
                        const LoadOptions& loading) {
  BenchmarkReport report;
  report.warm_up_calls = static_cast<int>(arguments.integer("num-warm-iter", 0, 1'000'000).value_or(10));
  report.calls = static_cast<int>(arguments.integer("num-bench-iter", 1, 1'000'000).value_or(40));
  report.precision = arguments.text("precision").value_or("fp32");

  Clock::time_point start = Clock::now();
  const Model model = load_model(arguments.words().front(), loading);
  report.load_seconds = seconds_since(start);
  refuse_unused_options(arguments, model.task());

  start = Clock::now();
  Predictor predictor(model, options);
  report.plan = predictor.plan();
  report.plan_seconds = seconds_since(start);
  report.model = model.path();
  report.kind = model.kind();
  report.architecture = model.architecture();
  report.device = to_string(parse_device(options.device));
  report.input_height = model.preset().values.input_height;
  report.input_width = model.preset().values.input_width;
  report.batch_size = predictor.batch_size();
  report.workers = predictor.workers();
  report.threads_per_worker = predictor.threads_per_worker();
  report.model_alone = predictor.time_model(report.warm_up_calls, report.calls);
  if (!inputs.paths.empty()) {
    const auto round = static_cast<std::size_t>(report.batch_size) * static_cast<std::size_t>(report.workers);
    const std::size_t warm_up = round * static_cast<std::size_t>(report.warm_up_calls);
    if (warm_up > 0) run(predictor, inputs.paths, warm_up);
    // Whole passes over the files: each weighs the same.
    const std::size_t wanted = round * static_cast<std::size_t>(report.calls);
    const std::size_t passes = (wanted + inputs.paths.size() - 1) / inputs.paths.size();
    report.end_to_end = run(predictor, inputs.paths, passes * inputs.paths.size());
  }
  report.peak_memory = peak_memory();
  return report;
}

}  // namespace

int run_benchmark(const Arguments& arguments, Console& console) {
  if (arguments.words().empty()) {
    throw UsageError("no model was given; usage: ptrun benchmark " + std::string(command_named("benchmark").usage));
  }
  PredictOptions options = exit_on_error(kUsage, [&] { return job_options(arguments); }).predict;
  LoadOptions loading = exit_on_error(kUsage, [&] { return load_options(arguments); });
  options.log = loading.log = console.log_callback();
  options.expected_images = kManyImages;
  const InputList inputs = arguments.words().size() > 1 ? image_list("benchmark", arguments, console) : InputList();
  exit_on_error(kNoDevice, [&] { return parse_device(options.device); });
  const BenchmarkReport report =
      exit_on_error(kModelFailed, [&] { return measure(arguments, inputs, options, loading); });

  const std::string json = benchmark_json(report);
  console.write_result(arguments.has("json") ? json : benchmark_text(report));
  if (const auto file = arguments.text("results-file")) {
    std::ofstream stream(*file, std::ios::binary | std::ios::trunc);
    stream << json;
    stream.close();
    if (!stream) throw Exit(kOutputFailed, printable(*file) + ": the results could not be written");
  }
  return report.end_to_end && report.end_to_end->failed > 0 ? kSomeFailed : kDone;
}

}  // namespace ptrun::tool
