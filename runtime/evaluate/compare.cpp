#include "evaluate/compare.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "executor/trial.h"

namespace ptrun::evaluate {
namespace {

// Scores of classes [N, classes]; undefined where the result is something else.
at::Tensor scores(const c10::IValue& result, std::size_t images) {
  if (!result.isTensor()) return {};
  at::Tensor tensor = result.toTensor();
  while (tensor.dim() > 2 && tensor.size(-1) == 1) tensor = tensor.squeeze(-1);
  const bool fits = tensor.dim() == 2 && tensor.size(0) == static_cast<std::int64_t>(images) && tensor.size(1) > 1;
  return fits && tensor.is_floating_point() ? tensor.to(at::kFloat) : at::Tensor();
}

}  // namespace

void compare_results(const c10::IValue& expected, const c10::IValue& found, std::size_t images,
                     CalibrationSummary& summary) {
  summary.compared += images;
  summary.output_difference = std::max(summary.output_difference, difference(expected, found));
  if (!summary.classifier) return;
  const at::Tensor right = scores(expected, images);
  const at::Tensor ours = scores(found, images);
  if (!right.defined() || !ours.defined()) {
    summary.classifier = false;
    return;
  }
  summary.same_top1 += static_cast<std::size_t>((right.argmax(1) == ours.argmax(1)).sum().item<std::int64_t>());
  const double apart = (right.softmax(1) - ours.softmax(1)).abs().max().item<double>();
  summary.largest_difference = std::max(summary.largest_difference, apart);
}

std::vector<double> rates(const std::vector<const Executor*>& executors, int height, int width) {
  constexpr int kRounds = 7;
  constexpr double kShare = 0.1;  // seconds of an executor in a round
  std::vector<double> best(executors.size());
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < executors.size(); ++i) {
      const at::Tensor batch = example_batch({executors[i]->batch_size(), 3, height, width});
      executors[i]->run(batch);
      const double start = processor_seconds();
      double now = start;
      int calls = 0;
      for (; calls == 0 || now - start < kShare; now = processor_seconds(), ++calls) executors[i]->run(batch);
      best[i] = std::max(best[i], calls * executors[i]->batch_size() / std::max(now - start, 1e-9));
    }
  }
  return best;
}

}  // namespace ptrun::evaluate
