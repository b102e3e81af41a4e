// The engine as the window sees it: signals on the window's thread, answers in bundles, one run after the other.
#pragma once

#include <QElapsedTimer>
#include <QObject>
#include <QString>
#include <QTimer>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "engine.h"
#include "lighten.h"

namespace desktop {

struct Answer {
  int photo = 0;
  std::shared_ptr<const ptrun::Outcome> outcome;
};

struct RunProgress {
  std::size_t done = 0;
  std::size_t failed = 0;
  std::size_t total = 0;
  double rate = 0.0;  // photos a second over the last seconds, 0: not known
};

// The window's thread only.
class JobRunner : public QObject {
  Q_OBJECT

 public:
  explicit JobRunner(QObject* parent = nullptr);
  ~JobRunner() override;

  // Ends the current run without further answers.
  void open_model(const QString& path);
  // The model that is being loaded is given up; there is none then.
  void stop_loading();
  void set_options(const EngineOptions& options);
  // Adds to the current run, or begins one.
  void run(std::vector<Work> work);
  void set_paused(bool paused);
  // Photos in progress still get their answers.
  void cancel();
  // Forgets the run: no answer comes any more, not even for photos in progress.
  void forget();

  bool is_running() const { return progress_.done < progress_.total; }
  bool is_paused() const { return paused_; }
  bool is_loading() const { return loading_; }
  // How much of the model's file is read, 0..1; 0 before it is known.
  double loading_part() const { return loading_part_; }
  // Nothing until a model is loaded.
  const std::optional<ptrun::Model>& model() const { return model_; }
  RunProgress progress() const;

 Q_SIGNALS:
  void inspected(const ptrun::Inspection& inspection);
  void model_loaded();
  void load_failed(const QString& message);
  void loading_stopped();
  void run_failed(const QString& message);
  void warned(const QString& message);
  void planned(const QString& name, int batch_size, int workers);
  void answered(const std::vector<desktop::Answer>& answers);
  // Something that is_running, is_paused, is_loading, loading_part or progress tell has changed.
  void state_changed();

 private:
  struct Arrived {
    int epoch = 0;
    Answer answer;
  };

  EngineEvents events();
  // Runs `call` on the window's thread if it still belongs to the current epoch.
  void post(int epoch, std::function<void()> call);
  void deliver();

  int epoch_ = 0;
  bool paused_ = false;
  bool loading_ = false;
  double loading_part_ = 0.0;
  RunProgress progress_;
  std::optional<ptrun::Model> model_;
  QTimer deliver_timer_;
  QElapsedTimer clock_;
  std::deque<std::pair<qint64, std::size_t>> history_;  // milliseconds, photos done

  HeavyParts heavy_;
  std::mutex mutex_;
  std::vector<Arrived> arrived_;

  std::unique_ptr<Engine> engine_;  // last: its threads use the above
};

}  // namespace desktop
