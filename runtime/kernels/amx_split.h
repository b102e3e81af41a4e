// Products of float32 numbers by AMX, which multiplies bfloat16 ones. Include only inside the kernels room, where the
// target is set.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/amx_tiles.h"
#include "kernels/elements.h"
#include "kernels/kernels.h"

namespace ptrun::kernels {
namespace {

// A number is the sum of its parts, each of which is what bfloat16, with 8 binary digits, makes of the rest. Three
// parts hold a float32 whole; of their nine products the three smallest, at most 2^-26 of the largest, are left out.
// Two parts hold 16 digits, and three of their four products are taken. (Henry, Tang and Heinecke 2019, "Leveraging the
// bfloat16 Artificial Intelligence Datatype For Higher-Precision Computations".)
struct Parts {
  __m512 low, high;  // what is left of 32 numbers

  Parts(const float* from, std::size_t count, const float* gate = nullptr) {
    const auto mask = static_cast<__mmask32>(count < kTileDepth ? (1U << count) - 1 : ~0U);
    const auto first = static_cast<__mmask16>(mask);
    const auto second = static_cast<__mmask16>(mask >> 16);
    low = _mm512_maskz_loadu_ps(first, from);
    high = _mm512_maskz_loadu_ps(second, from + 16);
    if (gate == nullptr) return;
    low = _mm512_mul_ps(low, _mm512_maskz_loadu_ps(first, gate));
    high = _mm512_mul_ps(high, _mm512_maskz_loadu_ps(second, gate + 16));
  }

  __m512i next() {
    const auto rounded = (__m512i)_mm512_cvtne2ps_pbh(high, low);
    low = _mm512_sub_ps(low, widened(_mm512_castsi512_si256(rounded)));
    high = _mm512_sub_ps(high, widened(_mm512_extracti64x4_epi64(rounded, 1)));
    return rounded;
  }

