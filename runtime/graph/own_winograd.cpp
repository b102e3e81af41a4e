#include "graph/own_winograd.h"

#include <algorithm>

namespace ptrun::jit {
namespace {

// What a core does in a nanosecond, about: numbers multiplied, bytes of filters that come from memory (they do once a
// batch), and numbers of a tile that are transformed. A slower core is slower at all of them.
constexpr double kMultiplications = 120;
constexpr double kBytes = 20;
constexpr double kTransforms = 5;
constexpr double kWorthIt = 1.2;

double nanoseconds(double multiplications, double weights) {
  return std::max(multiplications / kMultiplications, weights * sizeof(float) / kBytes);
}

}  // namespace

int winograd_edge(at::IntArrayRef input, at::IntArrayRef weight, std::int64_t padding) {
  const auto filters = static_cast<double>(weight[0] * weight[1]);
  const std::int64_t height = input[2] + 2 * padding - 2;
  const std::int64_t width = input[3] + 2 * padding - 2;
  double least = nanoseconds(static_cast<double>(input[0] * height * width) * 9 * filters, 9 * filters) / kWorthIt;
  int edge = 0;
  for (const int of : {4, 2}) {
    const auto tiles = static_cast<double>(input[0] * ((height + of - 1) / of) * ((width + of - 1) / of));
    const double positions = (of + 2) * (of + 2);
    const double time = nanoseconds(tiles * positions * filters, positions * filters) +
                        tiles * positions * static_cast<double>(weight[0] + weight[1]) / kTransforms;
    if (time >= least) continue;
    least = time;
    edge = of;
  }
  return edge;
}

}  // namespace ptrun::jit
