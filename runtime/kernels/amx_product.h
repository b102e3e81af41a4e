// Products of bfloat16 numbers by AMX. Include only inside the kernels room, where the target is set.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/amx_tiles.h"
#include "kernels/kernels.h"

namespace ptrun::kernels {
namespace {

// Steps of kTileDepth of one or two tiles of rows, and of a panel.
struct Steps {
  const char* rows[2];
  std::size_t row_stride;  // bytes
  const char* weights;
  std::size_t weight_stride;  // bytes from pair to pair of the depth
  std::size_t count;
};

template <bool kTwoRows, bool kTwoColumns, typename Chore>
inline void multiply_steps(const Steps& s, const Chore& chore) {
  const char* rows0 = s.rows[0];
  const char* rows1 = s.rows[1];
  const char* weights = s.weights;
  for (std::size_t i = 0; i < s.count; ++i) {
    _tile_loadd(6, weights, s.weight_stride);
    _tile_loadd(4, rows0, s.row_stride);
    _tile_dpbf16ps(0, 4, 6);
    if (kTwoRows) {
      _tile_loadd(5, rows1, s.row_stride);
      _tile_dpbf16ps(2, 5, 6);
    }
    if (kTwoColumns) {
      _tile_loadd(7, weights + kTileRow, s.weight_stride);
      _tile_dpbf16ps(1, 4, 7);
      if (kTwoRows) _tile_dpbf16ps(3, 5, 7);
    }
    chore();
    rows0 += kTileRow;
    rows1 += kTileRow;
    weights += kTileSide * s.weight_stride;
  }
}

// Rows of a product in one or two tiles at a time: where the last ones are no whole tile, it overlaps the one before.
struct RowTiles {
  RowTiles(std::size_t first, std::size_t count) {
    const std::size_t left = count - first;
    two = left > kTileSide;
    begin[0] = two || count < kTileSide ? first : std::min(first, count - kTileSide);
    begin[1] = two ? std::min(first + kTileSide, count - kTileSide) : begin[0];
    fresh = first;
    end = std::min(first + kPairRows, count);
  }
  bool two;
  std::size_t begin[2];
  std::size_t fresh, end;  // rows whose results are stored
};

// out = epilogue(rows x weights + bias), bfloat16 with sums in float32; `Out` is that of the results.
template <typename V, typename Out>
void amx_product(const Product& p) {
  constexpr std::size_t kBlock = kProductRows / 2;
  const std::size_t row_stride = p.row_stride == 0 ? p.depth : p.row_stride;
  const std::size_t out_stride = p.out_stride == 0 ? p.columns : p.out_stride;
  const auto* rows = static_cast<const std::uint16_t*>(p.rows);
  const auto* weights = static_cast<const std::uint16_t*>(p.weights);
  const auto* other = static_cast<const Out*>(p.other);
  auto* out = static_cast<Out*>(p.out);
  // Two blocks of sums take turns.
  float* sums = p.scratch;
  float* next_sums = sums + kPairSums;
  auto* row_rest = reinterpret_cast<char*>(next_sums + kPairSums);
  auto* weight_rest = row_rest + kBlock * kTileRow;
  const std::size_t steps = p.depth / kTileDepth;
  const std::size_t rest = p.depth % kTileDepth;
  const std::size_t all_steps = steps + (rest != 0 ? 1 : 0);
  const std::size_t tile_rows = std::min(kTileSide, p.row_count);
  const std::size_t rows_a_step = (kPairRows + all_steps - 1) / all_steps;
  const auto finish = Finisher<V, Out>::choose(p.epilogue, other != nullptr);
  Pending<Out> pending[2];
  const auto chore = [&] {
    Pending<Out>& now = pending[pending[0].rows == 0 ? 1 : 0];
    if (now.rows != 0) finish(now, rows_a_step);
  };
  Tiles tiles;
  for (std::size_t begin = 0; begin < p.row_count; begin += kBlock) {
    // The last rows of a product are never fewer than a tile has.
    const std::size_t count = std::min(kBlock, p.row_count - begin);
    const std::size_t back = count < tile_rows ? tile_rows - count : 0;
    const std::uint16_t* block = rows + (begin - back) * row_stride;
    if (rest != 0) {
      const auto mask = static_cast<__mmask32>((std::uint64_t{1} << rest) - 1);
      for (std::size_t i = 0; i < count + back; ++i) {
        const __m512i last = _mm512_maskz_loadu_epi16(mask, block + i * row_stride + steps * kTileDepth);
        _mm512_storeu_si512(row_rest + i * kTileRow, last);
      }
    }
    for (std::size_t column = p.first_column; column < p.last_column; column += kAmxPanel) {
      const std::size_t width = panel_width(p.columns, column, kAmxPanel);
      const std::size_t valid = std::min(width, p.columns - column);
      const auto* panel = reinterpret_cast<const char*>(weights + column * p.depth);
      const std::size_t weight_stride = width * 4;
      if (rest != 0) {
        const std::size_t used = rest / 2 * weight_stride;
        std::memcpy(weight_rest, panel + steps * kTileSide * weight_stride, used);
        std::memset(weight_rest + used, 0, kTileSide * weight_stride - used);
      }
      tiles.shape(tile_rows, width);
      for (std::size_t row = back; row < count + back; row += kPairRows) {
        const RowTiles t(row, count + back);
        for_shape(t.two, width > kTileSide, [&](auto two_rows, auto two_columns) {
          constexpr bool kRows = decltype(two_rows)::value;
          constexpr bool kColumns = decltype(two_columns)::value;
          begin_sums<kRows, kColumns>(p.bias + column);
          const auto* first = reinterpret_cast<const char*>(block + t.begin[0] * row_stride);
          const auto* second = reinterpret_cast<const char*>(block + t.begin[1] * row_stride);
          multiply_steps<kRows, kColumns>({{first, second}, row_stride * 2, panel, weight_stride, steps}, chore);
          if (rest != 0) {
            multiply_steps<kRows, kColumns>({{row_rest + t.begin[0] * kTileRow, row_rest + t.begin[1] * kTileRow},
                                             kTileRow,
                                             weight_rest,
                                             weight_stride,
                                             1},
                                            chore);
          }
          while (pending[0].rows + pending[1].rows != 0) chore();
          end_sums<kRows, kColumns>(sums);
        });
        // Rows of the first tile, then those that the second one adds.
        const auto wait = [&](Pending<Out>& to, const float* from, std::size_t first, std::size_t last) {
          const std::size_t at = (begin - back + first) * out_stride + column;
          to = {from, last - first, valid, other == nullptr ? nullptr : other + at, out + at, out_stride, &p.epilogue};
        };
        const std::size_t split = t.two ? t.begin[0] + kTileSide : t.end;
        wait(pending[0], sums + (t.fresh - t.begin[0]) * kAmxPanel, t.fresh, split);
        if (t.two) wait(pending[1], sums + (kTileSide + split - t.begin[1]) * kAmxPanel, split, t.end);
        std::swap(sums, next_sums);
      }
    }
  }
  while (pending[0].rows + pending[1].rows != 0) chore();
}

}  // namespace
}  // namespace ptrun::kernels
