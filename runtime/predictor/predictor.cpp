#include "ptrun/predictor.h"

#include <algorithm>
#include <future>
#include <system_error>
#include <thread>
#include <utility>

#include "core/text.h"
#include "core/thread_plan.h"
#include "executor/executor.h"
#include "image/image.h"
#include "predictor/queue.h"
#include "predictor/time_model.h"
#include "predictor/worker.h"
#include "preprocess/preprocess.h"
#include "ptrun/error.h"
#include "task/task.h"

namespace ptrun {
namespace {

// From this many images on a batch is worth filling; fewer get their answers sooner one by one.
constexpr std::size_t kManyImages = 32;
// Processor time of an image at batch 1, 2, 4 and 8, one thread: compiled in fp32 MobileNetV3-L takes 3.8, 3.2, 3.2 and
// 2.9 ms, ResNet-50 35.0, 33.2, 34.1 and 35.9; in bf16 2.1, 1.9, 1.7 and 1.6, 17.9, 17.3, 16.9 and 17.1. Where AMX
// multiplies float32 too, ViT-B/16 takes 210, 179 and 170 ms at 2, 4 and 8, in bf16 43, 42 and 48. Small batches waste
// least on the padded tail and hold least memory.
constexpr int kThroughputBatch = 4;
constexpr int kLargestBatch = 4096;
constexpr int kMostWorkers = 1024;
constexpr double kLargestSlots = 8.0 * (1ULL << 30U);  // bytes of input tensors, all workers together

void check_range(const char* field, long long value, long long first, long long last) {
  if (value >= first && value <= last) return;
  throw Error(ErrorCode::invalid_argument, field,
              std::to_string(value) + " was given, expected " + std::to_string(first) + " to " + std::to_string(last));
}

const PredictOptions& checked(const PredictOptions& options) {
  check_range("batch_size", options.batch_size, 0, kLargestBatch);
  check_range("workers", options.workers, 0, kMostWorkers);
  check_range("threads_per_worker", options.threads_per_worker, 0, kMostWorkers);
  check_range("topk", options.topk, 1, 1'000'000);
  check_range("max_detections", options.max_detections, 1, 1'000'000);
  return options;
}

// Depends on the model and the number of images only, so that the same job gives the same bytes with any workers.
int choose_batch_size(const Model& model, const PredictOptions& options) {
  const Signature& signature = model.signature();
  if (signature.form == InputForm::list_chw || input_size_varies(model.preset().values)) return 1;
  if (!signature.batchable) {
    if (options.batch_size > 1) {
      throw Error(
          ErrorCode::invalid_argument, "batch_size",
          std::to_string(options.batch_size) + " was given, expected 1: this model's batch is fixed to one image");
    }
    return 1;
  }
  // More places than images would only be padding.
  if (options.batch_size > 0 && options.expected_images > 0) {
    return static_cast<int>(std::min(static_cast<std::size_t>(options.batch_size), options.expected_images));
  }
  if (options.batch_size > 0) return options.batch_size;
  if (options.expected_images < kManyImages) return 1;
  return kThroughputBatch;
}

// A fixed input size that preprocessing does not make would fail every image.
void check_input_size(const Model& model) {
  const Signature& signature = model.signature();
  if (signature.form != InputForm::batched_nchw || signature.inputs.empty()) return;
  const std::vector<Dimension>& dimensions = signature.inputs.front().dimensions;
  if (dimensions.size() != 4) return;
  const Preset& preset = model.preset().values;
  const auto fits = [](const Dimension& dimension, int size) { return dimension.size < 0 || dimension.size == size; };
  const auto shown = [](std::int64_t size) { return size < 0 ? std::string("any") : std::to_string(size); };
  if (input_size_varies(preset)) {
    if (dimensions[2].size < 0 && dimensions[3].size < 0) return;
    throw Error(ErrorCode::invalid_argument, "crop_mode",
                "none was chosen, which gives each image its own input size, the model takes " +
                    shown(dimensions[2].size) + "x" + shown(dimensions[3].size) +
                    " alone; use --resize-mode stretch or letterbox");
  }
  if (fits(dimensions[2], preset.input_height) && fits(dimensions[3], preset.input_width)) return;
  throw Error(ErrorCode::invalid_argument, "input_size",
              std::to_string(preset.input_height) + "x" + std::to_string(preset.input_width) +
                  " was chosen, the model takes " + shown(dimensions[2].size) + "x" + shown(dimensions[3].size) +
                  "; set --input-size");
}

}  // namespace

std::vector<std::string> image_extensions() {
  const std::vector<std::string_view> known = image::known_extensions();
  return {known.begin(), known.end()};
}

struct Predictor::Impl {
  Impl(const Model& given_model, const PredictOptions& given_options)
      : model(given_model),
        options(checked(given_options)),
        plan(plan_threads({usable_cpus(), options.expected_images, options.workers, options.threads_per_worker})),
        executor(model, executor_options(model, options, plan)),
        head(make_task(model, options)),
        queue(2 * static_cast<std::size_t>(plan.workers) * static_cast<std::size_t>(executor.batch_size())),
        shared{model, options, executor, *head, queue, plan.threads_per_worker, {}, {}} {
    threads.reserve(static_cast<std::size_t>(plan.workers));
    try {
      for (int i = 0; i < plan.workers; ++i) threads.emplace_back(run_worker, std::ref(shared));
    } catch (const std::system_error& error) {
      stop();
      throw Error(ErrorCode::limit_exceeded, "workers",
                  std::to_string(threads.size()) + " of " + std::to_string(plan.workers) +
                      " threads could be started: " + error.what() + "; use fewer workers");
    }
  }

