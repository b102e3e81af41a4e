// The transforms of Winograd's minimal filtering on vectors of channels. Include only inside the kernels room, where
// the target is set. Pixels outside an image are read from Winograd::zeros.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "kernels/activation.h"
#include "kernels/kernels.h"
#include "kernels/winograd_points.h"

namespace ptrun::kernels {
namespace {

// F(2, 3) with the points 0, 1, -1 and infinity.
template <typename V>
struct Filter2 {
  using Floats = typename V::Floats;
  static constexpr std::size_t kEdge = 2;
  static void input(const Floats (&d)[4], Floats (&t)[4]) {
    t[0] = V::subtract(d[2], d[0]);
    t[1] = V::add(d[1], d[2]);
    t[2] = V::subtract(d[2], d[1]);
    t[3] = V::subtract(d[3], d[1]);
  }
  static void output(const Floats (&m)[4], Floats (&y)[2]) {
    y[0] = V::add(m[0], V::add(m[1], m[2]));
    y[1] = V::add(m[3], V::subtract(m[1], m[2]));
  }
};

// F(4, 3) with the points 0, a, -a, b, -b and infinity.
template <typename V>
struct Filter4 {
  using Floats = typename V::Floats;
  static constexpr std::size_t kEdge = 4;
  static constexpr auto kA = static_cast<float>(kWinogradA);
  static constexpr auto kB = static_cast<float>(kWinogradB);
  static void input(const Floats (&d)[6], Floats (&t)[6]) {
    const auto both = V::all(-(kA * kA + kB * kB));
    const auto product = V::all(kA * kA * kB * kB);
    t[0] = V::fma(product, d[0], V::fma(both, d[2], d[4]));
    t[5] = V::fma(product, d[1], V::fma(both, d[3], d[5]));
    const auto b2 = V::all(-kB * kB);
    const auto even_a = V::fma(b2, d[2], d[4]);
    const auto odd_a = V::fma(b2, d[1], d[3]);
    t[1] = V::fma(V::all(kA), odd_a, even_a);
    t[2] = V::fma(V::all(-kA), odd_a, even_a);
    const auto a2 = V::all(-kA * kA);
    const auto even_b = V::fma(a2, d[2], d[4]);
    const auto odd_b = V::fma(a2, d[1], d[3]);
    t[3] = V::fma(V::all(kB), odd_b, even_b);
    t[4] = V::fma(V::all(-kB), odd_b, even_b);
  }
  static void output(const Floats (&m)[6], Floats (&y)[4]) {
    const auto sum_a = V::add(m[1], m[2]);
    const auto sum_b = V::add(m[3], m[4]);
    const auto difference_a = V::subtract(m[1], m[2]);
    const auto difference_b = V::subtract(m[3], m[4]);
    y[0] = V::add(m[0], V::add(sum_a, sum_b));
    y[1] = V::fma(V::all(kB), difference_b, V::multiply(V::all(kA), difference_a));
    y[2] = V::fma(V::all(kB * kB), sum_b, V::multiply(V::all(kA * kA), sum_a));
    y[3] = V::fma(V::all(kB * kB * kB), difference_b, V::fma(V::all(kA * kA * kA), difference_a, m[5]));
  }
};

// Where a tile stands.
struct TilePlace {
  std::size_t image, row, column;
  TilePlace(const Winograd& w, std::size_t tile)
      : image(tile / (w.tile_rows() * w.tile_columns())),
        row(tile / w.tile_columns() % w.tile_rows() * w.edge),
        column(tile % w.tile_columns() * w.edge) {}
};

template <typename V, typename F>
inline void transform_input(const float* const (&pixels)[(F::kEdge + 2) * (F::kEdge + 2)], std::size_t channel,
                            float* to, std::size_t position) {
  constexpr std::size_t kReach = F::kEdge + 2;
  typename V::Floats rows[kReach][kReach];
#pragma GCC unroll 6
  for (std::size_t j = 0; j < kReach; ++j) {
    typename V::Floats d[kReach];
    typename V::Floats t[kReach];
#pragma GCC unroll 6
    for (std::size_t i = 0; i < kReach; ++i) d[i] = V::load(pixels[i * kReach + j] + channel);
    F::input(d, t);
#pragma GCC unroll 6
    for (std::size_t i = 0; i < kReach; ++i) rows[i][j] = t[i];
  }
#pragma GCC unroll 6
  for (std::size_t i = 0; i < kReach; ++i) {
    typename V::Floats t[kReach];
    F::input(rows[i], t);
#pragma GCC unroll 6
    for (std::size_t j = 0; j < kReach; ++j) V::store(to + (i * kReach + j) * position, t[j]);
  }
}

template <typename V, typename F>
void winograd_input_tiles(const Winograd& w, std::size_t first, std::size_t last, float* transformed) {
  constexpr std::size_t kReach = F::kEdge + 2;
  const std::size_t whole = w.channels / V::kLanes * V::kLanes;
  for (std::size_t tile = first; tile < last; ++tile, transformed += w.in_row) {
    const TilePlace place(w, tile);
    const float* pixels[kReach * kReach];
    for (std::size_t i = 0; i < kReach; ++i) {
      const std::size_t y = place.row + i - w.padding;  // above the image it wraps to a large number
      for (std::size_t j = 0; j < kReach; ++j) {
        const std::size_t x = place.column + j - w.padding;
        pixels[i * kReach + j] =
            y < w.height && x < w.width ? w.in + ((place.image * w.height + y) * w.width + x) * w.channels : w.zeros;
      }
    }
    for (std::size_t c = 0; c < whole; c += V::kLanes) {
      transform_input<V, F>(pixels, c, transformed + c, w.in_position);
    }
    if (whole == w.channels) continue;
    float rest[kReach * kReach * V::kLanes] = {};
    for (std::size_t i = 0; i < kReach * kReach; ++i) {
      std::memcpy(rest + i * V::kLanes, pixels[i] + whole, (w.channels - whole) * sizeof(float));
      pixels[i] = rest + i * V::kLanes;
    }
    transform_input<V, F>(pixels, 0, transformed + whole, w.in_position);
  }
}

template <typename V>
void winograd_input(const Winograd& w, std::size_t first, std::size_t last, float* transformed) {
  if (w.edge == 4) return winograd_input_tiles<V, Filter4<V>>(w, first, last, transformed);
  winograd_input_tiles<V, Filter2<V>>(w, first, last, transformed);
}

template <typename V, typename F, Activation kActivation>
inline void transform_output(const Winograd& w, const float* from, std::size_t rows, std::size_t columns,
                             const float* bias, float* out, std::size_t out_line, std::size_t out_pixel,
                             const float* other) {
  constexpr std::size_t kReach = F::kEdge + 2;
  typename V::Floats lines[F::kEdge][kReach];
#pragma GCC unroll 6
  for (std::size_t j = 0; j < kReach; ++j) {
    typename V::Floats m[kReach];
    typename V::Floats y[F::kEdge];
#pragma GCC unroll 6
    for (std::size_t i = 0; i < kReach; ++i) m[i] = V::load(from + (i * kReach + j) * w.out_position);
    F::output(m, y);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < F::kEdge; ++i) lines[i][j] = y[i];
  }
  const auto added = V::load(bias);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < F::kEdge; ++i) {
    if (i >= rows) break;
    typename V::Floats y[F::kEdge];
    F::output(lines[i], y);
#pragma GCC unroll 4
    for (std::size_t j = 0; j < F::kEdge; ++j) {
      if (j >= columns) break;
      auto value = V::add(y[j], added);
      const std::size_t at = i * out_line + j * out_pixel;
      if (other == nullptr) {
        value = activated<V, kActivation>(value, w.epilogue);
      } else if (w.epilogue.after_addition) {
        value = activated<V, kActivation>(V::add(value, V::load(other + at)), w.epilogue);
      } else {
        value = V::add(activated<V, kActivation>(value, w.epilogue), V::load(other + at));
      }
      V::store(out + at, value);
    }
  }
}

