// Products with seven multiplications for eight: float32 against double, integers against the usual product.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "kernels/kernels.h"

namespace ptrun::kernels {
namespace {

struct Shape {
  std::size_t rows, depth, columns;
};

// Rows that fill no tile, an odd one, a block and a row more; a depth of one part, of two and of a short last one.
const std::vector<Shape> kShapes = {{1, 4, 64},    {2, 8, 128},    {13, 36, 64},   {15, 260, 64},
                                    {29, 64, 192}, {57, 1024, 64}, {31, 1028, 64}, {449, 68, 64}};

class Layer {
 public:
  explicit Layer(const Shape& shape) : shape_(shape), weights_(shape.columns * shape.depth) {
    fill(rows);
    fill(weights_);
    fill(bias_);
    fill(other_);
  }

  std::vector<double> exact() const {
    std::vector<double> sums(shape_.rows * shape_.columns);
    for (std::size_t at = 0; at < sums.size(); ++at) {
      const float* row = rows.data() + at / shape_.columns * shape_.depth;
      const float* column = weights_.data() + at % shape_.columns * shape_.depth;
      double sum = static_cast<double>(bias_[at % shape_.columns]) + static_cast<double>(other_[at]);
      for (std::size_t k = 0; k < shape_.depth; ++k)
        sum += static_cast<double>(row[k]) * static_cast<double>(column[k]);
      sums[at] = std::max(sum, 0.0);
    }
    return sums;
  }

  // relu(rows x weights + bias + other), in two steps of columns where there is more than one pair of panels.
  std::vector<float> run(const Loops& loops, bool deep) const {
    const bool integers = loops.element == Element::int16;
    const std::size_t count = weights_.size();
    std::vector<std::int16_t> whole(integers ? count : 0), packed_integers(2 * whole.size());
    std::vector<std::int16_t> row_integers(integers ? rows.size() : 0);
    std::vector<float> packed(integers ? 0 : 2 * count), column_scales(shape_.columns), row_scales(shape_.rows);
    const void* from = weights_.data();
    void* to = packed.data();
    if (integers) {
      quantise_weights(weights_.data(), shape_.columns, shape_.depth, whole.data(), column_scales.data(),
                       kLargestStrassenWeight);
      loops.quantise(rows.data(), shape_.rows, shape_.depth, row_integers.data(), row_scales.data());
      from = whole.data();
      to = packed_integers.data();
    }
    (deep ? pack_strassen : pack_weights)(loops, from, shape_.columns, shape_.depth, to);
    std::vector<float> scratch(deep ? strassen_scratch(loops, shape_.rows, shape_.depth) + 1 : kProductScratch + 1,
                               0.0F);
    scratch.back() = 7;
    std::vector<float> out(shape_.rows * shape_.columns + 1, 7.0F);  // a number behind it that nobody may touch
    Product product;
    product.rows = integers ? static_cast<const void*>(row_integers.data()) : rows.data();
    product.row_count = shape_.rows;
    product.depth = shape_.depth;
    product.weights = to;
    product.columns = shape_.columns;
    product.bias = bias_.data();
    product.other = other_.data();
    product.out = out.data();
    product.row_scales = row_scales.data();
    product.column_scales = column_scales.data();
    product.epilogue.low = 0;
    product.epilogue.after_addition = true;
    product.scratch = scratch.data();
    for (const std::size_t first : {std::size_t{0}, std::size_t{64}}) {
      product.first_column = first;
      product.last_column = first == 0 ? std::min<std::size_t>(64, shape_.columns) : shape_.columns;
      if (product.first_column < product.last_column) (deep ? loops.strassen : loops.product)(product);
    }
    EXPECT_EQ(out.back(), 7.0F);
    EXPECT_EQ(scratch.back(), 7.0F);
    out.pop_back();
    return out;
  }

 private:
  void fill(std::vector<float>& values) {
    for (float& value : values) value = range_(engine_);
  }

  Shape shape_;
  std::mt19937 engine_{20261130};
  std::uniform_real_distribution<float> range_{-1.5F, 1.5F};
  std::vector<float> weights_;
  std::vector<float> bias_ = std::vector<float>(shape_.columns);
  std::vector<float> other_ = std::vector<float>(shape_.rows * shape_.columns);

 public:
  std::vector<float> rows = std::vector<float>(shape_.rows * shape_.depth);
};

// Those of this processor for which `use` finds deep products. The plain loops have none, nor has AVX2.
std::vector<const Loops*> deep_loops(const Loops* Set::*element) {
  std::vector<const Loops*> found;
  for (const Set& set : sets()) {
    if (set.usable() && set.*element != nullptr && (set.*element)->strassen != nullptr) found.push_back(set.*element);
  }
  return found;
}

double largest_error(const std::vector<double>& exact, const std::vector<float>& found) {
  double largest = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    largest = std::max(largest, std::abs(exact[i] - static_cast<double>(found[i])));
  }
  return largest;
}

TEST(Strassen, Float32IsAboutAsExactAsTheUsualProduct) {
  for (const Loops* loops : deep_loops(&Set::float32)) {
    for (const Shape& shape : kShapes) {
      const Layer layer(shape);
      const std::vector<double> exact = layer.exact();
      EXPECT_LT(largest_error(exact, layer.run(*loops, true)),
                4 * largest_error(exact, layer.run(*loops, false)) + 4e-7)
          << shape.rows << "x" << shape.depth << "x" << shape.columns;
    }
  }
}

TEST(Strassen, IntegersGiveTheSameBits) {
  for (const Loops* loops : deep_loops(&Set::int16)) {
    for (const Shape& shape : kShapes) {
      const Layer layer(shape);
      EXPECT_EQ(layer.run(*loops, false), layer.run(*loops, true)) << shape.rows << "x" << shape.depth;
    }
  }
}

TEST(Strassen, ARowThatIsNotFiniteSpoilsNoOther) {
  for (const Loops* loops : deep_loops(&Set::float32)) {
    for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 3e38F}) {
      constexpr Shape kShape = {57, 1028, 128};
      Layer layer(kShape);
      const std::vector<double> exact = layer.exact();
      constexpr std::size_t kBad = 30;
      std::fill_n(layer.rows.begin() + kBad * kShape.depth + 5, 40, bad);
      const std::vector<float> found = layer.run(*loops, true);
      for (std::size_t i = 0; i < found.size(); ++i) {
        if (i / kShape.columns == kBad) continue;
        ASSERT_NEAR(exact[i], static_cast<double>(found[i]), 1e-4) << bad << ", row " << i / kShape.columns;
      }
    }
  }
}

TEST(Strassen, PairsOfPanelsAndADepthInFoursHaveOne) {
  const Loops& plain = *sets().back().float32;
  EXPECT_FALSE(has_strassen(plain, 64, 64));
  for (const Loops* loops : deep_loops(&Set::float32)) {
    EXPECT_TRUE(has_strassen(*loops, 2 * loops->panel, 4));
    EXPECT_FALSE(has_strassen(*loops, loops->panel, 4));
    EXPECT_FALSE(has_strassen(*loops, 2 * loops->panel, 6));
  }
}

}  // namespace
}  // namespace ptrun::kernels
