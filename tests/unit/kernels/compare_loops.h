// What the tests of loops share: numbers, and how close results of two sets are.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include "kernels/elements.h"
#include "kernels/kernels.h"

namespace ptrun::kernels {

using Sizes = std::initializer_list<std::size_t>;

template <typename E>
const Loops* loops_of(const Set& set) {
  return sizeof(E) == 2 ? set.bfloat16 : set.float32;
}

// Both round sums of another order once; in bfloat16 that may be a step of 2^-8 apart.
template <typename E>
void expect_close(const std::vector<E>& expected, const std::vector<E>& found, const std::string& what) {
  ASSERT_EQ(expected.size(), found.size());
  const float relative = sizeof(E) == 2 ? 1.0F / 128 : 1e-5F;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const float wanted = widen(expected[i]);
    const float bound = relative * std::max(1.0F, std::abs(wanted));
    ASSERT_NEAR(wanted, widen(found[i]), bound) << what << ", element " << i;
  }
}

class Numbers {
 public:
  template <typename E>
  std::vector<E> make(std::size_t count) {
    std::vector<E> values(count);
    for (E& value : values) narrow(range_(engine_), value);
    return values;
  }

 private:
  std::mt19937 engine_{20260101};
  std::uniform_real_distribution<float> range_{-1.5F, 1.5F};
};

}  // namespace ptrun::kernels
