// The activations of every set of loops that this processor runs against double arithmetic.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/elements.h"
#include "kernels/kernels.h"

namespace ptrun::kernels {
namespace {

// Each of `values` by itself: rows of a number and a zero, so that pairs of bfloat16 do, times 1.
template <typename E>
std::vector<float> activate(const Loops& loops, Activation activation, const std::vector<float>& values,
                            std::size_t columns) {
  std::vector<E> rows(2 * values.size());
  for (std::size_t i = 0; i < values.size(); ++i) narrow(values[i], rows[2 * i]);
  std::vector<E> weights(2 * columns);
  for (std::size_t i = 0; i < columns; ++i) narrow(1.0F, weights[2 * i]);
  std::vector<E> packed((columns + 7) / 8 * 16);
  pack_weights(loops, weights.data(), columns, 2, packed.data());
  const std::vector<float> bias((columns + 7) / 8 * 8);
  std::vector<float> scratch(kProductScratch);
  std::vector<E> out(values.size() * columns);
  Product product;
  product.rows = rows.data();
  product.row_count = values.size();
  product.depth = 2;
  product.weights = packed.data();
  product.columns = product.last_column = columns;
  product.bias = bias.data();
  product.out = out.data();
  product.epilogue.activation = activation;
  product.scratch = scratch.data();
  loops.product(product);
  std::vector<float> last(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) last[i] = widen(out[(i + 1) * columns - 1]);
  return last;
}

double exact(Activation activation, double x) {
  if (activation == Activation::gelu) return 0.5 * x * std::erfc(-x * std::sqrt(0.5));
  const double sigmoid = 1.0 / (1.0 + std::exp(-x));
  return activation == Activation::silu ? x * sigmoid : sigmoid;
}

template <typename E>
void check(const Loops* loops, std::string_view set) {
  if (loops == nullptr) return;
  std::vector<float> values;
  for (int i = -8500; i <= 8500; i += 7) {
    E stored{};
    narrow(static_cast<float>(i) / 100.0F, stored);
    values.push_back(widen(stored));
  }
  // With rounding to 8 bits 2^-8; else units in the last place.
  const double relative = sizeof(E) == 2 ? 0.0041 : 3.5 * std::numeric_limits<float>::epsilon();
  for (const Activation activation : {Activation::sigmoid, Activation::silu, Activation::gelu}) {
    for (const std::size_t columns : {5U, 8U, 16U, 24U, 32U}) {
      const std::vector<float> found = activate<E>(*loops, activation, values, columns);
      for (std::size_t i = 0; i < values.size(); ++i) {
        const double wanted = exact(activation, values[i]);
        // The error function is known to 1.5e-7.
        const double small = activation == Activation::gelu ? 2e-7 * std::abs(values[i]) : 0.0;
        ASSERT_NEAR(found[i], wanted, relative * std::abs(wanted) + small)
            << set << ", activation " << static_cast<int>(activation) << " of " << values[i] << ", " << columns
            << " columns";
      }
    }
  }
}

TEST(Activations, AreThoseOfDoubleArithmetic) {
  for (const Set& set : sets()) {
    if (!set.usable()) continue;
    check<float>(set.float32, set.name);
    check<std::uint16_t>(set.bfloat16, set.name);
  }
}

TEST(Activations, SaturateWithoutNaN) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const Set& set : sets()) {
    if (!set.usable() || set.float32 == nullptr) continue;
    for (const std::size_t columns : {8U, 32U}) {
      const std::vector<float> values = {-1e30F, -200, 200, 1e30F};
      EXPECT_EQ(activate<float>(*set.float32, Activation::silu, values, columns)[3], 1e30F) << set.name;
      EXPECT_EQ(activate<float>(*set.float32, Activation::silu, values, columns)[2], 200.0F) << set.name;
      EXPECT_NEAR(activate<float>(*set.float32, Activation::silu, values, columns)[1], 0.0F, 1e-30F) << set.name;
      EXPECT_NEAR(activate<float>(*set.float32, Activation::sigmoid, values, columns)[0], 0.0F, 1e-30F) << set.name;
      EXPECT_EQ(activate<float>(*set.float32, Activation::silu, {kInfinity}, columns)[0], kInfinity) << set.name;
    }
  }
}

}  // namespace
}  // namespace ptrun::kernels
