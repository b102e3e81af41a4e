// The matrices of Winograd's minimal filtering, and filters transformed.
#include <cmath>
#include <vector>

#include "kernels/kernels.h"
#include "kernels/winograd_points.h"

namespace ptrun::kernels {

WinogradMatrices::WinogradMatrices(std::size_t of) : edge(of), reach(of + 2) {
  const std::vector<double> points = of == 4 ? std::vector<double>{0, kWinogradA, -kWinogradA, kWinogradB, -kWinogradB}
                                             : std::vector<double>{0, 1, -1};
  const std::size_t last = points.size();
  // Coefficients of the product of x - p[j] over all j but `left_out`.
  const auto coefficients = [&](std::size_t left_out, double* to) {
    to[0] = 1;
    std::size_t degree = 0;
    for (std::size_t j = 0; j < last; ++j) {
      if (j == left_out) continue;
      ++degree;
      for (std::size_t k = degree; k > 0; --k) to[k] = to[k - 1] - points[j] * to[k];
      to[0] *= -points[j];
    }
  };
  for (std::size_t i = 0; i < last; ++i) {
    coefficients(i, input[i]);
    double scale = 1;
    for (std::size_t j = 0; j < last; ++j) scale *= j == i ? 1.0 : points[i] - points[j];
    for (std::size_t k = 0; k < 3; ++k) filter[i][k] = std::pow(points[i], static_cast<double>(k)) / scale;
    for (std::size_t k = 0; k < edge; ++k) output[k][i] = std::pow(points[i], static_cast<double>(k));
  }
  coefficients(last, input[last]);
  filter[last][2] = 1;
  output[edge - 1][last] = 1;
}

const WinogradMatrices& winograd_matrices(std::size_t edge) {
  static const WinogradMatrices kTwo(2);
  static const WinogradMatrices kFour(4);
  return edge == 4 ? kFour : kTwo;
}

void winograd_weights(const Loops& loops, std::size_t edge, const float* weights, std::size_t columns,
                      std::size_t channels, float* packed) {
  const WinogradMatrices& m = winograd_matrices(edge);
  std::vector<float> position(columns * channels);
  for (std::size_t i = 0; i < m.reach; ++i) {
    for (std::size_t j = 0; j < m.reach; ++j) {
      double factors[9];
      for (std::size_t k = 0; k < 9; ++k) factors[k] = m.filter[i][k / 3] * m.filter[j][k % 3];
      for (std::size_t at = 0; at < position.size(); ++at) {
        double sum = 0;
        for (std::size_t k = 0; k < 9; ++k) sum += factors[k] * static_cast<double>(weights[at * 9 + k]);
        position[at] = static_cast<float>(sum);
      }
      pack_weights(loops, position.data(), columns, channels, packed);
      packed += (columns + 7) / 8 * 8 * channels;
    }
  }
}

}  // namespace ptrun::kernels
