#include "progress.h"

#include <algorithm>
#include <cmath>

#include "figures.h"

namespace ptrun::tool {
namespace {

std::string duration_text(double seconds) {
  const auto whole = static_cast<long long>(std::ceil(std::max(0.0, seconds)));
  if (whole >= 3600) return format("%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
  return format("%lld:%02lld", whole / 60, whole % 60);
}

struct Limit {
  std::string stage;
  double share = 0;  // of the workers' time
};

// The stage that a faster machine should speed up first. Workers that mostly waited were held up by the output or by
// a single slow image.
Limit limit_of(const JobSummary& summary) {
  const Stages stages = stages_of(summary.times);
  const double work = sum_of(stages);
  const double available = summary.seconds * std::max(1, summary.workers);
  if (available > 0 && work < 0.5 * available && summary.seconds > 1) return {"output", 1 - work / available};
  const auto& [name, seconds] = largest_of(stages);
  return {name, work > 0 ? seconds / work : 0};
}

}  // namespace

std::string progress_line(const Progress& progress) {
  const double rate = rate_of(progress.done, progress.seconds);
  std::string line = std::to_string(progress.done) + "/" + std::to_string(progress.total) + " images";
  if (rate > 0) {
    line += "  " + rate_text(rate) + " img/s  " +
            duration_text(static_cast<double>(progress.total - progress.done) / rate) + " left";
  }
  if (progress.failed > 0) line += "  " + std::to_string(progress.failed) + " failed";
  return line;
}

std::string summary_line(const JobSummary& summary) {
  const std::size_t done = summary.succeeded + summary.failed;
  std::string line =
      done == summary.total ? counted(done, "image") : std::to_string(done) + " of " + counted(summary.total, "image");
  line += format(" in %.2f s, ", summary.seconds) + rate_text(rate_of(done, summary.seconds)) +
          " img/s: " + std::to_string(summary.succeeded) + " done, " + std::to_string(summary.failed) + " failed";
  if (summary.cancelled) line += " (interrupted)";
  if (summary.stopped_on_errors) line += " (stopped by --on-error)";
  const Limit limit = limit_of(summary);
  line += "; limit: " + limit.stage + format(" (%.0f %% of the time)", 100 * limit.share);
  line += "; " + counted(static_cast<std::size_t>(summary.workers), "worker") + " x " +
          counted(static_cast<std::size_t>(summary.threads_per_worker), "thread") + ", batch " +
          std::to_string(summary.batch_size);
  return line;
}

std::string summary_json(const JobSummary& summary) {
  const std::size_t done = summary.succeeded + summary.failed;
  std::string json = R"({"event":"summary","total":)" + std::to_string(summary.total) +
                     ",\"done\":" + std::to_string(summary.succeeded) +
                     ",\"failed\":" + std::to_string(summary.failed) +
                     ",\"interrupted\":" + (summary.cancelled ? "true" : "false") +
                     ",\"stopped_on_errors\":" + (summary.stopped_on_errors ? "true" : "false");
  json += format(R"(,"seconds":%.4f,"images_per_second":%.3f)", summary.seconds, rate_of(done, summary.seconds));
  json += R"(,"limit":")" + limit_of(summary).stage + R"(","workers":)" + std::to_string(summary.workers) +
          ",\"threads_per_worker\":" + std::to_string(summary.threads_per_worker) +
          ",\"batch_size\":" + std::to_string(summary.batch_size) + R"(,"plan":")" + summary.plan + R"(","stages":{)";
  bool first = true;
  for (const auto& [name, seconds] : stages_of(summary.times)) {
    json += format("%s\"%s\":%.4f", first ? "" : ",", name, seconds);
    first = false;
  }
  return json + "}}";
}

}  // namespace ptrun::tool
