#include "engine.h"

#include <sys/resource.h>

#include <chrono>
#include <exception>
#include <utility>

namespace desktop {
namespace {

// Below the window's thread, which has to paint while every processor predicts. On Linux the value is the thread's
// own, and the threads that it starts inherit it.
constexpr int kNice = 5;
// The first labels come from a predictor for a few photos, which compiles nothing.
constexpr std::size_t kFew = 16;
// From here on a second predictor, made for all of them, pays: larger batches, and where the library finds that it pays
// a compiled plan.
constexpr std::size_t kMany = 64;

}  // namespace

Engine::Engine(EngineEvents events) : events_(std::move(events)), thread_([this] { loop(); }) {}

Engine::~Engine() {
  {
    const std::lock_guard lock(mutex_);
    quit_ = true;
    queue_.clear();
    opening_.cancel();
  }
  changed_.notify_all();
  thread_.join();
}

void Engine::open(std::string path, int epoch) {
  {
    const std::lock_guard lock(mutex_);
    opening_.cancel();
    opening_ = {};
    open_ = OpenRequest{std::move(path), epoch, opening_};
    queue_.clear();
    cancel_ = true;
  }
  changed_.notify_all();
}

void Engine::close() { open({}, 0); }

void Engine::set_options(EngineOptions options) {
  {
    const std::lock_guard lock(mutex_);
    new_options_ = std::move(options);
  }
  changed_.notify_all();
}

void Engine::run(std::vector<Work> work) {
  {
    const std::lock_guard lock(mutex_);
    for (Work& item : work) queue_.push_back(std::move(item));
  }
  changed_.notify_all();
}

void Engine::set_paused(bool paused) {
  {
    const std::lock_guard lock(mutex_);
    paused_ = paused;
  }
  changed_.notify_all();
}

std::size_t Engine::cancel() {
  std::size_t dropped = 0;
  {
    const std::lock_guard lock(mutex_);
    dropped = queue_.size();
    queue_.clear();
    cancel_ = true;
  }
  changed_.notify_all();
  return dropped;
}

bool Engine::ready_to_start() const { return has_model_ && !paused_ && !blocked_ && !queue_.empty(); }

void Engine::loop() {
  ::setpriority(PRIO_PROCESS, 0, kNice);
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return quit_ || cancel_ || open_ || new_options_ || ready_to_start(); });
    if (quit_) break;
    if (cancel_) {
      cancel_ = false;
      lock.unlock();
      if (predictor_) predictor_->cancel();
      lock.lock();
    } else if (open_) {
      const OpenRequest request = *std::exchange(open_, std::nullopt);
      has_model_ = false;
      lock.unlock();
      load(request);
      lock.lock();
      has_model_ = model_.has_value();
      blocked_ = false;
    } else if (new_options_) {
      EngineOptions chosen = *std::exchange(new_options_, std::nullopt);
      blocked_ = false;
      lock.unlock();
      wait_for_answers();
      drop_predictors();  // until then the thread of `better_` reads them
      options_ = std::move(chosen);
      lock.lock();
    } else {
      Work work = std::move(queue_.front());
      queue_.pop_front();
      const std::size_t remaining = queue_.size() + 1;
      lock.unlock();
      start(std::move(work), remaining);
      lock.lock();
    }
  }
  lock.unlock();
  if (predictor_) predictor_->cancel();
  drop_predictors();
}

void Engine::load(const OpenRequest& request) {
  drop_predictors();
  model_.reset();
  if (request.path.empty()) return;
  try {
    ptrun::Inspection inspection = ptrun::inspect(request.path);
    const bool runnable = inspection.runnable;
    events_.inspected(request.epoch, std::move(inspection));
    if (!runnable) return;
    ptrun::LoadOptions options;
    options.log = [this](ptrun::LogLevel level, const std::string& message) {
      if (level >= ptrun::LogLevel::warning) events_.warned(message);
    };
    options.cancellation = request.cancellation;
    options.progress = [&](const ptrun::LoadProgress& progress) {
      if (progress.bytes_total == 0) return;
      const auto read = static_cast<double>(progress.bytes_read);
      events_.loading(request.epoch, read / static_cast<double>(progress.bytes_total));
    };
    model_ = ptrun::load_model(request.path, options);
    events_.loaded(request.epoch, *model_);
  } catch (const std::exception& error) {
    events_.load_failed(request.epoch, error.what());
  }
}

void Engine::start(Work work, std::size_t remaining) {
  try {
    prepare(remaining);
  } catch (const std::exception& error) {
    {
      const std::lock_guard lock(mutex_);
      // A newer choice may be waiting that works.
      blocked_ = true;
      queue_.push_front(std::move(work));
    }
    events_.run_failed(error.what());
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    ++in_progress_;
  }
  ptrun::Input input;
  input.path = work.path;
  predictor_->submit(std::move(input), [this, epoch = work.epoch, photo = work.photo](ptrun::Outcome&& outcome) {
    events_.answered(epoch, photo, std::move(outcome));
    const std::lock_guard lock(mutex_);
    --in_progress_;
    changed_.notify_all();
  });
}

// A predictor that is destroyed cancels what it has queued; those photos would never be answered.
void Engine::wait_for_answers() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return in_progress_ == 0; });
}

std::unique_ptr<ptrun::Predictor> Engine::make(std::size_t photos) {
  ptrun::PredictOptions options;
  options.device = options_.device;
  options.precision = options_.precision;
  options.expected_images = photos;
  options.log = [this](ptrun::LogLevel level, const std::string& message) {
    if (level >= ptrun::LogLevel::warning) events_.warned(message);
  };
  return std::make_unique<ptrun::Predictor>(*model_, options);
}

void Engine::report_plan(const ptrun::Predictor& predictor) const {
  events_.planned({predictor.plan(), predictor.batch_size(), predictor.workers()});
}

// A predictor for the photos to come is there afterwards.
void Engine::prepare(std::size_t photos) {
  take_better();
  const bool many = photos >= kMany;
  if (!predictor_) {
    predictor_ = make(many ? kFew : photos);
    for_many_ = false;
    report_plan(*predictor_);
  }
  if (many && !for_many_) {
    for_many_ = true;
    better_ = std::async(std::launch::async, [this, photos] {
      std::unique_ptr<ptrun::Predictor> made = make(photos);
      made->plan();  // returns when the plan is decided
      return made;
    });
  }
}

void Engine::take_better() {
  if (!better_.valid() || better_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return;
  try {
    std::unique_ptr<ptrun::Predictor> made = better_.get();
    wait_for_answers();
    predictor_ = std::move(made);
    report_plan(*predictor_);
  } catch (const std::exception& error) {
    events_.warned(error.what());
  }
}

void Engine::drop_predictors() {
  if (better_.valid()) better_.wait();
  better_ = {};
  predictor_.reset();
  for_many_ = false;
}

}  // namespace desktop
