#include "ptrun/calibrate.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <random>
#include <thread>

#include "core/output_file.h"
#include "core/signals.h"
#include "core/thread_plan.h"
#include "evaluate/compare.h"
#include "executor/batch.h"
#include "executor/folded.h"
#include "executor/openmp.h"
#include "executor/trial.h"
#include "loader/int8_ranges.h"
#include "ptrun/error.h"
#include "ptrun/torch.h"

namespace ptrun {
namespace {

// Of all values of a tensor, on each side.
constexpr double kOutside = 1e-4;
// Below it a comparison says little.
constexpr std::size_t kFewCompared = 32;
// What predict chooses for int8.
constexpr int kBatch = 4;
// A job this long pays for compiled plans.
constexpr std::size_t kManyImages = 999;

void check(const Model& model, const InputList& inputs, const std::string& file, const CalibrateOptions& options) {
  if (inputs.paths.size() < 2) {
    throw Error(ErrorCode::invalid_argument, "images",
                std::to_string(inputs.paths.size()) +
                    " were given, expected at least 2: some to calibrate with, others to compare on");
  }
  if (!std::holds_alternative<GraphModule>(model.impl().module)) {
    throw Error(ErrorCode::unsupported, model.path(),
                "is of the kind " + model.kind() + " and no single graph, whose layers could run in int8");
  }
  const Signature& signature = model.signature();
  const bool one_image = signature.form == InputForm::batched_nchw && signature.inputs.size() <= 1 &&
                         (signature.inputs.empty() || signature.inputs.front().dtype == DType::float32);
  if (!one_image) {
    throw Error(ErrorCode::unsupported, model.path(),
                "takes something else than one batch of float32 images, which int8 calibration needs");
  }
  if (!has_int8()) {
    throw Error(ErrorCode::unsupported, "precision int8",
                "this processor does not calculate in it (AVX512_VNNI); calibrate on the machine that will predict");
  }
  std::error_code unreadable;
  if (!options.force && std::filesystem::exists(file, unreadable)) {
    throw Error(ErrorCode::invalid_argument, file, "the ranges exist already; use --force to replace them");
  }
}

// The same on every machine, which std::shuffle does not promise.
std::vector<std::size_t> shuffled(std::size_t count, std::uint64_t seed) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937_64 random(seed);
  for (std::size_t i = count; i > 1; --i) std::swap(order[i - 1], order[random() % i]);
  return order;
}

class Calibration {
 public:
  Calibration(const Model& model, const InputList& inputs, const CalibrateOptions& options)
      : model_(model), inputs_(inputs), options_(options), images_(model, on_cpu()) {
    const std::size_t count = inputs.paths.size();
    order_ = shuffled(count, options.seed);
    const std::size_t held = std::min(options.held_out, std::max<std::size_t>(1, count / 4));
    ranged_ = std::min(options.images, count - held);
    total_ = ranged_ + held;
  }

  CalibrationSummary run() {
    const int threads = options_.threads > 0 ? options_.threads : usable_cpus();
    set_own_openmp_threads(threads);
    const c10::InferenceMode inference;
    ExecutorOptions plain;
    plain.batch_size = 1;
    const Executor reference(model_, plain);
    auto ranges = std::make_shared<Int8Ranges>(observe(reference.batch_size()));
    compare(ranges);
    set_own_openmp_threads(1);
    measure();
    ranges_ = std::move(ranges);
    return summary_;
  }

  std::string json() const { return int8_ranges_json(*ranges_); }

 private:
  static PredictOptions on_cpu() {
    PredictOptions options;
    options.device = "cpu";
    return options;
  }

  // The next batch of up to `size` images, without those that cannot be read; undefined at the end.
  at::Tensor next(std::size_t end, int size) {
    std::vector<at::Tensor> batch;
    while (next_ < end && batch.size() < static_cast<std::size_t>(size)) {
      if (options_.cancel != nullptr && *options_.cancel) {
        throw Error(ErrorCode::cancelled, model_.path(), "calibration was stopped; nothing was written");
      }
      Input input;
      input.path = inputs_.paths[order_[next_++]];
      try {
        batch.push_back(images_.prepare(input));
      } catch (const Error& error) {
        ++summary_.failed;
        say(LogLevel::warning, std::string(error.what()) + "; left out");
      }
      if (options_.progress) options_.progress(next_, total_);
    }
    return batch.empty() ? at::Tensor() : at::stack(batch);
  }

