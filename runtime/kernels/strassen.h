// Products of deep matrices with seven multiplications of halves instead of eight (Strassen 1969, Numer. Math. 13): a
// pair of tiles and a pair of panels at a time, whose four results stay in the first cache while the seven products of
// half the depth are added to them (as in Huang et al. 2016, "Strassen's algorithm reloaded"). Include only inside the
// kernels room, where the target is set. `P` says how elements are multiplied; see avx512.cpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "kernels/activation.h"
#include "kernels/kernels.h"
#include "kernels/product.h"
#include "kernels/strassen_weights.h"

namespace ptrun::kernels {
namespace {

// One of the seven: what its sums are added to, and added to or taken from; quarters of the results are 0 1 / 2 3.
struct StrassenTarget {
  std::size_t first, second;
  int sign;  // of the second: 0 where there is none
};
constexpr std::array<StrassenTarget, kStrassenParts> kStrassenTargets = {
    {{0, 3, 1}, {2, 3, -1}, {1, 3, 1}, {0, 2, 1}, {1, 0, -1}, {3, 3, 0}, {0, 0, 0}}};

template <typename P>
struct StrassenTile {
  using E = typename P::Element;
  const E* rows;
  std::size_t row_stride;
  const E* weights;
  std::size_t steps;
  float* first;
  float* second;
  int sign;
};

template <typename P, std::size_t kRows>
void multiply_add(const StrassenTile<P>& t) {
  using V = typename P::Vector;
  constexpr std::size_t kWhole = P::kPanel / V::kLanes;
  constexpr std::size_t kStride = 2 * P::kPanel;
  Sums<P, kRows, kWhole, false> sums;
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kWhole; ++v) sums.whole[r][v] = V::load(kZeros.data() + v * V::kLanes);
  }
  sums.add(t.rows, t.row_stride, t.weights, t.steps);
  if constexpr (P::kInteger) sums.settle();
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kWhole; ++v) {
      float* at = t.first + r * kStride + v * V::kLanes;
      V::store(at, P::add(V::load(at), sums.whole[r][v]));
    }
  }
  if (t.sign > 0) {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t v = 0; v < kWhole; ++v) {
        float* at = t.second + r * kStride + v * V::kLanes;
        V::store(at, P::add(V::load(at), sums.whole[r][v]));
      }
    }
  } else if (t.sign < 0) {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t v = 0; v < kWhole; ++v) {
        float* at = t.second + r * kStride + v * V::kLanes;
        V::store(at, P::subtract(V::load(at), sums.whole[r][v]));
      }
    }
  }
}

// The loop for each number of rows up to P::kRows.
template <typename P, std::size_t... kLess>
void multiply_add_rows(const StrassenTile<P>& tile, std::size_t rows, std::index_sequence<kLess...> /*sizes*/) {
  using Loop = void (*)(const StrassenTile<P>&);
  static constexpr Loop kLoops[] = {multiply_add<P, kLess + 1>...};
  kLoops[rows - 1](tile);
}

// The seven combinations of quarters of `count` rows, the upper half over the lower, [7][tile][stride].
template <typename P>
void combine_rows(const typename P::Element* rows, std::size_t row_stride, std::size_t count, std::size_t half,
                  std::size_t stride, typename P::Element* to) {
  using E = typename P::Element;
  const std::size_t tile = (count + 1) / 2;
  static constexpr E kNothing[kStrassenDepth * 2 / sizeof(E)] = {};
  for (std::size_t r = 0; r < tile; ++r, to += stride) {
    const E* upper = rows + r * row_stride;
    const bool there = tile + r < count;
    const E* lower = there ? rows + (tile + r) * row_stride : kNothing;
    const E* lower_right = there ? lower + half : kNothing;
    const std::size_t part = tile * stride;
#pragma GCC ivdep
    for (std::size_t k = 0; k < half; ++k) {
      const E a11 = upper[k], a12 = upper[half + k], a21 = lower[k], a22 = lower_right[k];
      to[k] = static_cast<E>(a11 + a22);
      to[part + k] = static_cast<E>(a21 + a22);
      to[2 * part + k] = a11;
      to[3 * part + k] = a22;
      to[4 * part + k] = static_cast<E>(a11 + a12);
      to[5 * part + k] = static_cast<E>(a21 - a11);
      to[6 * part + k] = static_cast<E>(a12 - a22);
    }
  }
}

// `count` rows as evenly as they go into parts of at most `most`.
struct EvenParts {
  EvenParts(std::size_t count, std::size_t most)
      : number((count + most - 1) / most), least(count / number), longer(count % number) {}
  std::size_t size(std::size_t part) const { return least + (part < longer ? 1 : 0); }
  std::size_t number, least, longer;
};

// One part of the depth of the product `p` for one block of its rows.
template <typename P>
struct StrassenPart {
  using E = typename P::Element;
  using V = typename P::Vector;
  static constexpr std::size_t kColumns = 2 * P::kPanel;
  static_assert(sizeof(typename P::Result) == sizeof(float), "sums wait in the results");
  static_assert(2 * P::kRows <= kStrassenPair && 2 * P::kRows >= kStrassenShort);

