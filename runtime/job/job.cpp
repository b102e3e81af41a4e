#include "ptrun/job.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "job/outputs.h"
#include "job/reorder.h"

namespace ptrun {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Images submitted and not answered: enough that no worker waits, and no more than the predictor's queue takes, so that
// submitting never blocks and finished rows are written at once.
std::size_t most_unanswered(const Predictor& predictor) {
  return 2 * static_cast<std::size_t>(predictor.workers()) * static_cast<std::size_t>(predictor.batch_size());
}

// Rows between the one to be written next and the newest submitted: a slow image must not stop the others, and the
// answers that wait behind it must not fill the memory.
std::size_t window_size(const Predictor& predictor) {
  return std::max<std::size_t>(64, 4 * most_unanswered(predictor));
}

class ProgressReport {
 public:
  ProgressReport(const JobOptions& options, const JobSummary& summary, Clock::time_point start)
      : options_(options), summary_(summary), start_(start) {}
  void now() {
    if (!options_.progress) return;
    last_ = Clock::now();
    options_.progress({summary_.succeeded + summary_.failed, summary_.failed, summary_.total, seconds_since(start_)});
  }
  void sometimes() {
    if (Clock::now() - last_ >= std::chrono::milliseconds(100)) now();
  }

 private:
  const JobOptions& options_;
  const JobSummary& summary_;
  Clock::time_point start_;
  Clock::time_point last_;
};

}  // namespace

JobSummary run_job(const Model& model, const InputList& inputs, const JobOptions& options) {
  check_outputs(options, model.task());
  job::check_not_read(options, model.path(), inputs.paths);
  PredictOptions predict = options.predict;
  if (predict.expected_images == 0) predict.expected_images = inputs.paths.size();

  // Before the predictor, which may still answer into it while it is destroyed.
  job::Reorder reorder;
  Predictor predictor(model, predict);
  job::Outputs outputs(options, model, inputs.paths);

  JobSummary summary;
  summary.total = inputs.paths.size();
  summary.batch_size = predictor.batch_size();
  summary.workers = predictor.workers();
  summary.threads_per_worker = predictor.threads_per_worker();
  const Clock::time_point start = Clock::now();
  ProgressReport progress(options, summary, start);
  const std::size_t window = window_size(predictor);
  const std::size_t unanswered = most_unanswered(predictor);
  const auto cancelled = [&] { return options.cancel != nullptr && options.cancel->load(); };

  const bool keeps_maps = outputs.writes_pictures();
  std::size_t submitted = 0;
  for (std::size_t next = 0; next < summary.total;) {
    if (cancelled() && !summary.cancelled) {
      summary.cancelled = true;
      predictor.cancel();
    }
    const std::size_t arrived = reorder.arrived();
    while (!summary.cancelled && submitted < std::min({summary.total, next + window, arrived + unanswered})) {
      Input input;
      input.path = inputs.paths[submitted];
      predictor.submit(std::move(input), [&reorder, keeps_maps, sequence = submitted](Outcome&& outcome) {
        // A byte a pixel of every photo that waits for its row is much where nobody writes them.
        if (!keeps_maps && outcome.ok()) std::vector<std::uint8_t>().swap(outcome.prediction->segment_map);
        reorder.put(sequence, std::move(outcome));
      });
      ++submitted;
    }
    // Rows in progress come first in the queue, so everything behind the first cancelled one is cancelled too.
    if (next == submitted) break;
    std::optional<Outcome> outcome = reorder.take(next, arrived, std::chrono::milliseconds(50));
    progress.sometimes();
    if (!outcome) continue;
    if (outcome->cancelled) break;
    ++(outcome->ok() ? summary.succeeded : summary.failed);
    outputs.write({inputs.paths[next], std::move(*outcome), {}});
    ++next;
    if (options.stop_after_errors != 0 && summary.failed >= options.stop_after_errors) {
      summary.stopped_on_errors = next < summary.total;
      break;
    }
  }
  predictor.cancel();
  outputs.finish(summary.succeeded + summary.failed == summary.total);
  summary.seconds = seconds_since(start);
  summary.times = predictor.times();
  summary.plan = predictor.plan();  // not earlier: deciding it overlaps with the first decodes
  progress.now();
  return summary;
}

}  // namespace ptrun