  Int8Ranges observe(int batch_size) {
    const Preset& preset = model_.preset().values;
    const GraphModule& module = std::get<GraphModule>(model_.impl().module);
    const at::Tensor example = example_batch({batch_size, 3, preset.input_height, preset.input_width});
    jit::RangeObserver observer(fold_for(module, {example}, true).graph);
    for (at::Tensor batch = next(ranged_, batch_size); batch.defined(); batch = next(ranged_, batch_size)) {
      summary_.images += static_cast<std::size_t>(batch.size(0));
      try {
        observer.add(channels_last({pad_batch(batch, batch_size)}, at::kFloat));
      } catch (const std::exception& error) {
        throw Error(ErrorCode::model_failed, model_.path(), std::string("the model failed: ") + error.what());
      }
    }
    if (summary_.images == 0) {
      throw Error(ErrorCode::bad_image, model_.path(),
                  "none of " + std::to_string(ranged_) + " images to calibrate with could be read");
    }
    const bool percentile = options_.method == RangeMethod::percentile;
    return {jit::fingerprint(*module.graph), percentile ? "percentile" : "minmax", summary_.images,
            percentile ? observer.percentiles(kOutside) : observer.extremes()};
  }

  std::unique_ptr<Executor> executor(Precision precision, std::shared_ptr<const Int8Ranges> ranges) const {
    const Preset& preset = model_.preset().values;
    ExecutorOptions chosen;
    chosen.precision = precision;
    chosen.batch_size = model_.signature().batchable ? kBatch : 1;
    chosen.height = preset.input_height;
    chosen.width = preset.input_width;
    chosen.images = kManyImages;
    chosen.ranges = std::move(ranges);
    chosen.log = options_.log;
    return std::make_unique<Executor>(model_, chosen);
  }

  void compare(const std::shared_ptr<const Int8Ranges>& ranges) {
    fp32_ = executor(Precision::fp32, nullptr);
    int8_ = executor(Precision::int8, ranges);
    summary_.plan = int8_->plan_name();
    if (summary_.plan.rfind("cpu_int8", 0) != 0) {
      throw Error(ErrorCode::unsupported, model_.path(),
                  "gives no usable numbers in int8: none of its layers can run so, or they lose too much (--verbose "
                  "says which); use --precision bf16 or fp32");
    }
    summary_.classifier = model_.task() == Task::classify;
    next_ = ranged_;
    const int size = int8_->batch_size();
    for (at::Tensor batch = next(total_, size); batch.defined(); batch = next(total_, size)) {
      evaluate::compare_results(fp32_->run(batch), int8_->run(batch), static_cast<std::size_t>(batch.size(0)),
                                summary_);
    }
    if (summary_.compared < kFewCompared) {
      say(LogLevel::warning, "int8 was compared with fp32 on " + std::to_string(summary_.compared) +
                                 (summary_.compared == 1 ? " image" : " images") +
                                 " only; more photos say more about accuracy");
    }
  }

  void measure() {
    const Preset& preset = model_.preset().values;
    const std::unique_ptr<Executor> bf16 = has_bf16() ? executor(Precision::bf16, nullptr) : nullptr;
    std::vector<const Executor*> executors = {fp32_.get(), int8_.get()};
    if (bf16) executors.push_back(bf16.get());
    const std::vector<double> found = evaluate::rates(executors, preset.input_height, preset.input_width);
    summary_.batch_size = int8_->batch_size();
    summary_.fp32_rate = found[0];
    summary_.int8_rate = found[1];
    summary_.bf16_rate = bf16 ? found[2] : 0;
  }

  void say(LogLevel level, const std::string& text) const {
    if (options_.log) options_.log(level, text);
  }

  const Model& model_;
  const InputList& inputs_;
  const CalibrateOptions& options_;
  TensorRunner images_;
  std::vector<std::size_t> order_;
  std::size_t ranged_ = 0;  // the first of order_ give the ranges, those up to total_ are compared
  std::size_t total_ = 0;
  std::size_t next_ = 0;
  std::shared_ptr<const Int8Ranges> ranges_;
  std::unique_ptr<Executor> fp32_;
  std::unique_ptr<Executor> int8_;
  CalibrationSummary summary_;
};

}  // namespace

CalibrationSummary calibrate_model(const Model& model, const InputList& inputs, const CalibrateOptions& options) {
  const std::string file = int8_ranges_path(model);
  check(model, inputs, file, options);
  OutputFile output(file, true, options.force);
  CalibrationSummary summary;
  std::exception_ptr failure;
  // A thread of its own, whose number of OpenMP threads is nobody else's.
  std::thread work([&] {
    leave_signals_to_the_host();
    try {
      Calibration calibration(model, inputs, options);
      summary = calibration.run();
      output.write(calibration.json());
    } catch (...) {
      failure = std::current_exception();
    }
  });
  work.join();
  if (failure) std::rethrow_exception(failure);
  output.commit();
  summary.file = file;
  return summary;
}

}  // namespace ptrun
