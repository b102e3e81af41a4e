// Winograd's transforms: every set against the plain one, and the plain one's convolution against its definition.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "kernels/kernels.h"

namespace ptrun::kernels {
namespace {

std::vector<float> random_numbers(std::size_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> range(-1.5F, 1.5F);
  std::vector<float> values(count);
  for (float& value : values) value = range(engine);
  return values;
}

struct Case {
  std::size_t edge, images, height, width, channels, columns, padding;
  friend void PrintTo(const Case& c, std::ostream* out) {
    *out << "edge " << c.edge << ", " << c.images << " x " << c.channels << " x " << c.height << " x " << c.width
         << " to " << c.columns << ", padding " << c.padding;
  }
};

std::size_t whole(std::size_t count) { return (count + kWinogradLanes - 1) / kWinogradLanes * kWinogradLanes; }

// A layer's memory.
struct Made {
  explicit Made(const Case& c)
      : in(random_numbers(c.images * c.height * c.width * c.channels, 1)),
        filters(random_numbers(c.columns * c.channels * 9, 2)),
        bias(random_numbers(c.columns, 3)),
        zeros(std::max(c.channels, c.columns + 8)) {
    layer.edge = c.edge;
    layer.in = in.data();
    layer.height = c.height;
    layer.width = c.width;
    layer.channels = c.channels;
    layer.padding = c.padding;
    layer.zeros = zeros.data();
    layer.bias = bias.data();
    layer.out_height = c.height + 2 * c.padding - 2;
    layer.out_width = c.width + 2 * c.padding - 2;
    layer.columns = c.columns;
    tiles = c.images * layer.tile_rows() * layer.tile_columns();
    other = random_numbers(c.images * layer.out_height * layer.out_width * c.columns, 4);
    layer.in_row = whole(c.channels) + 16;
    layer.out_row = whole(c.columns) + 32;
    layer.in_position = tiles * layer.in_row + 5;
    layer.out_position = tiles * layer.out_row + 3;
  }

  std::vector<float> transformed(const Loops& loops) const {
    std::vector<float> to(layer.positions() * layer.in_position);
    loops.winograd_input(layer, 0, tiles, to.data());
    return to;
  }

  // The tiles from `first` on, the columns from `first_column` on; one number behind the result is left alone.
  std::vector<float> results(const Loops& loops, const std::vector<float>& products, const Epilogue& epilogue,
                             bool adds, std::size_t first = 0, std::size_t first_column = 0) const {
    std::vector<float> out(other.size() + 1, 7.0F);
    Winograd piece = layer;
    piece.out = out.data();
    piece.other = adds ? other.data() : nullptr;
    piece.epilogue = epilogue;
    loops.winograd_output(piece, first, tiles, first_column, layer.columns, products.data());
    EXPECT_EQ(out.back(), 7.0F);
    return out;
  }

  // Filters transformed, and the products of all positions.
  std::vector<float> products(const Loops& loops, const std::vector<float>& rows) const {
    const std::size_t columns = (layer.columns + 7) / 8 * 8;
    std::vector<float> packed(layer.positions() * columns * layer.channels);
    winograd_weights(loops, layer.edge, filters.data(), layer.columns, layer.channels, packed.data());
    std::vector<float> sums(layer.positions() * layer.out_position);
    std::vector<float> scratch(kProductScratch);
    for (std::size_t position = 0; position < layer.positions(); ++position) {
      Product product;
      product.rows = rows.data() + position * layer.in_position;
      product.row_stride = layer.in_row;
      product.row_count = tiles;
      product.depth = layer.channels;
      product.weights = packed.data() + position * columns * layer.channels;
      product.columns = product.last_column = columns;
      product.bias = zeros.data();
      product.out = sums.data() + position * layer.out_position;
      product.out_stride = layer.out_row;
      product.scratch = scratch.data();
      loops.product(product);
    }
    return sums;
  }

  double expected(std::size_t image, std::size_t y, std::size_t x, std::size_t column) const {
    double sum = bias[column];
    for (std::size_t j = 0; j < 3; ++j) {
      for (std::size_t i = 0; i < 3; ++i) {
        const std::size_t row = y + j - layer.padding;
        const std::size_t at = x + i - layer.padding;
        if (row >= layer.height || at >= layer.width) continue;
        for (std::size_t c = 0; c < layer.channels; ++c) {
          sum += static_cast<double>(in[((image * layer.height + row) * layer.width + at) * layer.channels + c]) *
                 static_cast<double>(filters[(column * layer.channels + c) * 9 + j * 3 + i]);
        }
      }
    }
    return sum;
  }

