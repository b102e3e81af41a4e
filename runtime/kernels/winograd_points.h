// The matrices of Winograd's minimal filtering F(edge, 3): results = output (filter weights * input pixels).
#pragma once

#include <cstddef>

namespace ptrun::kernels {

// The points of F(4, 3) are 0, a, -a, b, -b and infinity. With 1 and 2 (Lavin and Gray 2015) results of 256 channels
// are twice as far from the exact ones (8e-7 of their range, root mean square), at most three times; these and their
// products are exact in binary.
constexpr double kWinogradA = 0.625;
constexpr double kWinogradB = 1.5;

// Toom and Cook's construction: with points p (the last one infinity) and N[i] the product of p[i] - p[j] over j != i,
//   output[i][j] = p[j]^i, filter[i][j] = p[i]^j / N[i], input[i] = coefficients of the product of x - p[j] over j !=
//   i.
struct WinogradMatrices {
  std::size_t edge, reach;
  double input[6][6] = {};
  double filter[6][3] = {};
  double output[4][6] = {};
  explicit WinogradMatrices(std::size_t of);
};
const WinogradMatrices& winograd_matrices(std::size_t edge);  // 2 or 4

}  // namespace ptrun::kernels
