#include "benchmark_report.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "console.h"
#include "figures.h"
#include "ptrun/text.h"

namespace ptrun::tool {
namespace {

double mean(const std::vector<double>& values) {
  return values.empty() ? 0 : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// As shares of the workers' time.
Stages shares_of(const StageTimes& times) {
  Stages stages = stages_of(times);
  const double sum = sum_of(stages);
  if (sum <= 0) return stages;
  for (auto& [name, value] : stages) value /= sum;
  return stages;
}

double share_of_bound(const BenchmarkReport& report) {
  const double bound = rate_of(report.model_alone.images, report.model_alone.seconds);
  return bound > 0 ? rate_of(report.end_to_end->images, report.end_to_end->seconds) / bound : 0;
}

std::string latency_text(const std::vector<double>& seconds) {
  const auto ms = [](double value) { return format(value < 0.01 ? "%.2f" : "%.1f", 1000 * value); };
  return "p50 " + ms(percentile(seconds, 0.5)) + ", p90 " + ms(percentile(seconds, 0.9)) + ", p99 " +
         ms(percentile(seconds, 0.99)) + ", most " + ms(percentile(seconds, 1)) + " ms";
}

std::string latency_json(const std::vector<double>& seconds) {
  const auto ms = [](double value) { return format("%.4f", 1000 * value); };
  return "{\"mean\":" + ms(mean(seconds)) + ",\"p50\":" + ms(percentile(seconds, 0.5)) +
         ",\"p90\":" + ms(percentile(seconds, 0.9)) + ",\"p95\":" + ms(percentile(seconds, 0.95)) +
         ",\"p99\":" + ms(percentile(seconds, 0.99)) + ",\"max\":" + ms(percentile(seconds, 1)) + "}";
}

std::string line(const char* name, const std::string& value) {
  const std::string head = name;
  return head + std::string(14 - head.size(), ' ') + value + '\n';
}

}  // namespace

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const double rank = std::ceil(share * static_cast<double>(values.size()));
  const auto index = static_cast<std::ptrdiff_t>(std::max(rank, 1.0)) - 1;
  std::nth_element(values.begin(), values.begin() + index, values.end());
  return values[static_cast<std::size_t>(index)];
}

std::string benchmark_text(const BenchmarkReport& report) {
  std::string text = line("model", printable(report.model, 1000) + ", " + report.kind +
                                       (report.architecture.empty() ? "" : ", " + printable(report.architecture, 100)));
  text += line("plan", report.plan + " on " + report.device + ", " +
                           counted(static_cast<std::size_t>(report.workers), "worker") + " x " +
                           counted(static_cast<std::size_t>(report.threads_per_worker), "thread") + ", batch " +
                           std::to_string(report.batch_size) + ", 3 x " + std::to_string(report.input_height) + " x " +
                           std::to_string(report.input_width));
  text += line("start", "model loaded in " + format("%.2f", report.load_seconds) + " s, plan decided in " +
                            format("%.2f", report.plan_seconds) + " s");
  const ModelTimes& alone = report.model_alone;
  text += line("model alone",
               rate_text(rate_of(alone.images, alone.seconds)) + " img/s; a call: " + latency_text(alone.calls));
  if (report.end_to_end) {
    const EndToEnd& run = *report.end_to_end;
    text += line("from files", rate_text(rate_of(run.images, run.seconds)) + " img/s, " + counted(run.images, "image") +
                                   " from " + counted(run.files, "file") + ", " + std::to_string(run.failed) +
                                   " failed; an image under this load: " + latency_text(run.latencies));
    const Stages shares = shares_of(run.times);
    std::string stages;
    for (const auto& [name, share] : shares) {
      stages += (stages.empty() ? "" : ", ") + std::string(name) + format(" %.1f %%", 100 * share);
    }
    text += line("stages", stages + "; limit: " + largest_of(shares).first);
    text +=
        line("of the bound", format("%.0f %%", 100 * share_of_bound(report)) + " of the model alone on all workers");
  }
  return text + line("memory", format("%.0f MB at most", static_cast<double>(report.peak_memory) / 1e6));
}

std::string benchmark_json(const BenchmarkReport& report) {
  std::string json =
      R"({"v":1,"model":)" + json_text(printable(report.model, 4096)) + ",\"kind\":" + json_text(report.kind) +
      ",\"architecture\":" + json_text(printable(report.architecture, 100)) +
      ",\"device\":" + json_text(report.device) + ",\"precision\":" + json_text(report.precision) +
      ",\"plan\":" + json_text(report.plan) + ",\"input_size\":[3," + std::to_string(report.input_height) + "," +
      std::to_string(report.input_width) + "],\"batch_size\":" + std::to_string(report.batch_size) +
      ",\"workers\":" + std::to_string(report.workers) +
      ",\"threads_per_worker\":" + std::to_string(report.threads_per_worker) +
      ",\"load_seconds\":" + format("%.4f", report.load_seconds) +
      ",\"plan_seconds\":" + format("%.4f", report.plan_seconds);
  const ModelTimes& alone = report.model_alone;
  json += R"(,"model_alone":{"images_per_second":)" + format("%.3f", rate_of(alone.images, alone.seconds)) +
          ",\"warm_up_calls\":" + std::to_string(report.warm_up_calls) + ",\"calls\":" + std::to_string(report.calls) +
          ",\"images\":" + std::to_string(alone.images) + ",\"seconds\":" + format("%.4f", alone.seconds) +
          ",\"latency_ms\":" + latency_json(alone.calls) + "}";
  if (report.end_to_end) {
    const EndToEnd& run = *report.end_to_end;
    const Stages shares = shares_of(run.times);
    json += R"(,"end_to_end":{"images_per_second":)" + format("%.3f", rate_of(run.images, run.seconds)) +
            ",\"files\":" + std::to_string(run.files) + ",\"images\":" + std::to_string(run.images) +
            ",\"failed\":" + std::to_string(run.failed) + ",\"seconds\":" + format("%.4f", run.seconds) +
            ",\"latency_ms\":" + latency_json(run.latencies) + ",\"stages\":{";
    bool first = true;
    for (const auto& [name, share] : shares) {
      json += std::string(first ? "\"" : ",\"") + name + "\":" + format("%.4f", share);
      first = false;
    }
    json += R"(},"limit":")" + std::string(largest_of(shares).first) + R"(","share_of_model_alone":)" +
            format("%.4f", share_of_bound(report)) + "}";
  }
  return json + ",\"peak_memory_bytes\":" + std::to_string(report.peak_memory) + "}\n";
}

}  // namespace ptrun::tool
