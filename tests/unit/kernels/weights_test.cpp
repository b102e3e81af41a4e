// Weights that are scaled in the order that the product reads.
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "kernels/elements.h"
#include "kernels/kernels.h"

namespace ptrun::kernels {
namespace {

template <typename E>
void compare(const Loops* loops, std::string_view set, std::size_t columns, std::size_t depth) {
  if (loops == nullptr) return;
  std::vector<E> gate(depth), weights(columns * depth), times_gate(columns * depth);
  for (std::size_t k = 0; k < depth; ++k) narrow(0.3F + 0.07F * static_cast<float>(k), gate[k]);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    narrow(0.11F * static_cast<float>(i % 23) - 1.0F, weights[i]);
    narrow(widen(weights[i]) * widen(gate[i % depth]), times_gate[i]);
  }
  std::vector<E> packed((columns + 7) / 8 * 8 * depth), expected(packed.size()), found(packed.size());
  pack_weights(*loops, weights.data(), columns, depth, packed.data());
  pack_weights(*loops, times_gate.data(), columns, depth, expected.data());
  scale_weights(*loops, packed.data(), gate.data(), columns, depth, found.data());
  EXPECT_EQ(found, expected) << set << ", " << columns << " columns, depth " << depth;
}

TEST(ScaledWeights, AreThePackedProductsOfWeightsAndGate) {
  for (const Set& set : sets()) {
    if (!set.usable()) continue;
    for (const std::size_t columns : {1U, 8U, 24U, 40U, 112U, 130U}) {
      for (const std::size_t depth : {2U, 10U, 72U}) {
        compare<float>(set.float32, set.name, columns, depth);
        compare<std::uint16_t>(set.bfloat16, set.name, columns, depth);
      }
    }
  }
}

}  // namespace
}  // namespace ptrun::kernels
