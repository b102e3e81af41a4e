// Runs one model over images. See model.h for loading, job.h for folders of files.
#pragma once

#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "ptrun/cancellation.h"
#include "ptrun/device.h"
#include "ptrun/export.h"
#include "ptrun/model.h"
#include "ptrun/prediction.h"

namespace ptrun {

// What turns the scores of a classifier into probabilities; automatic: what the model needs.
enum class Activation { automatic, softmax, sigmoid, none };
// Number format of the model's arithmetic.
enum class Precision { fp32, automatic, bf16, fp16, int8 };

// How a Predictor runs its model.
struct PredictOptions {
  std::size_t size = sizeof(PredictOptions);
  std::string device = "auto";
  // fp32: Python's numbers. bf16 calculates in bfloat16 (weights and activations; results differ by 0.5 to 2 % of their
  // range, with a warning and in fp32 where by more than 15 %; refused on CPUs without AVX512_BF16). automatic: for a
  // few hundred images or more, bf16 where the CPU has it and its numbers on a made-up batch lie within 5 % of fp32's
  // range; else fp32. int8 needs the ranges that ptrun/calibrate.h finds; refused without them and on CPUs without
  // AVX512_VNNI.
  Precision precision = Precision::fp32;
  // Images a model call; 0: chosen from `expected_images` and the model, never from `workers`. A smaller batch is
  // padded, so that an image's numbers depend neither on the images beside it nor on the number of workers.
  int batch_size = 0;
  int workers = 0;                  // threads that decode and run; 0: from the CPUs this process may use
  int threads_per_worker = 0;       // OpenMP threads of one model call; 0: chosen with workers
  std::size_t expected_images = 0;  // a hint: 0 unknown, 1 gives the lowest latency
  int topk = 5;                     // classes a prediction lists
  Activation activation = Activation::automatic;
  float confidence = 0.25F;  // detections below are dropped
  float iou = 0.7F;          // NMS threshold
  int max_detections = 300;
  // JPEGs are decoded at a half, a quarter or an eighth of their size where that is at least twice the size that they
  // are resized to (Pillow's draft() with a reducing_gap of 2): faster, other pixels. Prediction::decoded_at
  // says so.
  bool fast_decode = false;
  std::uint64_t max_image_pixels = 100'000'000;  // a larger image is refused from its header
  std::uint64_t max_image_bytes = 1ULL << 30U;   // of an encoded file
  LogCallback log;
};

// Pixels that the caller owns until the call or callback that uses them has returned.
struct ImageView {
  // Order of the bytes of a pixel; alpha is ignored.
  enum class Format { rgb, bgr, rgba, bgra, gray };
  const unsigned char* data = nullptr;
  int width = 0;
  int height = 0;
  std::size_t stride = 0;  // bytes from row to row; 0: rows follow without a gap
  Format format = Format::rgb;
};

// One image to predict: exactly one of the three.
struct Input {
  std::string path;                          // a file to read
  std::shared_ptr<const std::string> bytes;  // an encoded image in memory
  ImageView pixels;
  std::string name;  // used in messages where path is empty
};

// Extensions of the image files that this build decodes, lower case with the dot. Any thread.
PTRUN_API std::vector<std::string> image_extensions();

// Where the time went, summed over all workers, seconds.
struct StageTimes {
  double plan = 0;  // waiting until the way to run the model was decided on
  double read = 0;
  double decode = 0;
  double preprocess = 0;
  double model = 0;
  double task = 0;
};

// Calls of the model alone.
struct ModelTimes {
  std::vector<double> calls;  // seconds of each, all workers
  std::size_t images = 0;     // in all of them
  double seconds = 0;         // from the first call's start to the last one's end
};

// Any thread may call any method. Owns its worker threads; the destructor waits for the work in progress
// and answers what is still queued with a cancelled failure. Each worker takes one image from reading to its place in
// a batch after the other, and runs the model when the batch is full or nothing is queued. Thread counts of other
// threads (OpenMP, LibTorch) stay as they are.
class PTRUN_API Predictor {
 public:
  // Throws device_unavailable, or invalid_argument for options that the model cannot meet.
  explicit Predictor(const Model& model, const PredictOptions& options = {});
  ~Predictor();
  Predictor(const Predictor&) = delete;
  Predictor& operator=(const Predictor&) = delete;

  // Blocks until the answer is there. A bad image is a Failure, a failing model too; never throws for them.
  Outcome predict(const Input& input);
  // One outcome per input, in order.
  std::vector<Outcome> predict(const std::vector<Input>& inputs);

  using Callback = std::function<void(Outcome&&)>;  // Takes the answer.
  // Queues `input` and returns; blocks while the queue is full (back-pressure). `done` is called exactly once,
  // in completion order, from a worker thread or, for what is cancelled, from the thread that cancels or destroys; it
  // must not throw and must not call this predictor's predict().
  void submit(Input input, Callback done);
  // The same for one image that can be called off: an image that no worker has begun when cancel() is called is
  // answered with a cancelled outcome, by the worker that comes to it; one that is begun gets its answer.
  void predict_async(Input input, Callback done, const Cancellation& cancellation);
  // The answer as a future, which always gets one; its destructor does not wait.
  std::future<Outcome> predict_async(Input input, const Cancellation& cancellation = {});
  // Queued inputs that have not been started are answered with a cancelled failure.
  void cancel();

  const Model& model() const noexcept;      // The model that it runs.
  int batch_size() const noexcept;          // Images a model call.
  int workers() const noexcept;             // Threads.
  int threads_per_worker() const noexcept;  // OpenMP threads of a model call.
  // How the model is run: "plain", "cpu_onednn", "cpu_packed_bf16", "script", ... Waits until that is decided, up to
  // seconds for many images.
  const char* plan() const noexcept;
  StageTimes times() const;  // Of all images so far.

  // Runs the model on made-up images of its input size with the plan, batch size and threads of this predictor: on
  // workers() threads at once, `calls` times each (1 or more) after `warm_up` calls (0 or more) that are not counted.
  // Blocks; images that are predicted meanwhile disturb it. Throws invalid_argument, model_failed.
  ModelTimes time_model(int warm_up, int calls) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ptrun
