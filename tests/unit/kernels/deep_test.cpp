// Deep products: float32 against double, integers against the usual product.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "kernels/kernels.h"

namespace ptrun::kernels {
namespace {

struct Shape {
  std::size_t rows, depth, columns;
};

// Rows that fill no tile, an odd one, a block and a row more; a depth of one part, of two and of a short last one;
// columns that fill no panel.
const std::vector<Shape> kShapes = {{1, 4, 64},      {2, 8, 128},    {13, 36, 64},  {15, 260, 64},  {29, 64, 192},
                                    {57, 1024, 64},  {31, 1028, 64}, {449, 68, 64}, {33, 31, 37},   {16, 1, 8},
                                    {450, 2048, 24}, {97, 96, 66},   {5, 66, 15},   {1000, 32, 88}, {17, 33, 1}};

class Layer {
 public:
  explicit Layer(const Shape& shape) : shape_(shape), weights_(shape.columns * shape.depth) {
    fill(rows);
    fill(weights_);
    fill(bias_);
    std::fill(bias_.begin() + static_cast<std::ptrdiff_t>(shape.columns), bias_.end(), 0.0F);
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

  // The sums of the terms' sizes, which errors are measured by.
  double largest_sum() const {
    double largest = 0;
    for (std::size_t at = 0; at < shape_.rows * shape_.columns; ++at) {
      double sum = 0;
      for (std::size_t k = 0; k < shape_.depth; ++k) {
        sum += std::abs(static_cast<double>(rows[at / shape_.columns * shape_.depth + k]) *
                        static_cast<double>(weights_[at % shape_.columns * shape_.depth + k]));
      }
      largest = std::max(largest, sum);
    }
    return largest;
  }

  // relu(rows x weights + bias + other), in two steps of columns where there are more than 64. By the usual product
  // where there is no `deep`.
  std::vector<float> run(const Loops& loops, const DeepProduct* deep, bool in_place = false) const {
    const bool integers = loops.element == Element::int16;
    std::vector<std::int16_t> whole(integers ? weights_.size() : 0);
    std::vector<std::int16_t> row_integers(integers ? rows.size() : 0);
    std::vector<float> column_scales(padded()), row_scales(shape_.rows);
    const std::size_t usual = padded() * shape_.depth * sizeof(float);
    std::vector<char> packed(
        deep == nullptr ? usual : deep->parts * deep->part_size(shape_.columns, shape_.depth) * sizeof(float) + 1, 7);
    const void* from = weights_.data();
    if (integers) {
      quantise_weights(weights_.data(), shape_.columns, shape_.depth, whole.data(), column_scales.data(), 16383);
      loops.quantise(rows.data(), shape_.rows, shape_.depth, row_integers.data(), row_scales.data());
      from = whole.data();
    }
    if (deep == nullptr) {
      pack_weights(loops, from, shape_.columns, shape_.depth, packed.data());
    } else {
      deep->pack(from, shape_.columns, shape_.depth, packed.data());
    }
    std::vector<float> scratch((deep == nullptr ? kProductScratch : deep->scratch(shape_.rows, shape_.depth)) + 1,
                               0.0F);
    scratch.back() = 7;
    std::vector<float> out(shape_.rows * shape_.columns + 1, 7.0F);  // a number behind it that nobody may touch
    if (in_place) std::copy(other_.begin(), other_.end(), out.begin());
    Product product;
    product.rows = integers ? static_cast<const void*>(row_integers.data()) : rows.data();
    product.row_count = shape_.rows;
    product.depth = shape_.depth;
    product.weights = packed.data();
    product.columns = shape_.columns;
    product.bias = bias_.data();
    product.other = in_place ? out.data() : other_.data();
    product.out = out.data();
    product.row_scales = row_scales.data();
    product.column_scales = column_scales.data();
    product.epilogue.low = 0;
    product.epilogue.after_addition = true;
    product.scratch = scratch.data();
    for (const std::size_t first : {std::size_t{0}, std::size_t{64}}) {
      product.first_column = first;
      product.last_column = first == 0 ? std::min<std::size_t>(64, shape_.columns) : shape_.columns;
      if (product.first_column >= product.last_column) continue;
      (deep == nullptr ? loops.product : deep->product)(product);
    }
    EXPECT_EQ(out.back(), 7.0F);
    EXPECT_EQ(scratch.back(), 7.0F);
    out.pop_back();
    return out;
  }

  std::size_t padded() const { return (shape_.columns + 7) / 8 * 8; }
  bool fits(const DeepProduct& deep) const { return deep.fits(shape_.columns, shape_.depth); }

 private:
  void fill(std::vector<float>& values) {
    for (float& value : values) value = range_(engine_);
  }

  Shape shape_;
  std::mt19937 engine_{20261130};
  std::uniform_real_distribution<float> range_{-1.5F, 1.5F};
  std::vector<float> weights_;
  std::vector<float> bias_ = std::vector<float>(padded());
  std::vector<float> other_ = std::vector<float>(shape_.rows * shape_.columns);

 public:
  std::vector<float> rows = std::vector<float>(shape_.rows * shape_.depth);
};

// Those of this processor that have deep products. The plain loops have none, nor has AVX2.
std::vector<const Loops*> deep_loops(const Loops* Set::*element) {
  std::vector<const Loops*> found;
  for (const Set& set : sets()) {
    if (set.usable() && set.*element != nullptr && (set.*element)->deep != nullptr) found.push_back(set.*element);
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

std::string text_of(const DeepProduct& deep, const Shape& shape) {
  return std::to_string(deep.parts) + " parts, " + std::to_string(shape.rows) + " x " + std::to_string(shape.depth) +
         " x " + std::to_string(shape.columns);
}

TEST(DeepProduct, Float32IsAboutAsExactAsTheUsualProduct) {
  for (const Loops* loops : deep_loops(&Set::float32)) {
    for (const Shape& shape : kShapes) {
      const Layer layer(shape);
      if (!layer.fits(*loops->deep)) continue;
      const std::vector<double> exact = layer.exact();
      const double usual = largest_error(exact, layer.run(*loops, nullptr));
      EXPECT_LT(largest_error(exact, layer.run(*loops, loops->deep)), 4 * usual + 4e-7) << text_of(*loops->deep, shape);
    }
  }
}

TEST(DeepProduct, TheCoarseOneHasSixteenDigits) {
  if (best_loops(Element::float32)->coarse == nullptr) GTEST_SKIP() << "this processor has no coarse product";
  for (const Loops* loops : deep_loops(&Set::float32)) {
    if (loops->coarse == nullptr) continue;
    for (const Shape& shape : kShapes) {
      const Layer layer(shape);
      const double error = largest_error(layer.exact(), layer.run(*loops, loops->coarse));
      EXPECT_LT(error, 2e-5 * layer.largest_sum() + 4e-7) << text_of(*loops->coarse, shape);
      // It is not the exact one.
      if (shape.depth < 64) continue;
      EXPECT_GT(error, 1e-8 * layer.largest_sum()) << text_of(*loops->coarse, shape);
    }
  }
}

TEST(DeepProduct, TheOneOfDigitsHasFourteenOfTheLargestNumber) {
  if (best_loops(Element::float32)->digits == nullptr) GTEST_SKIP() << "this processor has no product of digits";
  for (const Loops* loops : deep_loops(&Set::float32)) {
    if (loops->digits == nullptr) continue;
    for (const Shape& shape : kShapes) {
      Layer layer(shape);
      // Rows and columns have scales of their own.
      for (std::size_t i = 0; i < shape.depth; ++i) layer.rows[i] *= 1e-20F;
      const double error = largest_error(layer.exact(), layer.run(*loops, loops->digits));
      EXPECT_LT(error, 1e-4 * layer.largest_sum() + 4e-7) << text_of(*loops->digits, shape);
      // It is not the coarse one.
      if (shape.depth < 64) continue;
      EXPECT_GT(error, 2e-7 * layer.largest_sum()) << text_of(*loops->digits, shape);
    }
  }
}

TEST(DeepProduct, ResultsMayStandInTheSummandsMemory) {
  for (const Loops* loops : deep_loops(&Set::float32)) {
    for (const DeepProduct* deep : {loops->deep, loops->coarse, loops->digits}) {
      for (const Shape& shape : kShapes) {
        const Layer layer(shape);
        if (deep == nullptr || !layer.fits(*deep) || deep->waits(shape.depth)) continue;
        EXPECT_EQ(layer.run(*loops, deep), layer.run(*loops, deep, true)) << text_of(*deep, shape);
      }
    }
  }
}

TEST(DeepProduct, IntegersGiveTheSameBits) {
  for (const Loops* loops : deep_loops(&Set::int16)) {
    for (const Shape& shape : kShapes) {
      const Layer layer(shape);
      if (!layer.fits(*loops->deep)) continue;
      EXPECT_EQ(layer.run(*loops, nullptr), layer.run(*loops, loops->deep)) << text_of(*loops->deep, shape);
    }
  }
}

TEST(DeepProduct, ARowThatIsNotFiniteSpoilsNoOther) {
  for (const Loops* loops : deep_loops(&Set::float32)) {
    for (const DeepProduct* deep : {loops->deep, loops->coarse, loops->digits}) {
      for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 3e38F}) {
        constexpr Shape kShape = {57, 1028, 128};
        if (deep == nullptr) continue;
        Layer layer(kShape);
        const std::vector<double> exact = layer.exact();
        constexpr std::size_t kBad = 30;
        std::fill_n(layer.rows.begin() + kBad * kShape.depth + 5, 40, bad);
        const std::vector<float> found = layer.run(*loops, deep);
        for (std::size_t i = 0; i < found.size(); ++i) {
          if (i / kShape.columns == kBad) continue;
          ASSERT_NEAR(exact[i], static_cast<double>(found[i]), deep == loops->digits ? 1e-2 : 1e-3)
              << bad << ", row " << i / kShape.columns;
        }
      }
    }
  }
}

// One infinity, or a number that has no parts, gives what float32 gives.
TEST(DeepProduct, ARowWithOneInfinityIsWhatFloat32MakesOfIt) {
  if (best_loops(Element::float32)->coarse == nullptr) GTEST_SKIP() << "this processor has no products in parts";
  for (const Loops* loops : deep_loops(&Set::float32)) {
    for (const DeepProduct* deep : {loops->deep, loops->coarse, loops->digits}) {
      if (deep == nullptr || deep->weights != Element::bfloat16) continue;
      const float tolerance = deep == loops->digits ? 1e-2F : 1e-4F;  // small weights have fewer digits
      for (const float bad : {std::numeric_limits<float>::infinity(), 3.395e38F}) {
        constexpr Shape kShape = {40, 70, 40};
        Layer layer(kShape);
        layer.rows[35 * kShape.depth + 3] = bad;
        const std::vector<float> usual = layer.run(*loops, nullptr);
        const std::vector<float> found = layer.run(*loops, deep);
        for (std::size_t column = 0; column < kShape.columns; ++column) {
          const float wanted = usual[35 * kShape.columns + column];
          const float is = found[35 * kShape.columns + column];
          EXPECT_TRUE(std::isinf(wanted) ? is == wanted : std::abs(is - wanted) <= tolerance * std::abs(wanted))
              << wanted << " and " << is;
        }
      }
    }
  }
}

TEST(DeepProduct, StrassensTakesPairsOfPanelsAndADepthInFours) {
  EXPECT_EQ(sets().back().float32->deep, nullptr);
  for (const Loops* loops : deep_loops(&Set::float32)) {
    if (loops->deep->weights != Element::float32) continue;
    EXPECT_TRUE(loops->deep->fits(2 * loops->panel, 4));
    EXPECT_FALSE(loops->deep->fits(loops->panel, 4));
    EXPECT_FALSE(loops->deep->fits(2 * loops->panel, 6));
  }
}

}  // namespace
}  // namespace ptrun::kernels
