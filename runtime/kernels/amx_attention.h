// Attention of one head by AMX. Include only inside the kernels room, where the target is set. What tiles read and
// write stands tile by tile, so that no stride makes their rows share a set of the cache.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "kernels/amx_tiles.h"
#include "kernels/attention_parts.h"
#include "kernels/kernels.h"

namespace ptrun::kernels {
namespace {

// What the softmax knows of a block of rows.
struct alignas(64) RowState {
  float totals[kPairRows * kTileSide];  // of each row and lane
  float offsets[kPairRows];
  float reciprocals[kPairRows];

  template <typename Reduce>
  static void reduce(const float* vectors, float* to) {
    for (std::size_t i = 0; i < kPairRows; i += kTileSide) {
      _mm512_storeu_ps(to + i, reduced_rows<Reduce>(vectors + i * kTileSide));
    }
  }
};

// `F` is how numbers are given to tiles.
template <typename F>
class AmxAttention {
  using E = typename F::Element;

 public:
  explicit AmxAttention(const Attention& a)
      : a_(a),
        room_(a, F::kParts),
        base_(reinterpret_cast<char*>((reinterpret_cast<std::uintptr_t>(a.scratch) + 63) / 64 * 64)),
        key_tiles_((a.key_count + kTileSide - 1) / kTileSide),
        factor_(_mm512_set1_ps(a.scale * F::kExponent)) {
    pack_keys(format_, static_cast<const E*>(a.keys), a.key_stride, a.key_count, a.width, tile(room_.keys));
    pack_values(format_, static_cast<const E*>(a.values), a.value_stride, a.key_count, a.width, tile(room_.values));
  }

  // False: there are numbers that are not usable, and nothing of the result is right.
  bool run() {
    if (!format_.usable()) return false;
    tiles_.shape(kTileSide, kAmxPanel);
    const std::size_t blocks = (a_.query_count + kPairRows - 1) / kPairRows;
    // Scores of a block are multiplied while those of the one before become shares: they share their memory.
    for (std::size_t block = 0; block <= blocks; ++block) {
      const bool ends = block == blocks;
      const bool begins = block == 0;
      if (!ends) take_queries(block);
      for (std::size_t step = 0; step < room_.key_steps; ++step) {
        if (!ends) multiply(step, rows_of(block) > kTileSide);
        if (!begins) make_shares(step);
        if (!ends && step != 0) find_most(step - 1);
        if (!ends) store_tiles(score(step), rows_of(block) > kTileSide, step * 2 + 1 < key_tiles_);
      }
      if (!ends) find_most(room_.key_steps - 1);
      if (!begins) {
        RowState::reduce<Sum>(state_.totals, state_.reciprocals);
        finish(block - 1);
      }
      if (!ends) find_offsets();
    }
    return format_.usable();
  }

 private:
  char* tile(std::size_t index) const { return base_ + index * kTileBytes; }
  float* score(std::size_t step) const { return reinterpret_cast<float*>(tile(room_.scores + step * 4)); }
  std::size_t rows_of(std::size_t block) const { return std::min(kPairRows, a_.query_count - block * kPairRows); }
  // Keys that there are in one of both tiles of a step.
  __mmask16 mask_of(std::size_t step, std::size_t half) const {
    const std::size_t first = step * kTileDepth + half * kTileSide;
    return static_cast<__mmask16>(first < a_.key_count ? first_bits(a_.key_count - first) : 0);
  }

  void take_queries(std::size_t block) {
    const auto* from = static_cast<const E*>(a_.queries) + block * kPairRows * a_.query_stride;
    copy_rows(format_, from, a_.query_stride, rows_of(block), a_.width, tile(room_.queries));
  }

  // Both tiles of a step by one or two tiles of rows.
  void multiply(std::size_t step, bool two_rows) {
    for_shape(two_rows, step * 2 + 1 < key_tiles_, [&](auto rows, auto columns) {
      const char* left = tile(room_.queries);
      const char* right = tile(room_.keys + step * 2 * room_.depth_steps * F::kParts);
      multiply_tiles<decltype(rows)::value, decltype(columns)::value>(left, right, room_.depth_steps);
    });
  }

  // `left` [steps][parts][2 tiles], `right` [2][steps][parts]. Products of parts that add up to less than 2^-24 of the
  // result are left out, the small ones come first.
  template <bool kTwoRows, bool kTwoColumns>
  static void multiply_tiles(const char* left, const char* right, std::size_t steps) {
    const std::size_t second = steps * F::kParts * kTileBytes;
    finish_stores();
    _tile_zero(0);
    if (kTwoColumns) _tile_zero(1);
    if (kTwoRows) _tile_zero(2);
    if (kTwoRows && kTwoColumns) _tile_zero(3);
    const auto load_left = [&](std::size_t part) {
      _tile_loadd(4, left + part * 2 * kTileBytes, kTileRow);
      if (kTwoRows) _tile_loadd(5, left + (part * 2 + 1) * kTileBytes, kTileRow);
    };
    const auto load_right = [&](std::size_t part) {
      _tile_loadd(6, right + part * kTileBytes, kTileRow);
      if (kTwoColumns) _tile_loadd(7, right + second + part * kTileBytes, kTileRow);
    };
    const auto add = [] {
      _tile_dpbf16ps(0, 4, 6);
      if (kTwoRows) _tile_dpbf16ps(2, 5, 6);
      if (kTwoColumns) _tile_dpbf16ps(1, 4, 7);
      if (kTwoRows && kTwoColumns) _tile_dpbf16ps(3, 5, 7);
    };
    for (std::size_t i = 0; i < steps; ++i) {
      if constexpr (F::kParts == 1) {
        load_right(0), load_left(0), add();
      } else {
        load_right(0), load_left(2), add();
        load_left(1), add();
        load_right(1), add();
        load_left(0), add();
        load_right(2), add();
        load_right(0), add();
      }
      left += F::kParts * 2 * kTileBytes;
      right += F::kParts * kTileBytes;
    }
  }

