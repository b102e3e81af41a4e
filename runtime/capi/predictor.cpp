#include "ptrun/predictor.h"

#include <condition_variable>
#include <memory>
#include <mutex>

#include "capi/model.h"
#include "capi/options.h"
#include "capi/result.h"

namespace ptrun::capi {
namespace {

// Freed only when no call uses it: the last user may be a thread of the predictor, which cannot wait for itself.
struct PredictorHandle : Handle {
  static constexpr HandleKind kKind = HandleKind::predictor;
  PredictorHandle(const Model& model, const PredictOptions& options)
      : Handle(kKind), predictor(std::make_unique<Predictor>(model, options)) {}

  void close() {
    predictor->cancel();  // makes room for calls that wait for it
    {
      std::unique_lock lock(mutex);
      closed = true;
      idle.wait(lock, [&] { return users == 0; });
    }
    predictor.reset();
  }

  std::unique_ptr<Predictor> predictor;
  std::mutex mutex;
  std::condition_variable idle;
  int users = 0;
  bool closed = false;
};

// A call that uses a predictor.
class Use {
 public:
  explicit Use(const ptrun_predictor* handle) : handle_(find<PredictorHandle>(handle)) {
    const std::lock_guard lock(handle_->mutex);
    if (handle_->closed) refuse("predictor handle", "is being freed by another thread, expected one that stays");
    ++handle_->users;
  }
  ~Use() {
    const std::lock_guard lock(handle_->mutex);
    if (--handle_->users == 0) handle_->idle.notify_all();
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  Predictor* operator->() const { return handle_->predictor.get(); }

 private:
  std::shared_ptr<PredictorHandle> handle_;
};

// The predictor whose callback the thread is in.
thread_local const void* calling_back = nullptr;

class CallingBack {
 public:
  explicit CallingBack(const void* handle) : before_(calling_back) { calling_back = handle; }
  ~CallingBack() { calling_back = before_; }
  CallingBack(const CallingBack&) = delete;
  CallingBack& operator=(const CallingBack&) = delete;

 private:
  const void* before_;
};

void require_outside_callback(const ptrun_predictor* predictor) {
  if (predictor == nullptr || predictor != calling_back) return;
  refuse("predictor handle",
         "is used in its own callback, where this call would wait for itself; call from another thread");
}

ptrun_status predict_one(ptrun_predictor* predictor, const ptrun_input* given, ptrun_result** out) {
  Outcome outcome;
  const ptrun_status status = guarded([&] {
    require(out, "out");
    require(given, "ptrun_input");
    require_outside_callback(predictor);
    const Use use(predictor);
    outcome = use->predict(input(*given));
    if (outcome.ok()) *out = made_result(std::move(outcome));
  });
  if (status != PTRUN_OK || outcome.ok()) return status;
  return fail(status_of(outcome), outcome.failure.message.c_str());
}

ptrun_input empty_input() {
  ptrun_input given{};
  given.size = sizeof(given);
  return given;
}

}  // namespace
}  // namespace ptrun::capi

using namespace ptrun::capi;

ptrun_status ptrun_predictor_create(ptrun_model* model, const ptrun_predict_options* options, ptrun_predictor** out) {
  return guarded([&] {
    require(out, "out");
    const auto found = find<ModelHandle>(model);
    auto made = std::make_shared<PredictorHandle>(found->model, predict_options(options));
    *out = static_cast<ptrun_predictor*>(add_handle(std::move(made)));
  });
}

ptrun_status ptrun_predictor_free(ptrun_predictor* predictor) {
  return guarded([&] {
    require_outside_callback(predictor);
    const auto taken = take<PredictorHandle>(predictor);
    taken->close();
  });
}

ptrun_status ptrun_predictor_get_info(ptrun_predictor* predictor, ptrun_predictor_info* info) {
  return guarded([&] {
    require(info, "ptrun_predictor_info");
    const Use use(predictor);
    ptrun_predictor_info made{};
    made.plan = use->plan();
    made.batch_size = use->batch_size();
    made.workers = use->workers();
    made.threads_per_worker = use->threads_per_worker();
    write_sized("ptrun_predictor_info", info, info->size, made);
  });
}

ptrun_status ptrun_predict(ptrun_predictor* predictor, const ptrun_input* input, ptrun_result** out) {
  return predict_one(predictor, input, out);
}

ptrun_status ptrun_predict_file(ptrun_predictor* predictor, const char* path, ptrun_result** out) {
  ptrun_input given = empty_input();
  given.path = path;
  return predict_one(predictor, &given, out);
}

ptrun_status ptrun_predict_bytes(ptrun_predictor* predictor, const void* bytes, size_t byte_count, ptrun_result** out) {
  ptrun_input given = empty_input();
  given.bytes = bytes;
  given.byte_count = byte_count;
  return predict_one(predictor, &given, out);
}

ptrun_status ptrun_predict_pixels(ptrun_predictor* predictor, const uint8_t* pixels, int32_t width, int32_t height,
                                  size_t stride, int32_t format, ptrun_result** out) {
  ptrun_input given = empty_input();
  given.pixels = pixels;
  given.width = width;
  given.height = height;
  given.stride = stride;
  given.format = format;
  return predict_one(predictor, &given, out);
}

ptrun_status ptrun_predict_batch(ptrun_predictor* predictor, const ptrun_input* inputs, size_t count,
                                 ptrun_result** out) {
  return guarded([&] {
    constexpr std::size_t kMostInputs = 1'000'000;
    if (count == 0) refuse("count", "is 0, expected at least one image");
    if (count > kMostInputs) refuse("count", std::to_string(count) + " images were given, expected a million at most");
    require(inputs, "ptrun_input");
    require(out, "out");
    require_outside_callback(predictor);
    std::vector<ptrun::Input> images;
    images.reserve(count);
    // The caller's struct may be longer or shorter than ours.
    const auto* bytes = reinterpret_cast<const unsigned char*>(inputs);
    const std::size_t size = inputs->size;
    check_size("ptrun_input", size, first_size(ptrun_input{}));
    for (std::size_t i = 0; i < count; ++i) {
      const auto& given = *reinterpret_cast<const ptrun_input*>(bytes + i * size);
      if (given.size != size) refuse("ptrun_input::size", "differs between the images, expected one size");
      images.push_back(input(given));
    }
    const Use use(predictor);
    std::vector<ptrun::Outcome> outcomes = use->predict(images);
    std::vector<std::shared_ptr<Handle>> results;
    for (ptrun::Outcome& outcome : outcomes) results.push_back(std::make_shared<ResultHandle>(std::move(outcome)));
    for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<ptrun_result*>(add_handle(std::move(results[i])));
  });
}

ptrun_status ptrun_predict_async(ptrun_predictor* predictor, const ptrun_input* given, ptrun_result_callback callback,
                                 void* user, ptrun_cancel* cancel) {
  return guarded([&] {
    require(reinterpret_cast<const void*>(callback), "callback");
    require(given, "ptrun_input");
    ptrun::Input image = input(*given);
    const ptrun::Cancellation cancelled = cancellation(cancel);
    const Use use(predictor);
    const auto done = [predictor, callback, user](ptrun::Outcome&& outcome) {
      const CallingBack here(predictor);
      ptrun_result* result = nullptr;
      // Without memory for a result the caller still has to know that the image is done.
      guarded([&] { result = made_result(std::move(outcome)); });
      callback(user, result);
    };
    use->predict_async(std::move(image), done, cancelled);
  });
}

ptrun_status ptrun_predictor_cancel(ptrun_predictor* predictor) {
  return guarded([&] {
    const Use use(predictor);
    use->cancel();
  });
}