template <typename V, typename F, Activation kActivation>
void winograd_output_tiles(const Winograd& w, std::size_t first, std::size_t last, std::size_t first_column,
                           std::size_t last_column, const float* products) {
  const std::size_t whole = first_column + (last_column - first_column) / V::kLanes * V::kLanes;
  const std::size_t line = w.out_width * w.columns;
  for (std::size_t tile = first; tile < last; ++tile, products += w.out_row) {
    const TilePlace place(w, tile);
    const std::size_t rows = std::min(F::kEdge, w.out_height - place.row);
    const std::size_t columns = std::min(F::kEdge, w.out_width - place.column);
    const std::size_t at = ((place.image * w.out_height + place.row) * w.out_width + place.column) * w.columns;
    for (std::size_t c = first_column; c < whole; c += V::kLanes) {
      transform_output<V, F, kActivation>(w, products + c - first_column, rows, columns, w.bias + c, w.out + at + c,
                                          line, w.columns, w.other == nullptr ? nullptr : w.other + at + c);
    }
    if (whole == last_column) continue;
    // What is left fills no vector.
    const std::size_t bytes = (last_column - whole) * sizeof(float);
    float bias[V::kLanes] = {};
    float made[F::kEdge * F::kEdge * V::kLanes];
    float other[F::kEdge * F::kEdge * V::kLanes] = {};
    std::memcpy(bias, w.bias + whole, bytes);
    const auto each = [&](const auto& copy) {
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < columns; ++j)
          copy((i * F::kEdge + j) * V::kLanes, at + i * line + j * w.columns + whole);
    };
    if (w.other != nullptr)
      each([&](std::size_t to, std::size_t from) { std::memcpy(other + to, w.other + from, bytes); });
    transform_output<V, F, kActivation>(w, products + whole - first_column, rows, columns, bias, made,
                                        F::kEdge * V::kLanes, V::kLanes, w.other == nullptr ? nullptr : other);
    each([&](std::size_t from, std::size_t to) { std::memcpy(w.out + to, made + from, bytes); });
  }
}