  static __m512 widened(__m256i half) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
  }
};

constexpr std::size_t kSplitRows = 448;  // of a block, at most

inline std::size_t steps_of(std::size_t depth) { return (depth + kTileDepth - 1) / kTileDepth; }

// Rows of a block, which stay in the second cache.
template <std::size_t kParts>
std::size_t split_rows(std::size_t depth) {
  constexpr std::size_t kBytes = std::size_t{768} * 1024;
  return std::clamp<std::size_t>(kBytes / (steps_of(depth) * kTileRow * kParts) / kPairRows * kPairRows, kPairRows,
                                 kSplitRows);
}

// `count` rows as tiles [rows, steps, parts, 16, 32]; zeros fill what is not there. Returns whether there are `wild`
// rows, with a number that has no parts: an infinity, a NaN, or one that bfloat16 rounds to infinity.
template <std::size_t kParts>
bool split(const float* rows, std::size_t row_stride, std::size_t count, std::size_t depth, const float* gate, char* to,
           std::uint8_t* wild) {
  const std::size_t steps = steps_of(depth);
  bool any = false;
  for (std::size_t row = 0; row < (count + kTileSide - 1) / kTileSide * kTileSide; ++row) {
    char* out = to + row / kTileSide * steps * kParts * kTileBytes + row % kTileSide * kTileRow;
    if (row >= count) {
      for (std::size_t i = 0; i < steps * kParts; ++i, out += kTileBytes) {
        _mm512_storeu_si512(out, _mm512_setzero_si512());
      }
      continue;
    }
    const float* from = rows + row * row_stride;
    __m512i most = _mm512_setzero_si512();
    for (std::size_t step = 0; step < steps; ++step, from += kTileDepth) {
      Parts parts(from, depth - step * kTileDepth, gate == nullptr ? nullptr : gate + step * kTileDepth);
      for (std::size_t part = 0; part < kParts; ++part, out += kTileBytes) {
        const __m512i rounded = parts.next();
        _mm512_storeu_si512(out, rounded);
        if (part == 0) most = _mm512_max_epu16(most, _mm512_slli_epi16(rounded, 1));
      }
    }
    const __m512i infinity = _mm512_set1_epi16(static_cast<short>(0xff00));  // without its sign
    wild[row] = _mm512_cmpge_epu16_mask(most, infinity) != 0 ? 1 : 0;
    any = any || wild[row] != 0;
  }
  return any;
}

// Rows in tiles of parts, `part` bytes from part to part and `step` from step to step.
struct PartTiles {
  const char* rows[2];
  std::size_t part, step;
};

template <std::size_t kParts, bool kTwoRows, bool kTwoColumns, typename Chore>
inline void multiply_parts(const PartTiles& tiles, const char* weights, std::size_t weight_stride, std::size_t steps,
                           const Chore& chore) {
  const char* rows0 = tiles.rows[0];
  const char* rows1 = tiles.rows[1];
  const std::size_t weight_part = kTileSide * weight_stride;
  const auto row = [&](std::size_t part) {
    _tile_loadd(4, rows0 + part * tiles.part, kTileRow);
    if (kTwoRows) _tile_loadd(5, rows1 + part * tiles.part, kTileRow);
  };
  const auto weight = [&](std::size_t part) {
    _tile_loadd(6, weights + part * weight_part, weight_stride);
    if (kTwoColumns) _tile_loadd(7, weights + part * weight_part + kTileRow, weight_stride);
  };
  const auto multiply = [] {
    _tile_dpbf16ps(0, 4, 6);
    if (kTwoRows) _tile_dpbf16ps(2, 5, 6);
    if (kTwoColumns) {
      _tile_dpbf16ps(1, 4, 7);
      if (kTwoRows) _tile_dpbf16ps(3, 5, 7);
    }
  };
  for (std::size_t i = 0; i < steps; ++i) {
    row(0);
    weight(kParts - 1);
    multiply();
    if constexpr (kParts == 3) {
      weight(1);
      multiply();
      row(1);
      multiply();
      weight(0);
      multiply();
      row(2);
      multiply();
      row(0);
      multiply();
    } else if constexpr (kParts == 2) {
      weight(0);
      multiply();
      row(1);
      multiply();
    }
    chore();
    rows0 += tiles.step;
    rows1 += tiles.step;
    weights += kParts * weight_part;
  }
}

// Sums of one row by float32, for rows without parts.
template <std::size_t kParts>
void wild_sums(const float* row, const float* gate, std::size_t depth, const std::uint16_t* panel, std::size_t width,
               const float* bias, float* sums) {
  for (std::size_t column = 0; column < width; ++column) {
    float sum = bias[column];
    for (std::size_t k = 0; k < depth; ++k) {
      float weight = 0;
      for (std::size_t part = 0; part < kParts; ++part) {
        const std::size_t pair = (k / kTileDepth * kParts + part) * kTileSide + k % kTileDepth / 2;
        weight += widen(panel[(pair * width + column) * 2 + k % 2]);
      }
      sum += (gate == nullptr ? row[k] : row[k] * gate[k]) * weight;
    }
    sums[column] = sum;
  }
}

// A deep product.
template <typename V, std::size_t kParts>
void split_product(const Product& p) {
  const std::size_t row_stride = p.row_stride == 0 ? p.depth : p.row_stride;
  const std::size_t out_stride = p.out_stride == 0 ? p.columns : p.out_stride;
  const auto* rows = static_cast<const float*>(p.rows);
  const auto* weights = static_cast<const std::uint16_t*>(p.weights);
  const auto* other = static_cast<const float*>(p.other);
  auto* out = static_cast<float*>(p.out);
  const std::size_t steps = steps_of(p.depth);
  const std::size_t most = split_rows<kParts>(p.depth);
  // Two blocks of sums take turns.
  float* sums = p.scratch;
  float* next_sums = sums + kPairSums;
  auto* tiles_of_rows = reinterpret_cast<char*>(next_sums + kPairSums);
  const std::size_t rows_a_step = (kPairRows + steps - 1) / steps;
  const auto finish = Finisher<V, float>::choose(p.epilogue, other != nullptr);
  Pending<float> pending;
  const auto chore = [&] {
    if (pending.rows != 0) finish(pending, rows_a_step);
  };
  std::uint8_t wild[kSplitRows];
  Tiles tiles;
  for (std::size_t begin = 0; begin < p.row_count; begin += most) {
    const std::size_t count = std::min(most, p.row_count - begin);
    const bool any_wild =
        split<kParts>(rows + begin * row_stride, row_stride, count, p.depth, p.gate, tiles_of_rows, wild);
    for (std::size_t column = p.first_column; column < p.last_column; column += kAmxPanel) {
      const std::size_t width = panel_width(p.columns, column, kAmxPanel);
      const std::size_t valid = std::min(width, p.columns - column);
      const std::uint16_t* panel = weights + column * steps * kTileDepth * kParts;
      tiles.shape(kTileSide, width);
      for (std::size_t row = 0; row < count; row += kPairRows) {
        const std::size_t now = std::min(kPairRows, count - row);
        for_shape(now > kTileSide, width > kTileSide, [&](auto two_rows, auto two_columns) {
          constexpr bool kRows = decltype(two_rows)::value;
          constexpr bool kColumns = decltype(two_columns)::value;
          begin_sums<kRows, kColumns>(p.bias + column);
          const char* first = tiles_of_rows + row / kTileSide * steps * kParts * kTileBytes;
          multiply_parts<kParts, kRows, kColumns>(
              {{first, first + steps * kParts * kTileBytes}, kTileBytes, kParts * kTileBytes},
              reinterpret_cast<const char*>(panel), width * 4, steps, chore);
          while (pending.rows != 0) chore();
          end_sums<kRows, kColumns>(sums);
        });
        for (std::size_t i = 0; any_wild && i < now; ++i) {
          if (wild[row + i] == 0) continue;
          wild_sums<kParts>(rows + (begin + row + i) * row_stride, p.gate, p.depth, panel, width, p.bias + column,
                            sums + i * kAmxPanel);
        }
        const std::size_t at = (begin + row) * out_stride + column;
        pending = {sums, now, valid, other == nullptr ? nullptr : other + at, out + at, out_stride, &p.epilogue};
        std::swap(sums, next_sums);
      }
    }
    while (pending.rows != 0) chore();
  }
}

// Panel by panel the tiles [steps, parts, 16 pairs, width, 2], zeros up to whole steps and a multiple of 8 columns.
template <std::size_t kParts>
void pack_split(const void* given, std::size_t columns, std::size_t depth, void* packed) {
  const auto* weights = static_cast<const float*>(given);
  auto* to = static_cast<std::uint16_t*>(packed);
  const std::size_t steps = steps_of(depth);
  for (std::size_t first = 0; first < columns; first += kAmxPanel) {
    const std::size_t width = panel_width(columns, first, kAmxPanel);
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i places = _mm512_mullo_epi32(lanes, _mm512_set1_epi32(static_cast<int>(width)));
    for (std::size_t column = 0; column < width; ++column) {
      const float* from = weights + (first + column) * depth;
      for (std::size_t step = 0; step < steps; ++step) {
        const std::size_t left = first + column < columns ? depth - step * kTileDepth : 0;
        Parts parts(left == 0 ? weights : from + step * kTileDepth, left);
        for (std::size_t part = 0; part < kParts; ++part) {
          std::uint16_t* tile = to + ((step * kParts + part) * kTileSide * width + column) * 2;
          _mm512_i32scatter_epi32(tile, places, parts.next(), 4);
        }
      }
    }
    to += steps * kTileDepth * kParts * width;
  }
}

inline bool split_fits(std::size_t, std::size_t) { return true; }

// Of thin matrices the parts take as long as the products.
template <std::size_t kParts>
bool split_pays(std::size_t rows, std::size_t columns, std::size_t depth) {
  constexpr std::size_t kThin = kParts == 2 ? 24 : 48;
  return rows >= kPairRows && columns >= kThin && depth >= kThin && columns * depth >= 64 * kThin;
}

inline bool split_waits(std::size_t) { return false; }

inline std::size_t split_part(std::size_t columns, std::size_t depth) {
  return (columns + 7) / 8 * 8 * steps_of(depth) * kTileDepth;
}

template <std::size_t kParts>
std::size_t split_scratch(std::size_t row_count, std::size_t depth) {
  const std::size_t rows = std::min((row_count + kTileSide - 1) / kTileSide * kTileSide, split_rows<kParts>(depth));
  return 2 * kPairSums + rows * steps_of(depth) * kParts * kTileRow / sizeof(float);
}

template <typename V, std::size_t kParts>
constexpr DeepProduct kSplit = {Element::bfloat16,
                                kParts,
                                kAmxPanel,
                                kSplitRows,
                                0,
                                true,
                                split_fits,
                                split_pays<kParts>,
                                split_waits,
                                split_part,
                                split_scratch<kParts>,
                                pack_split<kParts>,
                                split_product<V, kParts>};

}  // namespace
}  // namespace ptrun::kernels
