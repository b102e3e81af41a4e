// Every set of loops that this processor runs against the plain one, on sizes that fill no tile, panel or vector.
#include "kernels/kernels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <initializer_list>
#include <random>

#include "compare_loops.h"
#include "kernels/elements.h"

namespace ptrun::kernels {
namespace {

struct Shape {
  std::size_t rows, depth, columns;
};

template <typename E>
void compare_products(const Shape& shape, const Epilogue& epilogue, bool adds) {
  Numbers numbers;
  const auto rows = numbers.make<E>(shape.rows * shape.depth);
  const auto weights = numbers.make<E>(shape.columns * shape.depth);
  const auto other = numbers.make<E>(shape.rows * shape.columns);
  const auto bias = numbers.make<float>((shape.columns + 7) / 8 * 8);
  const auto run = [&](const Loops& loops, std::size_t split) {
    std::vector<E> packed((shape.columns + 7) / 8 * 8 * shape.depth);
    pack_weights(loops, weights.data(), shape.columns, shape.depth, packed.data());
    std::vector<float> scratch(kProductScratch);
    // One number behind the result that nobody may touch.
    std::vector<E> out(shape.rows * shape.columns + 1, E{7});
    Product product;
    product.rows = rows.data();
    product.row_count = shape.rows;
    product.depth = shape.depth;
    product.weights = packed.data();
    product.columns = shape.columns;
    product.bias = bias.data();
    product.other = adds ? other.data() : nullptr;
    product.out = out.data();
    product.epilogue = epilogue;
    product.scratch = scratch.data();
    for (std::size_t first = 0; first < shape.columns; first += split) {
      product.first_column = first;
      product.last_column = std::min(first + split, shape.columns);
      loops.product(product);
    }
    EXPECT_EQ(widen(out.back()), widen(E{7}));
    return out;
  };
  const std::vector<E> expected = run(*loops_of<E>(sets().back()), shape.columns);
  for (const Set& set : sets()) {
    const Loops* loops = loops_of<E>(set);
    if (!set.usable() || loops == nullptr) continue;
    const std::string what = std::string(set.name) + " " + std::to_string(shape.rows) + "x" +
                             std::to_string(shape.depth) + "x" + std::to_string(shape.columns) + ", activation " +
                             std::to_string(static_cast<int>(epilogue.activation));
    expect_close(expected, run(*loops, shape.columns), what);
    expect_close(expected, run(*loops, loops->panel), what + ", panel by panel");
  }
}

std::vector<Epilogue> epilogues() {
  std::vector<Epilogue> list;
  for (int activation = 0; activation <= static_cast<int>(Activation::gelu_tanh); ++activation) {
    Epilogue epilogue;
    epilogue.activation = static_cast<Activation>(activation);
    list.push_back(epilogue);
    epilogue.after_addition = true;
    list.push_back(epilogue);
  }
  for (const bool after : {false, true}) {
    Epilogue relu;
    relu.low = 0;
    relu.after_addition = after;
    list.push_back(relu);
    relu.high = 0.75F;
    list.push_back(relu);
  }
  return list;
}

TEST(Product, EverySetGivesThePlainOnesNumbers) {
  for (const std::size_t rows : Sizes{1, 2, 3, 5, 7, 13, 14, 15, 29}) {
    for (const std::size_t depth : Sizes{2, 10}) {
      for (const std::size_t columns : Sizes{1, 7, 8, 17, 24, 32, 33, 41, 72}) {
        for (const Epilogue& epilogue : epilogues()) {
          for (const bool adds : {false, true}) {
            compare_products<float>({rows, depth, columns}, epilogue, adds);
            compare_products<std::uint16_t>({rows, depth, columns}, epilogue, adds);
          }
        }
      }
    }
  }
}

TEST(Product, DepthsThatAreTakenInParts) {
  // Beyond a part of the depth, rows a multiple of 4096 bytes apart, more rows than a block.
  for (const Shape& shape : {Shape{5, 1030, 40}, Shape{20, 1024, 9}, Shape{15, 2048, 33}, Shape{400, 6, 24}}) {
    for (const bool adds : {false, true}) {
      Epilogue relu;
      relu.low = 0;
      relu.after_addition = adds;
      compare_products<std::uint16_t>(shape, relu, adds);
    }
  }
  Numbers numbers;
  // Sums of a thousand products: float32 is compared with a sum in double precision.
  for (const Shape& shape : {Shape{5, 1030, 40}, Shape{20, 1024, 9}, Shape{15, 513, 33}}) {
    const auto rows = numbers.make<float>(shape.rows * shape.depth);
    const auto weights = numbers.make<float>(shape.columns * shape.depth);
    for (const Set& set : sets()) {
      if (!set.usable() || set.float32 == nullptr) continue;
      std::vector<float> packed((shape.columns + 7) / 8 * 8 * shape.depth);
      pack_weights(*set.float32, weights.data(), shape.columns, shape.depth, packed.data());
      std::vector<float> scratch(kProductScratch);
      std::vector<float> out(shape.rows * shape.columns);
      const std::vector<float> bias((shape.columns + 7) / 8 * 8, 0.5F);
      Product product;
      product.rows = rows.data();
      product.row_count = shape.rows;
      product.depth = shape.depth;
      product.weights = packed.data();
      product.columns = product.last_column = shape.columns;
      product.bias = bias.data();
      product.out = out.data();
      product.scratch = scratch.data();
      set.float32->product(product);
      for (std::size_t i = 0; i < out.size(); ++i) {
        double sum = 0.5;
        for (std::size_t k = 0; k < shape.depth; ++k) {
          sum += static_cast<double>(rows[i / shape.columns * shape.depth + k]) *
                 static_cast<double>(weights[i % shape.columns * shape.depth + k]);
        }
        ASSERT_NEAR(out[i], sum, 1e-4) << set.name << ", element " << i;
      }
    }
  }
}

TEST(Product, IntegersGiveThePlainOnesNumbersAndNeverLeave32Bits) {
  const Loops& plain = *sets().back().int16;
  for (const Set& set : sets()) {
    if (!set.usable() || set.int16 == nullptr) continue;
    for (const Shape& shape : {Shape{1, 2, 1}, Shape{15, 6, 17}, Shape{5, 34, 24}, Shape{29, 1026, 40}}) {
      for (const Epilogue& epilogue : epilogues()) {
        Numbers numbers;
        auto rows = numbers.make<float>(shape.rows * shape.depth);
        auto weights = numbers.make<float>(shape.columns * shape.depth);
        // The largest sum that there can be.
        std::fill(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(shape.depth), 3.0F);
        std::fill(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(shape.depth), 2.0F);
        const auto other = numbers.make<float>(shape.rows * shape.columns);
        const std::size_t padded = (shape.columns + 7) / 8 * 8;
        const auto bias = numbers.make<float>(padded);
        std::vector<std::int16_t> integers(weights.size());
        std::vector<float> column_scales(padded);
        quantise_weights(weights.data(), shape.columns, shape.depth, integers.data(), column_scales.data());
        const auto run = [&](const Loops& loops) {
          std::vector<std::int16_t> packed(padded * shape.depth);
          pack_weights(loops, integers.data(), shape.columns, shape.depth, packed.data());
          std::vector<std::int16_t> row_integers(rows.size());
          std::vector<float> row_scales(shape.rows);
          loops.quantise(rows.data(), shape.rows, shape.depth, row_integers.data(), row_scales.data());
          std::vector<float> scratch(kProductScratch);
          std::vector<float> out(shape.rows * shape.columns);
          Product product;
          product.rows = row_integers.data();
          product.row_count = shape.rows;
          product.depth = shape.depth;
          product.weights = packed.data();
          product.columns = product.last_column = shape.columns;
          product.bias = bias.data();
          product.other = other.data();
          product.out = out.data();
          product.row_scales = row_scales.data();
          product.column_scales = column_scales.data();
          product.epilogue = epilogue;
          product.scratch = scratch.data();
          loops.product(product);
          return out;
        };
        expect_close(run(plain), run(*set.int16), std::string(set.name));
        Epilogue none;
        if (epilogue.activation != none.activation || epilogue.low != none.low) continue;
        const float largest = 6.0F * static_cast<float>(shape.depth) + bias[0] + other[0];
        EXPECT_NEAR(run(*set.int16)[0], largest, 1e-3F * largest) << set.name;
      }
    }
  }
}

TEST(Product, NaNAndInfinityPassTheActivations) {
  for (const Set& set : sets()) {
    if (!set.usable() || set.float32 == nullptr) continue;
    const std::vector<float> rows = {NAN, 1, INFINITY, 1};
    const std::vector<float> weights(8, 1.0F);
    std::vector<float> packed(weights.size());
    pack_weights(*set.float32, weights.data(), 8, 1, packed.data());
    const std::vector<float> bias(8, 0.0F);
    std::vector<float> scratch(kProductScratch);
    for (const Epilogue& epilogue : epilogues()) {
      std::vector<float> out(32);
      Product product;
      product.rows = rows.data();
      product.row_count = 4;
      product.depth = 1;
      product.weights = packed.data();
      product.columns = product.last_column = 8;
      product.bias = bias.data();
      product.out = out.data();
      product.epilogue = epilogue;
      product.scratch = scratch.data();
      set.float32->product(product);
      EXPECT_TRUE(std::isnan(out[0])) << set.name << ", activation " << static_cast<int>(epilogue.activation);
      EXPECT_TRUE(std::isfinite(out[8])) << set.name;
      EXPECT_FALSE(std::isnan(out[16])) << set.name << ", activation " << static_cast<int>(epilogue.activation);
    }
  }
}

struct Window {
  std::size_t height, width, channels, kernel, stride, padding;
};

template <typename E>
void compare_windows(const Window& w, Activation activation) {
  Numbers numbers;
  const auto in = numbers.make<E>(w.height * w.width * w.channels);
  const auto weights = numbers.make<float>(w.kernel * w.kernel * w.channels);
  const auto bias = numbers.make<float>(w.channels);
  Depthwise layer;
  layer.in = in.data();
  layer.height = w.height;
  layer.width = w.width;
  layer.channels = w.channels;
  layer.kernel = w.kernel;
  layer.stride = w.stride;
  layer.padding = w.padding;
  layer.weights = weights.data();
  layer.bias = bias.data();
  layer.out_height = (w.height + 2 * w.padding - w.kernel) / w.stride + 1;
  layer.out_width = (w.width + 2 * w.padding - w.kernel) / w.stride + 1;
  layer.epilogue.activation = activation;
  const auto run = [&](const Loops& loops) {
    std::vector<E> out(layer.out_height * layer.out_width * w.channels);
    layer.out = out.data();
    const std::size_t middle = layer.out_height / 2;
    loops.depthwise(layer, 0, middle);
    loops.depthwise(layer, middle, layer.out_height);
    return out;
  };
  const std::vector<E> expected = run(*loops_of<E>(sets().back()));
  for (const Set& set : sets()) {
    const Loops* loops = loops_of<E>(set);
    if (!set.usable() || loops == nullptr) continue;
    expect_close(expected, run(*loops),
                 std::string(set.name) + " " + std::to_string(w.height) + "x" + std::to_string(w.width) + "x" +
                     std::to_string(w.channels) + ", kernel " + std::to_string(w.kernel) + ", stride " +
                     std::to_string(w.stride) + ", padding " + std::to_string(w.padding));
  }
}

TEST(Depthwise, EverySetGivesThePlainOnesNumbers) {
  for (const std::size_t kernel : Sizes{3, 5, 7}) {
    for (const std::size_t stride : Sizes{1, 2}) {
      for (std::size_t padding = 0; padding < kernel; ++padding) {
        for (const std::size_t channels : Sizes{1, 8, 16, 27, 40}) {
          for (const std::size_t width : Sizes{7, 9, 23}) {
            const Window window = {8, width, channels, kernel, stride, padding};
            compare_windows<float>(window, Activation::hardswish);
            compare_windows<float>(window, Activation::silu);
            compare_windows<std::uint16_t>(window, Activation::clamp);
            compare_windows<std::uint16_t>(window, Activation::silu);
          }
        }
      }
    }
  }
}

TEST(MeanAndScale, EverySetGivesThePlainOnesNumbers) {
  const auto compare = []<typename E>(E) {
    for (const std::size_t channels : Sizes{1, 8, 16, 27, 64, 100}) {
      Numbers numbers;
      constexpr std::size_t kPixels = 49;
      const std::size_t stride = channels + 3;
      const auto in = numbers.make<E>(kPixels * stride);
      const auto gate = numbers.make<E>(channels);
      const auto run = [&](const Loops& loops) {
        std::vector<E> out(channels + kPixels * channels);
        std::vector<float> sums(channels);
        loops.mean(in.data(), kPixels, stride, channels, sums.data(), out.data());
        loops.scale(in.data(), gate.data(), kPixels, channels, out.data() + channels);
        return out;
      };
      const auto expected = run(*loops_of<E>(sets().back()));
      for (const Set& set : sets()) {
        const Loops* loops = loops_of<E>(set);
        if (set.usable() && loops != nullptr) expect_close(expected, run(*loops), std::string(set.name));
      }
    }
  };
  compare(float{});
  compare(std::uint16_t{});
}

TEST(Sets, TheLastOneRunsEverywhereAndTheBestIsUsable) {
  EXPECT_EQ(sets().back().name, "plain");
  EXPECT_NE(sets().back().float32, nullptr);
  EXPECT_NE(sets().back().bfloat16, nullptr);
  EXPECT_NE(sets().back().int16, nullptr);
  for (const Element element : {Element::float32, Element::bfloat16, Element::int16}) {
    EXPECT_EQ(best_loops(element)->element, element);
    EXPECT_LE(best_loops(element)->panel, kLargestPanel);
  }
}

}  // namespace
}  // namespace ptrun::kernels