  ~Impl() {
    answer_queued();
    stop();
  }

  // The inputs of all workers, before a plan is compiled for one of them or a thread allocates its own.
  static void check_slots(const Model& model, int batch_size, int workers) {
    if (model.signature().form == InputForm::list_chw) return;
    const Preset& preset = model.preset().values;
    const double bytes = 3.0 * sizeof(float) * preset.input_height * preset.input_width * batch_size * workers;
    if (bytes <= kLargestSlots) return;
    throw Error(ErrorCode::invalid_argument, "batch_size",
                std::to_string(workers) + " workers with batches of " + std::to_string(batch_size) +
                    " images of this size take " + human_bytes(static_cast<std::uint64_t>(bytes)) + ", the limit is " +
                    human_bytes(static_cast<std::uint64_t>(kLargestSlots)) +
                    "; use a smaller batch, input size or fewer workers");
  }

  static ExecutorOptions executor_options(const Model& model, const PredictOptions& options, const ThreadPlan& plan) {
    if (!model.signature().preprocesses_itself) check_preset(model.preset().values);
    check_input_size(model);
    if (model.signature().form == InputForm::named) {
      throw Error(ErrorCode::unsupported, model.path(),
                  "the model takes several inputs by name, expected one image; export it with a single image input");
    }
    ExecutorOptions chosen;
    chosen.device = parse_device(options.device);
    if (options.device == "auto") chosen.device = fit_device(model, chosen.device, options.log);
    chosen.precision = options.precision;
    chosen.batch_size = choose_batch_size(model, options);
    check_slots(model, chosen.batch_size, plan.workers);
    chosen.threads = plan.threads_per_worker;
    if (!input_size_varies(model.preset().values)) {
      chosen.height = model.preset().values.input_height;
      chosen.width = model.preset().values.input_width;
    }
    chosen.images = options.expected_images;
    chosen.log = options.log;
    return chosen;
  }

  void answer_queued() {
    for (Request& request : queue.take_all()) request.done(cancelled_outcome());
  }

  void stop() {
    queue.close();
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }

  const Model model;
  const PredictOptions options;
  const ThreadPlan plan;
  const Executor executor;
  const std::unique_ptr<TaskHead> head;
  RequestQueue queue;
  WorkerShared shared;
  std::vector<std::thread> threads;
};

Predictor::Predictor(const Model& model, const PredictOptions& options)
    : impl_(std::make_unique<Impl>(model, options)) {}
Predictor::~Predictor() = default;

void Predictor::submit(Input input, Callback done) {
  Request request{std::move(input), std::move(done), std::nullopt};
  if (!impl_->queue.push(request)) request.done(cancelled_outcome());
}

void Predictor::predict_async(Input input, Callback done, const Cancellation& cancellation) {
  Request request{std::move(input), std::move(done), cancellation};
  if (!impl_->queue.push(request)) request.done(cancelled_outcome());
}

std::future<Outcome> Predictor::predict_async(Input input, const Cancellation& cancellation) {
  // A callback has to be copyable, a promise is not.
  auto answer = std::make_shared<std::promise<Outcome>>();
  std::future<Outcome> future = answer->get_future();
  predict_async(
      std::move(input), [answer](Outcome&& outcome) { answer->set_value(std::move(outcome)); }, cancellation);
  return future;
}

Outcome Predictor::predict(const Input& input) {
  std::promise<Outcome> answer;
  submit(input, [&answer](Outcome&& outcome) { answer.set_value(std::move(outcome)); });
  return answer.get_future().get();
}

std::vector<Outcome> Predictor::predict(const std::vector<Input>& inputs) {
  std::vector<std::promise<Outcome>> answers(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    submit(inputs[i], [&answer = answers[i]](Outcome&& outcome) { answer.set_value(std::move(outcome)); });
  }
  std::vector<Outcome> outcomes;
  outcomes.reserve(answers.size());
  for (std::promise<Outcome>& answer : answers) outcomes.push_back(answer.get_future().get());
  return outcomes;
}

void Predictor::cancel() { impl_->answer_queued(); }

const Model& Predictor::model() const noexcept { return impl_->model; }
int Predictor::batch_size() const noexcept { return impl_->executor.batch_size(); }
int Predictor::workers() const noexcept { return impl_->plan.workers; }
int Predictor::threads_per_worker() const noexcept { return impl_->plan.threads_per_worker; }
const char* Predictor::plan() const noexcept { return impl_->executor.plan_name(); }

StageTimes Predictor::times() const {
  const std::lock_guard lock(impl_->shared.times_mutex);
  return impl_->shared.times;
}

ModelTimes Predictor::time_model(int warm_up, int calls) const {
  check_range("warm_up", warm_up, 0, 1'000'000);
  check_range("calls", calls, 1, 1'000'000);
  return ptrun::time_model(
      {impl_->model, impl_->executor, impl_->plan.workers, impl_->plan.threads_per_worker, warm_up, calls});
}

}  // namespace ptrun
