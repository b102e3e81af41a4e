// Dense convolutions on the pixels themselves, against sums in double.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "kernels/elements.h"
#include "kernels/kernels.h"

namespace ptrun::kernels {
namespace {

struct Shape {
  std::size_t images, height, width, channels, kernel_height, kernel_width, padding, columns;
};

// Channels and columns that fill no tile, images smaller than a tile and larger than a band, filters of one tap and of
// one row, several images in one step.
const std::vector<Shape> kShapes = {
    {1, 7, 7, 32, 3, 3, 1, 32}, {3, 7, 7, 40, 3, 3, 1, 24},    {2, 14, 14, 16, 3, 3, 0, 9}, {1, 5, 19, 33, 1, 3, 0, 40},
    {2, 6, 4, 3, 5, 5, 2, 17},  {1, 130, 75, 48, 3, 3, 1, 8},  {20, 4, 4, 64, 3, 3, 1, 48}, {1, 1, 1, 31, 1, 1, 0, 1},
    {1, 3, 3, 65, 3, 3, 0, 33}, {1, 40, 33, 1200, 3, 3, 1, 8}, {1, 9, 16, 32, 7, 1, 0, 16}};

template <typename E>
class Layer {
 public:
  explicit Layer(const Shape& s)
      : s_(s),
        out_height_(s.height + 2 * s.padding - s.kernel_height + 1),
        out_width_(s.width + 2 * s.padding - s.kernel_width + 1),
        in(s.images * s.height * s.width * s.channels),
        weights_(s.columns * s.kernel_height * s.kernel_width * s.channels),
        other_(results()),
        bias_((s.columns + 7) / 8 * 8) {
    for (E& value : in) narrow(range_(engine_), value);
    for (float& value : weights_) {
      E rounded{};
      narrow(range_(engine_), rounded);
      value = widen(rounded);
    }
    for (E& value : other_) narrow(range_(engine_), value);
    for (std::size_t i = 0; i < s.columns; ++i) bias_[i] = range_(engine_);
  }

  std::size_t results() const { return s_.images * out_height_ * out_width_ * s_.columns; }

  // max(0, convolution + bias + other), and the sum of its terms' sizes.
  std::pair<double, double> exact(std::size_t at) const {
    const std::size_t column = at % s_.columns;
    const std::size_t x = at / s_.columns % out_width_;
    const std::size_t y = at / s_.columns / out_width_ % out_height_;
    const std::size_t image = at / s_.columns / out_width_ / out_height_;
    double sum = static_cast<double>(bias_[column]) + static_cast<double>(widen(other_[at]));
    double size = std::abs(sum);
    for (std::size_t j = 0; j < s_.kernel_height; ++j) {
      for (std::size_t i = 0; i < s_.kernel_width; ++i) {
        const std::size_t row = y + j - s_.padding;
        const std::size_t place = x + i - s_.padding;
        if (row >= s_.height || place >= s_.width) continue;
        const E* pixel = in.data() + ((image * s_.height + row) * s_.width + place) * s_.channels;
        const float* tap = weights_.data() + ((column * s_.kernel_height + j) * s_.kernel_width + i) * s_.channels;
        for (std::size_t c = 0; c < s_.channels; ++c) {
          const double term = static_cast<double>(widen(pixel[c])) * static_cast<double>(tap[c]);
          sum += term;
          size += std::abs(term);
        }
      }
    }
    return {std::max(sum, 0.0), size};
  }

  // In steps of `rows` rows.
  std::vector<E> run(const DenseLoops& loops, std::size_t rows, bool in_place) const {
    const std::size_t taps = s_.kernel_height * s_.kernel_width;
    const std::size_t padded = (s_.channels + loops.lanes - 1) / loops.lanes * loops.lanes;
    std::vector<float> wide(s_.columns * taps * padded);
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      wide[i / s_.channels * padded + i % s_.channels] = weights_[i];
    }
    std::vector<std::uint16_t> packed(loops.parts * loops.part_size(s_.columns, taps * padded));
    loops.pack(wide.data(), s_.columns, taps * padded, packed.data());
    std::vector<E> out(results() + 1, E{7});
    if (in_place) std::copy(other_.begin(), other_.end(), out.begin());
    DenseConvolution c;
    c.in = in.data();
    c.height = s_.height;
    c.width = s_.width;
    c.channels = s_.channels;
    c.kernel_height = s_.kernel_height;
    c.kernel_width = s_.kernel_width;
    c.padding = s_.padding;
    c.weights = packed.data();
    c.bias = bias_.data();
    c.other = in_place ? out.data() : other_.data();
    c.out = out.data();
    c.out_height = out_height_;
    c.out_width = out_width_;
    c.columns = s_.columns;
    c.epilogue.low = 0;
    c.epilogue.after_addition = true;
    std::vector<float> scratch(loops.scratch(c) + 1, 7.0F);
    const std::size_t all = s_.images * out_height_;
    for (std::size_t first = 0; first < all; first += rows) {
      loops.run(c, first, std::min(first + rows, all), scratch.data());
    }
    EXPECT_EQ(scratch.back(), 7.0F);
    EXPECT_EQ(out.back(), E{7});
    out.pop_back();
    return out;
  }

