#include "predictor/worker.h"

#include <ATen/ATen.h>
#include <ATen/core/ivalue.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "core/signals.h"
#include "executor/executor.h"
#include "executor/openmp.h"
#include "image/image.h"
#include "predictor/input.h"
#include "preprocess/preprocess.h"
#include "ptrun/error.h"
#include "task/task.h"

namespace ptrun {
namespace {

using Clock = std::chrono::steady_clock;

// Adds the time since the last lap to a stage.
class StopWatch {
 public:
  void lap(double& stage) {
    const Clock::time_point now = Clock::now();
    stage += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }
  void restart() { last_ = Clock::now(); }

 private:
  Clock::time_point last_ = Clock::now();
};

class Worker {
 public:
  explicit Worker(WorkerShared& shared)
      : shared_(shared),
        preset_(shared.model.preset().values),
        as_list_(shared.model.signature().form == InputForm::list_chw),
        varies_(!as_list_ && input_size_varies(preset_)),
        capacity_(as_list_ || varies_ ? 1 : static_cast<std::size_t>(shared.executor.batch_size())),
        decode_options_(decode_options(shared.options, preset_)) {
    if (as_list_) decode_options_.reduction = nullptr;  // the model resizes inside, from the whole picture
    if (as_list_ || varies_) {
      decode_options_.region = nullptr;
    } else {
      decode_options_.sink = &rows_;
    }
    waiting_.reserve(capacity_);
    outcomes_.reserve(capacity_);
    if (!as_list_ && !varies_) {
      slot_ =
          at::empty({static_cast<std::int64_t>(capacity_), 3, preset_.input_height, preset_.input_width}, at::kFloat);
    }
  }

  void run() {
    while (std::optional<Request> request = shared_.queue.pop()) {
      begin(std::move(*request));
      while (waiting_.size() < capacity_) {
        request = shared_.queue.try_pop();
        if (!request) break;
        begin(std::move(*request));
      }
      finish_batch();
    }
  }

 private:
  // An image in the batch, waiting for the model.
  struct Waiting {
    Predictor::Callback done;
    std::string subject;
  };

  // From bytes to a row of the batch; a failure is answered at once and takes no place.
  void begin(Request request) {
    if (request.cancellation && request.cancellation->cancelled()) {
      request.done(cancelled_outcome());
      return;
    }
    Stage stage = Stage::read;
    std::string subject = subject_of(request.input);
    std::string problem;
    watch_.restart();
    try {
      Outcome outcome;
      Prediction& prediction = outcome.prediction.emplace();
      decode(request.input, subject, stage);
      stage = Stage::preprocess;
      prediction.geometry = preprocess_into(waiting_.size());
      watch_.lap(times_.preprocess);
      prediction.task = shared_.model.task();
      prediction.exif_orientation = pixels_.exif_orientation;
      prediction.mode = pixels_.mode;
      prediction.decoded_at = pixels_.reduced;
      outcomes_.push_back(std::move(outcome));
      waiting_.push_back({std::move(request.done), std::move(subject)});
      return;
    } catch (const Error& error) {
      problem = error.subject().empty() ? subject + ": " + error.problem() : error.what();
    } catch (const std::bad_alloc&) {
      problem = subject + ": not enough memory for this image; use fewer workers or a smaller image";
    } catch (const std::exception& error) {
      problem = subject + ": " + error.what();
    }
    fail(request.done, stage, std::move(problem));
  }

  void decode(const Input& input, const std::string& subject, Stage& stage) {
    const std::string_view bytes = encoded_bytes(input, subject, shared_.options.max_image_bytes, file_);
    watch_.lap(times_.read);
    stage = Stage::decode;
    decode_input(input, bytes, subject, decode_options_, pixels_);
    watch_.lap(times_.decode);
    const double resizing = rows_.take_seconds();
    times_.decode -= resizing;
    times_.preprocess += resizing;
  }

  Geometry preprocess_into(std::size_t place) {
    if (as_list_) {
      at::Tensor image = at::empty({3, pixels_.height, pixels_.width}, at::kFloat);
      const Geometry geometry = to_unit_chw(pixels_, preset_, image.mutable_data_ptr<float>());
      images_.assign(1, std::move(image));
      return geometry;
    }
    if (varies_) {
      const Preset own = preset_for(pixels_.width, pixels_.height, preset_);
      slot_ = at::empty({1, 3, own.input_height, own.input_width}, at::kFloat);
      return preprocess(pixels_, own, scratch_, slot_.mutable_data_ptr<float>());
    }
    const std::size_t values =
        3 * static_cast<std::size_t>(preset_.input_height) * static_cast<std::size_t>(preset_.input_width);
    return preprocess(pixels_, preset_, scratch_, slot_.mutable_data_ptr<float>() + place * values);
  }

