#include "figures.h"

#include <algorithm>

namespace ptrun::tool {

std::string counted(std::size_t count, const char* noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

double rate_of(std::size_t images, double seconds) { return seconds > 0 ? static_cast<double>(images) / seconds : 0.0; }

std::string rate_text(double rate) { return format(rate < 10 ? "%.2f" : rate < 1000 ? "%.1f" : "%.0f", rate); }

Stages stages_of(const StageTimes& times) {
  return {{{"plan", times.plan},
           {"read", times.read},
           {"decode", times.decode},
           {"preprocess", times.preprocess},
           {"model", times.model},
           {"task", times.task}}};
}

double sum_of(const Stages& stages) {
  double sum = 0;
  for (const auto& [name, seconds] : stages) sum += seconds;
  return sum;
}

const std::pair<const char*, double>& largest_of(const Stages& stages) {
  return *std::max_element(stages.begin(), stages.end(),
                           [](const auto& a, const auto& b) { return a.second < b.second; });
}

}  // namespace ptrun::tool