 private:
  Shape s_;
  std::size_t out_height_, out_width_;
  std::mt19937 engine_{20261201};
  std::uniform_real_distribution<float> range_{-1.5F, 1.5F};

 public:
  std::vector<E> in;

 private:
  std::vector<float> weights_;
  std::vector<E> other_;
  std::vector<float> bias_;
};

struct Found {
  const DenseLoops* loops;
  double bound;  // of the error, as a share of the terms' sum
};

template <typename E>
std::vector<Found> dense_loops() {
  std::vector<Found> found;
  for (const Set& set : sets()) {
    const Loops* loops = sizeof(E) == 2 ? set.bfloat16 : set.float32;
    if (!set.usable() || loops == nullptr) continue;
    if (loops->dense != nullptr) found.push_back({loops->dense, sizeof(E) == 2 ? 1e-2 : 1e-6});
    if (loops->coarse_dense != nullptr) found.push_back({loops->coarse_dense, 2e-5});
  }
  return found;
}

std::string text_of(const Shape& s) {
  return std::to_string(s.images) + " x " + std::to_string(s.height) + " x " + std::to_string(s.width) + " x " +
         std::to_string(s.channels) + ", " + std::to_string(s.kernel_height) + " x " + std::to_string(s.kernel_width) +
         " to " + std::to_string(s.columns);
}

constexpr const char* kNone = "this processor has no loops for dense convolutions";

template <typename E>
void compare() {
  const std::vector<Found> all = dense_loops<E>();
  if (all.empty()) GTEST_SKIP() << kNone;
  for (const Found& dense : all) {
    for (const Shape& shape : kShapes) {
      const Layer<E> layer(shape);
      const std::vector<E> found = layer.run(*dense.loops, 1000000, false);
      // Every tenth of many.
      const std::size_t step = found.size() > 20000 ? 10 : 1;
      for (std::size_t i = 0; i < found.size(); i += step) {
        const auto [exact, size] = layer.exact(i);
        ASSERT_NEAR(exact, static_cast<double>(widen(found[i])), dense.bound * size)
            << text_of(shape) << ", " << dense.loops->parts << " parts, element " << i;
      }
      EXPECT_EQ(found, layer.run(*dense.loops, 3, true)) << text_of(shape);
    }
  }
}

TEST(DenseConvolutions, Float32IsCloseToSumsInDouble) { compare<float>(); }
TEST(DenseConvolutions, Bfloat16IsCloseToSumsInDouble) { compare<std::uint16_t>(); }

TEST(DenseConvolutions, ANumberThatIsNotFiniteSpoilsTheResultsAlone) {
  constexpr Shape kShape = {2, 9, 20, 40, 3, 3, 1, 40};
  const std::vector<Found> all = dense_loops<float>();
  if (all.empty()) GTEST_SKIP() << kNone;
  for (const Found& dense : all) {
    Layer<float> layer(kShape);
    const std::vector<float> clean = layer.run(*dense.loops, 100, false);
    layer.in[(4 * 20 + 7) * 40 + 3] = std::numeric_limits<float>::infinity();
    const std::vector<float> found = layer.run(*dense.loops, 100, false);
    for (std::size_t i = 0; i < found.size(); ++i) {
      const std::size_t x = i / 40 % 20;
      const std::size_t y = i / 40 / 20;
      if (y >= 3 && y <= 5 && x >= 6 && x <= 8) continue;
      ASSERT_EQ(clean[i], found[i]) << i;
    }
  }
}

}  // namespace
}  // namespace ptrun::kernels