  void finish_batch() {
    if (!waiting_.empty()) {
      watch_.restart();
      shared_.executor.plan_name();  // deciding on it is not the model's time
      watch_.lap(times_.plan);
      try {
        run_model(0, waiting_.size(), outcomes_);
      } catch (...) {
        // One image may have made the model throw; alone, each gets its own answer.
        for (std::size_t i = 0; i < waiting_.size(); ++i) run_alone(i);
      }
    }
    // Before the answers, so that whoever has them all finds all of the time.
    {
      const std::lock_guard lock(shared_.times_mutex);
      shared_.times.plan += times_.plan;
      shared_.times.read += times_.read;
      shared_.times.decode += times_.decode;
      shared_.times.preprocess += times_.preprocess;
      shared_.times.model += times_.model;
      shared_.times.task += times_.task;
      times_ = {};
    }
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
      Outcome& outcome = outcomes_[i];
      // The task names the model, the row is about the image.
      if (!outcome.ok()) outcome.failure.message = waiting_[i].subject + ": " + outcome.failure.message;
      waiting_[i].done(std::move(outcome));
    }
    waiting_.clear();
    outcomes_.clear();
  }

  // Images first ... first + count of the batch through the model; `outcomes` are theirs.
  void run_model(std::size_t first, std::size_t count, std::vector<Outcome>& outcomes) {
    const c10::IValue output =
        as_list_
            ? shared_.executor.run_list(images_)
            : shared_.executor.run(slot_.narrow(0, static_cast<std::int64_t>(first), static_cast<std::int64_t>(count)));
    watch_.lap(times_.model);
    shared_.head.read(output, outcomes);
    watch_.lap(times_.task);
  }

  void run_alone(std::size_t place) {
    std::string problem;
    if (!outcomes_[place].ok()) return;  // the head had refused this image before it threw
    try {
      // A head that threw may have left half an answer.
      std::vector<Outcome> alone(1);
      Prediction& prediction = alone[0].prediction.emplace();
      const Prediction& prepared = *outcomes_[place].prediction;
      prediction.task = prepared.task;
      prediction.geometry = prepared.geometry;
      prediction.exif_orientation = prepared.exif_orientation;
      prediction.mode = prepared.mode;
      prediction.decoded_at = prepared.decoded_at;
      run_model(place, 1, alone);
      outcomes_[place] = std::move(alone[0]);
      return;
    } catch (const std::bad_alloc&) {
      problem = "not enough memory to run the model; use fewer workers";
    } catch (const std::exception& error) {
      problem = error.what();
    }
    Outcome failed;
    failed.failure = {Stage::model, std::move(problem)};
    outcomes_[place] = std::move(failed);
  }

  static void fail(const Predictor::Callback& done, Stage stage, std::string message) {
    Outcome outcome;
    outcome.failure = {stage, std::move(message)};
    done(std::move(outcome));
  }

  WorkerShared& shared_;
  const Preset& preset_;
  const bool as_list_;
  const bool varies_;           // each image has an input of its own size
  const std::size_t capacity_;  // images of one batch
  image::DecodeOptions decode_options_;
  std::vector<char> file_;
  image::Pixels pixels_;
  PreprocessScratch scratch_;
  PreprocessRows rows_{preset_, scratch_};
  at::Tensor slot_;                 // [capacity, 3, H, W] float32; made for each image where sizes vary
  std::vector<at::Tensor> images_;  // list_chw: one [3, H, W] float32
  std::vector<Waiting> waiting_;    // images in the batch
  std::vector<Outcome> outcomes_;   // theirs
  StageTimes times_;
  StopWatch watch_;
};

}  // namespace

void run_worker(WorkerShared& shared) {
  leave_signals_to_the_host();
  set_own_openmp_threads(shared.threads_per_worker);
  const c10::InferenceMode inference;
  std::string problem;
  try {
    Worker(shared).run();
    return;
  } catch (const std::exception& error) {
    problem = std::string("the worker could not go on: ") + error.what();
  }
  // Nobody waits for ever, and no exception leaves the thread.
  while (std::optional<Request> request = shared.queue.pop()) {
    Outcome outcome;
    outcome.failure = {Stage::model, subject_of(request->input) + ": " + problem};
    request->done(std::move(outcome));
  }
}

}  // namespace ptrun