  std::vector<float> in, filters, bias, zeros, other;
  Winograd layer;
  std::size_t tiles = 0;
};

class WinogradSizes : public ::testing::TestWithParam<Case> {};

void expect_close(const std::vector<float>& expected, const std::vector<float>& found, float bound) {
  ASSERT_EQ(expected.size(), found.size());
  for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(expected[i], found[i], bound) << i;
}

TEST_P(WinogradSizes, EverySetIsAConvolution) {
  const Made made(GetParam());
  for (const Set& set : sets()) {
    if (!set.usable()) continue;
    SCOPED_TRACE(set.name);
    const Loops& loops = *set.float32;
    const std::vector<float> out = made.results(loops, made.products(loops, made.transformed(loops)), {}, false);
    const Winograd& w = made.layer;
    for (std::size_t i = 0; i + 1 < out.size(); ++i) {
      const std::size_t pixel = i / w.columns;
      const std::size_t row = pixel / w.out_width;
      ASSERT_NEAR(made.expected(row / w.out_height, row % w.out_height, pixel % w.out_width, i % w.columns), out[i],
                  1e-4)
          << i;
    }
  }
}

TEST_P(WinogradSizes, EverySetGivesThePlainOnesTransforms) {
  const Made made(GetParam());
  const Loops& plain = *sets().back().float32;
  const std::vector<float> rows = made.transformed(plain);
  const std::vector<float> products = random_numbers(made.layer.positions() * made.layer.out_position, 5);
  for (const Set& set : sets()) {
    if (!set.usable()) continue;
    SCOPED_TRACE(set.name);
    const Loops& loops = *set.float32;
    // What rows have behind their channels is not read.
    std::vector<float> found = made.transformed(loops);
    for (std::size_t i = 0; i < found.size(); ++i) {
      const std::size_t at = i % made.layer.in_position;
      if (at % made.layer.in_row >= made.layer.channels || at >= made.tiles * made.layer.in_row) found[i] = rows[i];
    }
    expect_close(rows, found, 2e-5F);
    for (const Activation activation :
         {Activation::clamp, Activation::hardswish, Activation::hardsigmoid, Activation::sigmoid, Activation::silu,
          Activation::gelu, Activation::gelu_tanh}) {
      for (const bool after : {false, true}) {
        const Epilogue epilogue{activation, -0.5F, 3.0F, after};
        for (const bool adds : {false, true}) {
          expect_close(made.results(plain, products, epilogue, adds), made.results(loops, products, epilogue, adds),
                       5e-4F);
        }
      }
    }
    if (made.layer.columns <= kWinogradLanes) continue;
    expect_close(made.results(plain, products, {}, true, made.tiles / 2, kWinogradLanes),
                 made.results(loops, products, {}, true, made.tiles / 2, kWinogradLanes), 5e-4F);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, WinogradSizes,
                         ::testing::Values(Case{4, 1, 14, 14, 16, 32, 1}, Case{4, 2, 7, 7, 24, 40, 1},
                                           Case{4, 3, 13, 9, 5, 3, 0}, Case{4, 1, 3, 3, 33, 17, 0},
                                           Case{4, 2, 1, 1, 7, 9, 1}, Case{4, 1, 1, 21, 8, 8, 1},
                                           Case{2, 1, 14, 14, 16, 32, 1}, Case{2, 2, 7, 7, 24, 40, 1},
                                           Case{2, 3, 13, 9, 5, 3, 0}, Case{2, 1, 3, 3, 33, 17, 0}));

TEST(Winograd, PassesNaNAndInfinityOnInTheirTilesOnly) {
  Made made(Case{4, 1, 12, 12, 18, 20, 1});
  made.in[(5 * 12 + 5) * 18 + 17] = INFINITY;
  for (const Set& set : sets()) {
    if (!set.usable()) continue;
    SCOPED_TRACE(set.name);
    const Loops& loops = *set.float32;
    const auto out = made.results(loops, made.products(loops, made.transformed(loops)), {}, false);
    for (std::size_t i = 0; i + 1 < out.size(); ++i) {
      const std::size_t y = i / 20 / 12;
      const std::size_t x = i / 20 % 12;
      const bool inside = y >= 4 && y <= 6 && x >= 4 && x <= 6;
      const bool seen = y >= 4 && y < 8 && x >= 4 && x < 8;  // the pixel is inside of one tile, at its edge of no other
      if (inside) {
        ASSERT_FALSE(std::isfinite(out[i])) << y << " " << x;
      } else if (!seen) {
        ASSERT_TRUE(std::isfinite(out[i])) << y << " " << x;
      }
    }
  }
}

// Of deep layers: results lose about a digit beside sums in order, and no more.
TEST(Winograd, DeepSumsStayExact) {
  const Made made(Case{4, 1, 8, 8, 512, 8, 1});
  for (const Set& set : sets()) {
    if (!set.usable()) continue;
    SCOPED_TRACE(set.name);
    const Loops& loops = *set.float32;
    const auto out = made.results(loops, made.products(loops, made.transformed(loops)), {}, false);
    double range = 0;
    double most = 0;
    for (std::size_t i = 0; i + 1 < out.size(); ++i) {
      const double expected = made.expected(0, i / 8 / 8, i / 8 % 8, i % 8);
      range = std::max(range, std::abs(expected));
      most = std::max(most, std::abs(expected - static_cast<double>(out[i])));
    }
    EXPECT_LT(most / range, 1e-5);
  }
}

}  // namespace
}  // namespace ptrun::kernels
