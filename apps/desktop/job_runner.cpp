#include "job_runner.h"

#include <QFile>
#include <utility>

#include "summary.h"

namespace desktop {
namespace {

constexpr int kDeliverEvery = 30;      // milliseconds: once in two frames is soon enough for eyes
constexpr qint64 kRateWindow = 3'000;  // milliseconds

}  // namespace

JobRunner::JobRunner(QObject* parent) : QObject(parent) {
  deliver_timer_.setInterval(kDeliverEvery);
  connect(&deliver_timer_, &QTimer::timeout, this, &JobRunner::deliver);
  clock_.start();
  engine_ = std::make_unique<Engine>(events());
}

JobRunner::~JobRunner() { engine_.reset(); }

EngineEvents JobRunner::events() {
  EngineEvents events;
  events.inspected = [this](int epoch, ptrun::Inspection&& inspection) {
    post(epoch, [this, found = std::move(inspection)] {
      if (!found.runnable) loading_ = false;
      Q_EMIT inspected(found);
      Q_EMIT state_changed();
    });
  };
  events.loading = [this](int epoch, double part) {
    post(epoch, [this, part] {
      loading_part_ = part;
      Q_EMIT state_changed();
    });
  };
  events.loaded = [this](int epoch, const ptrun::Model& model) {
    post(epoch, [this, model] {
      loading_ = false;
      model_ = model;
      Q_EMIT model_loaded();
      Q_EMIT state_changed();
    });
  };
  events.load_failed = [this](int epoch, const std::string& message) {
    post(epoch, [this, text = shown(message)] {
      loading_ = false;
      Q_EMIT load_failed(text);
      Q_EMIT state_changed();
    });
  };
  const auto say = [this](void (JobRunner::*signal)(const QString&), const std::string& message) {
    QMetaObject::invokeMethod(
        this,
        [this, signal, text = shown(message)] {
          Q_EMIT(this->*signal)
          (text);
        },
        Qt::QueuedConnection);
  };
  events.run_failed = [say](const std::string& message) { say(&JobRunner::run_failed, message); };
  events.warned = [say](const std::string& message) { say(&JobRunner::warned, message); };
  events.planned = [this](const EnginePlan& plan) {
    QMetaObject::invokeMethod(
        this, [this, plan] { Q_EMIT planned(QString::fromStdString(plan.name), plan.batch_size, plan.workers); },
        Qt::QueuedConnection);
  };
  events.answered = [this](int epoch, int photo, ptrun::Outcome&& outcome) {
    heavy_.lighten(outcome);
    auto kept = std::make_shared<const ptrun::Outcome>(std::move(outcome));
    const std::lock_guard lock(mutex_);
    arrived_.push_back({epoch, {photo, std::move(kept)}});
  };
  return events;
}

void JobRunner::post(int epoch, std::function<void()> call) {
  QMetaObject::invokeMethod(
      this,
      [this, epoch, call = std::move(call)] {
        if (epoch == epoch_) call();
      },
      Qt::QueuedConnection);
}

void JobRunner::open_model(const QString& path) {
  forget();
  model_.reset();
  loading_ = true;
  loading_part_ = 0.0;
  engine_->open(QFile::encodeName(path).toStdString(), epoch_);
  Q_EMIT state_changed();
}

void JobRunner::stop_loading() {
  if (!loading_) return;
  // Another epoch: the model may be complete at this very moment, and is not wanted any more.
  forget();
  loading_ = false;
  engine_->close();
  Q_EMIT loading_stopped();
  Q_EMIT state_changed();
}

void JobRunner::set_options(const EngineOptions& options) { engine_->set_options(options); }

void JobRunner::run(std::vector<Work> work) {
  if (work.empty()) return;
  if (!is_running()) {
    progress_ = {};
    history_.clear();
  }
  progress_.total += work.size();
  for (Work& item : work) item.epoch = epoch_;
  engine_->run(std::move(work));
  deliver_timer_.start();
  Q_EMIT state_changed();
}

void JobRunner::set_paused(bool paused) {
  paused_ = paused;
  history_.clear();
  engine_->set_paused(paused);
  Q_EMIT state_changed();
}

void JobRunner::cancel() {
  progress_.total -= engine_->cancel();
  if (paused_) set_paused(false);
  Q_EMIT state_changed();
}

void JobRunner::forget() {
  ++epoch_;
  heavy_.forget();
  engine_->cancel();
  deliver_timer_.stop();
  progress_ = {};
  history_.clear();
  if (paused_) set_paused(false);
  Q_EMIT state_changed();
}

void JobRunner::deliver() {
  std::vector<Arrived> arrived;
  {
    const std::lock_guard lock(mutex_);
    arrived.swap(arrived_);
  }
  std::vector<Answer> answers;
  for (Arrived& item : arrived) {
    if (item.epoch != epoch_) continue;
    if (item.answer.outcome->cancelled) {
      --progress_.total;
      continue;
    }
    ++progress_.done;
    if (!item.answer.outcome->ok()) ++progress_.failed;
    answers.push_back(std::move(item.answer));
  }
  if (!is_running()) deliver_timer_.stop();
  if (arrived.empty()) return;
  const qint64 now = clock_.elapsed();
  history_.emplace_back(now, progress_.done);
  while (history_.size() > 2 && history_.front().first < now - kRateWindow) history_.pop_front();
  if (!answers.empty()) Q_EMIT answered(answers);
  Q_EMIT state_changed();
}

RunProgress JobRunner::progress() const {
  RunProgress progress = progress_;
  if (history_.size() >= 2) {
    const auto milliseconds = static_cast<double>(history_.back().first - history_.front().first);
    const auto photos = static_cast<double>(history_.back().second - history_.front().second);
    if (milliseconds > 0) progress.rate = 1000.0 * photos / milliseconds;
  }
  return progress;
}

}  // namespace desktop