  const Product& p;
  std::size_t k, half, stride;
  std::size_t row_stride = p.row_stride == 0 ? p.depth : p.row_stride;
  std::size_t out_stride = p.out_stride == 0 ? p.columns : p.out_stride;
  const E* rows = static_cast<const E*>(p.rows) + k;
  // Panels of a part of the depth stand together.
  const E* weights = static_cast<const E*>(p.weights) + kStrassenParts * (k / 4) * p.columns;
  float* out = static_cast<float*>(p.out);
  float* quarters = p.scratch;  // [rows of a pair, kColumns]
  E* combined = reinterpret_cast<E*>(p.scratch + 2 * P::kRows * kColumns);

  void combine(std::size_t row, std::size_t count, E* to) const {
    combine_rows<P>(rows + row * row_stride, row_stride, count, half, stride, to);
  }

  // The seven products of `count` combined rows and a pair of panels.
  void multiply(const E* from, std::size_t row, std::size_t count, std::size_t column) const {
    const std::size_t tile = (count + 1) / 2;
    const float* sums = out + row * out_stride + column;
    for (std::size_t r = 0; r < 2 * tile; ++r) {
      const float* initial = k > 0 && r < count     ? sums + r * out_stride
                             : P::kInteger || k > 0 ? kZeros.data()
                                                    : p.bias + column;
      for (std::size_t i = 0; i < kColumns; i += V::kLanes) {
        V::store(quarters + r * kColumns + i, V::load(initial + i));
      }
    }
    const E* panel = weights + column / P::kPanel * (kStrassenParts * half * P::kPanel / 2);
    const auto quarter = [&](std::size_t index) {
      return quarters + index / 2 * tile * kColumns + index % 2 * P::kPanel;
    };
    for (const StrassenTarget& target : kStrassenTargets) {
      const StrassenTile<P> one = {
          from, stride, panel, half * sizeof(E) / 4, quarter(target.first), quarter(target.second), target.sign};
      multiply_add_rows<P>(one, tile, std::make_index_sequence<P::kRows>());
      from += tile * stride;
      panel += half * P::kPanel;
    }
  }

  bool finite(std::size_t count) const {
    auto none = V::zero();  // NaN where one is, or an infinity
    for (std::size_t i = 0; i < count * kColumns; i += V::kLanes) {
      none = V::fma(V::load(quarters + i), V::zero(), none);
    }
    float lanes[V::kLanes];
    V::store(lanes, none);
    return std::all_of(lanes, lanes + V::kLanes, [](float lane) { return lane == 0; });
  }

  void store(std::size_t row, std::size_t count, std::size_t column) const {
    const std::size_t at = row * out_stride + column;
    if (k + 2 * half < p.depth) {
      for (std::size_t r = 0; r < count; ++r) {
        std::memcpy(out + at + r * out_stride, quarters + r * kColumns, kColumns * sizeof(float));
      }
      return;
    }
    if constexpr (P::kInteger) scale_sums<P>(p, quarters, kColumns, row, count, column, kColumns);
    const float* other = p.other == nullptr ? nullptr : static_cast<const float*>(p.other) + at;
    Finish<V, float>{quarters, count, kColumns, kColumns, other, out + at, out_stride, p.epilogue}.run();
  }

  void run(std::size_t begin, const EvenParts& pairs) const {
    E* to = combined;
    std::size_t row = begin;
    for (std::size_t pair = 0; pair < pairs.number; ++pair) {
      combine(row, pairs.size(pair), to);
      to += kStrassenParts * ((pairs.size(pair) + 1) / 2) * stride;
      row += pairs.size(pair);
    }
    for (std::size_t column = p.first_column; column < p.last_column; column += kColumns) {
      E* from = combined;
      row = begin;
      for (std::size_t pair = 0; pair < pairs.number; ++pair) {
        const std::size_t count = pairs.size(pair);
        multiply(from, row, count, column);
        if (P::kInteger || finite(count)) {
          store(row, count, column);
        } else {
          // Each row by itself: none may spoil the others.
          for (std::size_t r = row; r < row + count; ++r) {
            combine(r, 1, from);
            multiply(from, r, 1, column);
            store(r, 1, column);
          }
          combine(row, count, from);
        }
        from += kStrassenParts * ((count + 1) / 2) * stride;
        row += count;
      }
    }
  }
};

template <typename P>
void strassen(const Product& p) {
  const StrassenChunks chunks(p.depth, sizeof(typename P::Element));
  const EvenParts blocks(p.row_count, kStrassenRows);
  std::size_t begin = 0;
  for (std::size_t block = 0; block < blocks.number; ++block) {
    const EvenParts pairs(blocks.size(block), 2 * P::kRows);
    for (std::size_t k = 0; k < p.depth; k += chunks.size) {
      StrassenPart<P>{p, k, std::min(chunks.size, p.depth - k) / 2, chunks.stride}.run(begin, pairs);
    }
    begin += blocks.size(block);
  }
}

}  // namespace
}  // namespace ptrun::kernels
