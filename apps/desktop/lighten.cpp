#include "lighten.h"

#include <algorithm>

namespace desktop {
namespace {

constexpr std::int64_t kValuesOfARow = 4096;  // as JSONL has it

template <typename Values>
void free_values(Values& values) {
  Values().swap(values);
}

std::int64_t count_of(const ptrun::TensorOutput& tensor) {
  std::int64_t count = 1;
  for (const std::int64_t size : tensor.shape) count *= size;
  return count;
}

}  // namespace

void HeavyParts::lighten(ptrun::Outcome& outcome) {
  if (!outcome.ok()) return;
  ptrun::Prediction& prediction = *outcome.prediction;
  std::size_t bytes = prediction.segment_map.size() + prediction.image.size();
  for (const ptrun::TensorOutput& tensor : prediction.tensors) {
    if (count_of(tensor) > kValuesOfARow) bytes += tensor.data.size();
  }
  if (bytes == 0) return;
  // In one step: forget() may come between two.
  std::size_t kept = kept_;
  while (kept + bytes <= budget_) {
    if (kept_.compare_exchange_weak(kept, kept + bytes)) return;
  }
  free_values(prediction.segment_map);
  free_values(prediction.image);
  for (ptrun::TensorOutput& tensor : prediction.tensors) {
    if (count_of(tensor) > kValuesOfARow) free_values(tensor.data);
  }
}

bool HeavyParts::lacks_values(const ptrun::Prediction& prediction) {
  return std::any_of(prediction.tensors.begin(), prediction.tensors.end(), [](const ptrun::TensorOutput& tensor) {
    return tensor.data.empty() && count_of(tensor) > kValuesOfARow;
  });
}

}  // namespace desktop
