// Runs one model over photos on a thread of its own. Knows ptrun and no Qt.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "ptrun/inspect.h"
#include "ptrun/model.h"
#include "ptrun/predictor.h"

namespace desktop {

struct Work {
  int epoch = 0;  // handed back with the answer, so that answers to an older question can be told apart
  int photo = 0;
  std::string path;
};

struct EngineOptions {
  std::string device = "auto";
  ptrun::Precision precision = ptrun::Precision::fp32;
};

// How the model is run, once that is decided.
struct EnginePlan {
  std::string name;
  int batch_size = 0;
  int workers = 0;
};

// Called from the engine's or a worker's thread, several at a time; must not block, throw or call the engine.
struct EngineEvents {
  std::function<void(int epoch, ptrun::Inspection&&)> inspected;
  std::function<void(int epoch, double part)> loading;  // 0..1 of the file's bytes
  std::function<void(int epoch, const ptrun::Model&)> loaded;
  std::function<void(int epoch, const std::string& message)> load_failed;
  std::function<void(const std::string& message)> run_failed;  // the photos wait until the options or model change
  std::function<void(const std::string& message)> warned;
  std::function<void(const EnginePlan&)> planned;
  std::function<void(int epoch, int photo, ptrun::Outcome&&)> answered;
};

// Any thread may call any method; none waits for the model. The destructor waits for the photos in progress.
class Engine {
 public:
  explicit Engine(EngineEvents events);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Forgets what is queued, gives up a model that is being loaded, then inspects and loads `path`.
  void open(std::string path, int epoch);
  // Forgets what is queued and lets the model go, also one that is being loaded.
  void close();
  // For the photos that are not started yet.
  void set_options(EngineOptions options);
  // Photos wait until a model is loaded.
  void run(std::vector<Work> work);
  // Photos in progress end, no other starts.
  void set_paused(bool paused);
  // Drops what is not started and returns how many of `run` will have no answer. Those in progress still have one.
  std::size_t cancel();

 private:
  struct OpenRequest {
    std::string path;  // empty: no model
    int epoch = 0;
    ptrun::Cancellation cancellation;
  };

  void loop();
  void load(const OpenRequest& request);
  void start(Work work, std::size_t remaining);
  bool ready_to_start() const;
  void prepare(std::size_t photos);
  void take_better();
  void drop_predictors();
  void wait_for_answers();
  std::unique_ptr<ptrun::Predictor> make(std::size_t photos);
  void report_plan(const ptrun::Predictor& predictor) const;

  const EngineEvents events_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool quit_ = false;
  bool paused_ = false;
  bool blocked_ = false;  // no predictor can be made from model and options
  bool cancel_ = false;
  std::optional<OpenRequest> open_;
  ptrun::Cancellation opening_;  // of the latest request
  std::optional<EngineOptions> new_options_;
  std::deque<Work> queue_;
  bool has_model_ = false;
  std::size_t in_progress_ = 0;  // photos that a predictor has and has not answered

  // The engine's thread only.
  std::optional<ptrun::Model> model_;
  EngineOptions options_;
  std::unique_ptr<ptrun::Predictor> predictor_;
  // For many photos: compiles on its own thread, while `predictor_` gives the first labels.
  std::future<std::unique_ptr<ptrun::Predictor>> better_;
  bool for_many_ = false;

  std::thread thread_;  // last: uses all of the above
};

}  // namespace desktop