  // To [2 columns][2 rows] tiles.
  static void store_tiles(float* to, bool two_rows, bool two_columns) {
    for_shape(two_rows, two_columns, [&](auto rows, auto columns) {
      constexpr bool kRows = decltype(rows)::value;
      _tile_stored(0, to, kTileRow);
      if constexpr (kRows) _tile_stored(2, to + kTileFloats, kTileRow);
      if constexpr (decltype(columns)::value) {
        _tile_stored(1, to + 2 * kTileFloats, kTileRow);
        if constexpr (kRows) _tile_stored(3, to + 3 * kTileFloats, kTileRow);
      }
    });
  }

  void find_most(std::size_t step) {
    const float* scores = score(step);
    const __mmask16 first = mask_of(step, 0), second = mask_of(step, 1);
    for (std::size_t i = 0; i < kPairRows; ++i) {
      float* at = next_most_ + i * kTileSide;
      __m512 most = step == 0 ? _mm512_set1_ps(-std::numeric_limits<float>::infinity()) : _mm512_load_ps(at);
      // NaN is passed over: it comes back as a share.
      most = _mm512_mask_max_ps(most, first, _mm512_load_ps(scores + i * kTileSide), most);
      most = _mm512_mask_max_ps(most, second, _mm512_load_ps(scores + 2 * kTileFloats + i * kTileSide), most);
      _mm512_store_ps(at, most);
    }
  }

  void find_offsets() {
    RowState::reduce<Greater>(next_most_, state_.offsets);
    for (std::size_t i = 0; i < kPairRows; i += kTileSide) {
      const __m512 most = _mm512_load_ps(state_.offsets + i);
      _mm512_store_ps(state_.offsets + i, _mm512_fnmadd_ps(most, factor_, _mm512_setzero_ps()));
    }
    std::fill_n(state_.totals, kPairRows * kTileSide, 0.0F);
  }

  // Shares before they are divided by their total.
  void make_shares(std::size_t step) {
    const float* scores = score(step);
    char* shares = tile(room_.shares + step * 2 * F::kParts);
    const __mmask16 first = mask_of(step, 0), second = mask_of(step, 1);
    for (std::size_t i = 0; i < kPairRows; ++i) {
      const __m512 offset = _mm512_set1_ps(state_.offsets[i]);
      const __m512 a = _mm512_load_ps(scores + i * kTileSide);
      const __m512 b = _mm512_load_ps(scores + 2 * kTileFloats + i * kTileSide);
      const __m512 low = F::exponential(_mm512_fmadd_ps(a, factor_, offset), first);
      const __m512 high = F::exponential(_mm512_fmadd_ps(b, factor_, offset), second);
      float* total = state_.totals + i * kTileSide;
      _mm512_store_ps(total, _mm512_add_ps(_mm512_load_ps(total), _mm512_add_ps(low, high)));
      const auto row = F::narrow(low, high);
      for (std::size_t j = 0; j < F::kParts; ++j) {
        _mm512_store_si512(shares + j * 2 * kTileBytes + i * kTileRow, row.part[j]);
      }
    }
  }

  void finish(std::size_t block) {
    const std::size_t rows = rows_of(block);
    const bool two_rows = rows > kTileSide;
    for (std::size_t i = 0; i < kPairRows; i += kTileSide) {
      const __m512 total = _mm512_load_ps(state_.reciprocals + i);
      _mm512_store_ps(state_.reciprocals + i, _mm512_div_ps(_mm512_set1_ps(1.0F), total));
    }
    auto* out = static_cast<E*>(a_.out) + block * kPairRows * a_.out_stride;
    auto* sums = reinterpret_cast<float*>(tile(room_.sums));
    for (std::size_t column = 0; column < a_.width; column += kAmxPanel) {
      const bool two_columns = a_.width - column > kTileSide;
      const char* values = tile(room_.values + column / kTileSide * room_.key_steps * F::kParts);
      for_shape(two_rows, two_columns, [&](auto r, auto c) {
        multiply_tiles<decltype(r)::value, decltype(c)::value>(tile(room_.shares), values, room_.key_steps);
      });
      store_tiles(sums, two_rows, two_columns);
      const __mmask32 mask = first_bits(a_.width - column);
      for (std::size_t i = 0; i < rows; ++i) {
        const __m512 share = _mm512_set1_ps(state_.reciprocals[i]);
        const __m512 low = _mm512_mul_ps(_mm512_load_ps(sums + i * kTileSide), share);
        const __m512 high = _mm512_mul_ps(_mm512_load_ps(sums + 2 * kTileFloats + i * kTileSide), share);
        F::store(out + i * a_.out_stride + column, low, high, mask);
      }
    }
  }

  const Attention& a_;
  const AttentionTiles room_;
  F format_;
  char* base_;
  std::size_t key_tiles_;
  __m512 factor_;
  Tiles tiles_;
  RowState state_;
  alignas(64) float next_most_[kPairRows * kTileSide];
};

void amx_attention(const Attention& a) { AmxAttention<OnePart>(a).run(); }

// `kFallback` is for numbers that are not usable in parts.
template <const Set& kFallback>
void amx_attention_in_parts(const Attention& a) {
  if (!AmxAttention<ThreeParts>(a).run()) kFallback.float32->attention(a);
}

}  // namespace
}  // namespace ptrun::kernels
