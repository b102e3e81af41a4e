// The public C++ interface with nothing behind it but a thread: what the C interface calls, without LibTorch.
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "ptrun/device.h"
#include "ptrun/error.h"
#include "ptrun/inspect.h"
#include "ptrun/predictor.h"

namespace ptrun {

struct Model::Impl {
  std::string path = "stub.pt";
  std::string kind = "stub";
  Labels labels{{"cat", "dog"}, "stub"};
  Signature signature;
  ResolvedPreset preset;
  std::vector<std::string> notes{"a note"};
};

Model::Model(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
const std::string& Model::path() const noexcept { return impl_->path; }
const std::string& Model::kind() const noexcept { return impl_->kind; }
const std::string& Model::architecture() const noexcept { return impl_->kind; }
Task Model::task() const noexcept { return Task::classify; }
const Signature& Model::signature() const noexcept { return impl_->signature; }
const Labels& Model::labels() const noexcept { return impl_->labels; }
const ResolvedPreset& Model::preset() const noexcept { return impl_->preset; }
std::int64_t Model::parameters() const noexcept { return 2; }
const std::vector<std::string>& Model::notes() const noexcept { return impl_->notes; }

const ModelTables& builtin_models() {
  static const ModelTables none;
  return none;
}

Model load_model(const std::string& path, const LoadOptions& options) {
  if (path.empty()) throw Error(ErrorCode::not_found, "''", "no such file");
  if (options.progress) options.progress({1, 2});
  if (options.log) options.log(LogLevel::info, path);
  return Model(std::make_shared<const Model::Impl>());
}

Inspection inspect(const std::string& path, const InspectOptions&) {
  if (path.empty()) throw Error(ErrorCode::not_found, "''", "no such file");
  return {};
}
std::string to_json(const Inspection&) { return "{}"; }
std::vector<DeviceInfo> devices() { return {{{}, "cpu", "stub"}}; }

struct Predictor::Impl {
  Impl(Model given, PredictOptions chosen)
      : model(std::move(given)), options(std::move(chosen)), thread([this] { run(); }) {}
  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      closed = true;
    }
    work.notify_all();
    thread.join();
  }
  void run() {
    for (std::unique_lock lock(mutex);;) {
      work.wait(lock, [&] { return closed || !queue.empty(); });
      if (queue.empty()) return;
      const Callback done = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      Outcome outcome;
      Prediction& prediction = outcome.prediction.emplace();
      prediction.classes = {{1, "dog", 0.75F}, {0, "cat", 0.25F}};
      prediction.detections.resize(2);
      prediction.detections[1].keypoints = {{1, 2, 0.5F}, {3, 4, 0.25F}};
      prediction.detections[1].mask = Mask{2, 2, "04"};
      for (Detection& detection : prediction.detections) detection.corners = {{0, -1}, {2, 0}, {1, 2}, {-1, 1}};
      prediction.segments = {{1, "dog", 3}, {0, "cat", 1}};
      prediction.segment_map = {1, 0, 1, 1};
      prediction.decoded_at = options.fast_decode ? 4 : 1;
      prediction.tensors = {{"t", DType::int64, {1}, std::vector<std::byte>(8)}};
      done(std::move(outcome));
      lock.lock();
    }
  }
  Model model;
  PredictOptions options;
  std::mutex mutex;
  std::condition_variable work;
  std::deque<Callback> queue;
  bool closed = false;
  std::thread thread;
};

Predictor::Predictor(const Model& model, const PredictOptions& options)
    : impl_(std::make_unique<Impl>(model, options)) {}
Predictor::~Predictor() = default;
void Predictor::predict_async(Input, Callback done, const Cancellation& cancellation) {
  if (cancellation.cancelled()) {
    Outcome outcome;
    outcome.cancelled = true;
    return done(std::move(outcome));
  }
  const std::lock_guard lock(impl_->mutex);
  impl_->queue.push_back(std::move(done));
  impl_->work.notify_one();
}
std::future<Outcome> Predictor::predict_async(Input input, const Cancellation& cancellation) {
  auto answer = std::make_shared<std::promise<Outcome>>();
  predict_async(
      std::move(input), [answer](Outcome&& outcome) { answer->set_value(std::move(outcome)); }, cancellation);
  return answer->get_future();
}
Outcome Predictor::predict(const Input& input) { return predict_async(input).get(); }
std::vector<Outcome> Predictor::predict(const std::vector<Input>& inputs) {
  std::vector<Outcome> outcomes;
  for (const Input& input : inputs) outcomes.push_back(predict(input));
  return outcomes;
}
void Predictor::cancel() {}
const char* Predictor::plan() const noexcept { return "stub"; }
int Predictor::batch_size() const noexcept { return 1; }
int Predictor::workers() const noexcept { return 1; }
int Predictor::threads_per_worker() const noexcept { return 1; }

}  // namespace ptrun