template <typename V, typename F>
void winograd_output_activated(const Winograd& w, std::size_t first, std::size_t last, std::size_t first_column,
                               std::size_t last_column, const float* products) {
  const auto run = [&](auto activation) {
    winograd_output_tiles<V, F, activation()>(w, first, last, first_column, last_column, products);
  };
  using std::integral_constant;
  switch (w.epilogue.activation) {
    case Activation::clamp: return run(integral_constant<Activation, Activation::clamp>());
    case Activation::hardswish: return run(integral_constant<Activation, Activation::hardswish>());
    case Activation::hardsigmoid: return run(integral_constant<Activation, Activation::hardsigmoid>());
    case Activation::sigmoid: return run(integral_constant<Activation, Activation::sigmoid>());
    case Activation::silu: return run(integral_constant<Activation, Activation::silu>());
    case Activation::gelu: return run(integral_constant<Activation, Activation::gelu>());
    case Activation::gelu_tanh: return run(integral_constant<Activation, Activation::gelu_tanh>());
  }
}

template <typename V>
void winograd_output(const Winograd& w, std::size_t first, std::size_t last, std::size_t first_column,
                     std::size_t last_column, const float* products) {
  if (w.edge == 4) {
    return winograd_output_activated<V, Filter4<V>>(w, first, last, first_column, last_column, products);
  }
  winograd_output_activated<V, Filter2<V>>(w, first, last, first_column, last_column, products);
}

}  // namespace
}  // namespace ptrun::kernels
