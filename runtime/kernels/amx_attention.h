// Attention of one head in bfloat16 by AMX. Include only inside the kernels room, where the target is set. What tiles
// read and write stands tile by tile, so that no stride makes their rows share a set of the cache.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "kernels/amx_tiles.h"
#include "kernels/kernels.h"

namespace ptrun::kernels {
namespace {

constexpr std::size_t kTileFloats = kTileBytes / sizeof(float);

constexpr std::uint32_t first_bits(std::size_t count) {
  return count >= 32 ? 0xffffffffU : (std::uint32_t{1} << count) - 1;
}

// Row i of the result is column i of `words`.
inline void transpose(__m512i (&words)[kTileSide]) {
  __m512i a[kTileSide];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    a[i] = _mm512_unpacklo_epi32(words[i], words[i + 1]);
    a[i + 1] = _mm512_unpackhi_epi32(words[i], words[i + 1]);
  }
  // Column 4 x lane + j of rows i to i + 3 stands in lane `lane` of words[i + j].
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    words[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]);
    words[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
    words[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]);
    words[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512i even0 = _mm512_shuffle_i32x4(words[i], words[i + 4], 0x88);
    const __m512i odd0 = _mm512_shuffle_i32x4(words[i], words[i + 4], 0xdd);
    const __m512i even1 = _mm512_shuffle_i32x4(words[i + 8], words[i + 12], 0x88);
    const __m512i odd1 = _mm512_shuffle_i32x4(words[i + 8], words[i + 12], 0xdd);
    a[i] = _mm512_shuffle_i32x4(even0, even1, 0x88);
    a[i + 4] = _mm512_shuffle_i32x4(odd0, odd1, 0x88);
    a[i + 8] = _mm512_shuffle_i32x4(even0, even1, 0xdd);
    a[i + 12] = _mm512_shuffle_i32x4(odd0, odd1, 0xdd);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) words[i] = a[i];
}

struct Greater {
  static __m512 of(__m512 a, __m512 b) { return _mm512_max_ps(a, b); }
};
struct Sum {
  static __m512 of(__m512 a, __m512 b) { return _mm512_add_ps(a, b); }
};

// Element i of the result is vector i of [16, 16] reduced to one number.
template <typename Reduce>
inline __m512 reduced_rows(const float* vectors) {
  __m512 v[kTileSide];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    const __m512 a = _mm512_loadu_ps(vectors + i * 16);
    const __m512 b = _mm512_loadu_ps(vectors + (i + 8) * 16);
    v[i] = Reduce::of(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    v[i] = Reduce::of(_mm512_shuffle_f32x4(v[i], v[i + 4], 0x88), _mm512_shuffle_f32x4(v[i], v[i + 4], 0xdd));
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) v[i] = Reduce::of(_mm512_unpacklo_ps(v[i], v[i + 2]), _mm512_unpackhi_ps(v[i], v[i + 2]));
  const __m512 all = Reduce::of(_mm512_unpacklo_ps(v[0], v[1]), _mm512_unpackhi_ps(v[0], v[1]));
  return _mm512_shuffle_f32x4(all, all, 0xd8);
}

// 2^x to 1e-4, for x <= 0: infinite ones give 0. Where the mask has no bit: 0.
inline __m512 power_of_two(__m512 x, __mmask16 mask) {
  const __m512 r = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(0.0780245227F), r, _mm512_set1_ps(0.226067155F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.695833541F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.999925219F));
  return _mm512_maskz_scalef_ps(mask, p, x);
}

// Rows of [count, width] to [steps][row tiles][16, 32], zeros where there is nothing.
inline void copy_rows(const std::uint16_t* from, std::size_t stride, std::size_t count, std::size_t width, char* to) {
  for (std::size_t k = 0; k < width; k += kTileDepth) {
    const __mmask32 mask = first_bits(width - k);
    for (std::size_t i = 0; i < count; ++i, to += kTileRow) {
      _mm512_storeu_si512(to, _mm512_maskz_loadu_epi16(mask, from + i * stride + k));
    }
    for (std::size_t i = count; i < kPairRows; ++i, to += kTileRow) _mm512_storeu_si512(to, _mm512_setzero_si512());
  }
}

// Keys [count, width] to [key tiles][depth steps][16 pairs of the depth, 16 keys].
inline void pack_keys(const std::uint16_t* from, std::size_t stride, std::size_t count, std::size_t width, char* to) {
  for (std::size_t first = 0; first < count; first += kTileSide) {
    const std::size_t rows = std::min(kTileSide, count - first);
    for (std::size_t k = 0; k < width; k += kTileDepth, to += kTileBytes) {
      const __mmask32 mask = first_bits(width - k);
      const std::uint16_t* at = from + first * stride + k;
      __m512i words[kTileSide];
      if (rows == kTileSide) {
#pragma GCC unroll 16
        for (std::size_t i = 0; i < kTileSide; ++i) words[i] = _mm512_maskz_loadu_epi16(mask, at + i * stride);
      } else {
        for (std::size_t i = 0; i < kTileSide; ++i) {
          words[i] = i < rows ? _mm512_maskz_loadu_epi16(mask, at + i * stride) : _mm512_setzero_si512();
        }
      }
      transpose(words);
#pragma GCC unroll 16
      for (std::size_t i = 0; i < kTileSide; ++i) _mm512_storeu_si512(to + i * kTileRow, words[i]);
    }
  }
}

// Values [count, width] to [width tiles][key steps][16 pairs of keys, 16 columns].
inline void pack_values(const std::uint16_t* from, std::size_t stride, std::size_t count, std::size_t width,
                        std::size_t key_steps, char* to) {
  for (std::size_t column = 0; column < width; column += kTileSide) {
    const auto mask = static_cast<__mmask16>(first_bits(width - column));
    const auto load = [&](std::size_t key) {
      const __mmask16 there = key < count ? mask : __mmask16{0};
      return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(there, from + std::min(key, count - 1) * stride + column));
    };
    for (std::size_t key = 0; key < key_steps * kTileDepth; key += 2, to += kTileRow) {
      _mm512_storeu_si512(to, _mm512_or_si512(load(key), _mm512_slli_epi32(load(key + 1), 16)));
    }
  }
}

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

class AmxAttention {
 public:
  explicit AmxAttention(const Attention& a)
      : a_(a),
        room_(a),
        base_(reinterpret_cast<char*>((reinterpret_cast<std::uintptr_t>(a.scratch) + 63) / 64 * 64)),
        key_tiles_((a.key_count + kTileSide - 1) / kTileSide),
        factor_(_mm512_set1_ps(a.scale * 1.44269504F)) {
    pack_keys(static_cast<const std::uint16_t*>(a.keys), a.key_stride, a.key_count, a.width, tile(room_.keys));
    pack_values(static_cast<const std::uint16_t*>(a.values), a.value_stride, a.key_count, a.width, room_.key_steps,
                tile(room_.values));
  }

  void run() {
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
    const auto* from = static_cast<const std::uint16_t*>(a_.queries) + block * kPairRows * a_.query_stride;
    copy_rows(from, a_.query_stride, rows_of(block), a_.width, tile(room_.queries));
  }

  // Both tiles of a step by one or two tiles of rows.
  void multiply(std::size_t step, bool two_rows) {
    for_shape(two_rows, step * 2 + 1 < key_tiles_, [&](auto rows, auto columns) {
      const char* left = tile(room_.queries);
      const char* right = tile(room_.keys + step * 2 * room_.depth_steps);
      multiply_tiles<decltype(rows)::value, decltype(columns)::value>(left, right, room_.depth_steps);
    });
  }

  // `left` [steps][2 tiles], `right` [2][steps].
  template <bool kTwoRows, bool kTwoColumns>
  static void multiply_tiles(const char* left, const char* right, std::size_t steps) {
    const char* second = right + steps * kTileBytes;
    _tile_zero(0);
    if (kTwoColumns) _tile_zero(1);
    if (kTwoRows) _tile_zero(2);
    if (kTwoRows && kTwoColumns) _tile_zero(3);
    for (std::size_t i = 0; i < steps; ++i) {
      _tile_loadd(6, right, kTileRow);
      _tile_loadd(4, left, kTileRow);
      _tile_dpbf16ps(0, 4, 6);
      if (kTwoRows) {
        _tile_loadd(5, left + kTileBytes, kTileRow);
        _tile_dpbf16ps(2, 5, 6);
      }
      if (kTwoColumns) {
        _tile_loadd(7, second, kTileRow);
        _tile_dpbf16ps(1, 4, 7);
        if (kTwoRows) _tile_dpbf16ps(3, 5, 7);
      }
      left += 2 * kTileBytes;
      right += kTileBytes;
      second += kTileBytes;
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
    char* shares = tile(room_.shares + step * 2);
    const __mmask16 first = mask_of(step, 0), second = mask_of(step, 1);
    for (std::size_t i = 0; i < kPairRows; ++i) {
      const __m512 offset = _mm512_set1_ps(state_.offsets[i]);
      const __m512 a = _mm512_load_ps(scores + i * kTileSide);
      const __m512 b = _mm512_load_ps(scores + 2 * kTileFloats + i * kTileSide);
      const __m512 low = power_of_two(_mm512_fmadd_ps(a, factor_, offset), first);
      const __m512 high = power_of_two(_mm512_fmadd_ps(b, factor_, offset), second);
      float* total = state_.totals + i * kTileSide;
      _mm512_store_ps(total, _mm512_add_ps(_mm512_load_ps(total), _mm512_add_ps(low, high)));
      _mm512_store_si512(shares + i * kTileRow, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
  }

  void finish(std::size_t block) {
    const std::size_t rows = rows_of(block);
    const bool two_rows = rows > kTileSide;
    for (std::size_t i = 0; i < kPairRows; i += kTileSide) {
      const __m512 total = _mm512_load_ps(state_.reciprocals + i);
      _mm512_store_ps(state_.reciprocals + i, _mm512_div_ps(_mm512_set1_ps(1.0F), total));
    }
    auto* out = static_cast<std::uint16_t*>(a_.out) + block * kPairRows * a_.out_stride;
    auto* sums = reinterpret_cast<float*>(tile(room_.sums));
    for (std::size_t column = 0; column < a_.width; column += kAmxPanel) {
      const bool two_columns = a_.width - column > kTileSide;
      const char* values = tile(room_.values + column / kTileSide * room_.key_steps);
      for_shape(two_rows, two_columns, [&](auto r, auto c) {
        multiply_tiles<decltype(r)::value, decltype(c)::value>(tile(room_.shares), values, room_.key_steps);
      });
      store_tiles(sums, two_rows, two_columns);
      const __mmask32 mask = first_bits(a_.width - column);
      for (std::size_t i = 0; i < rows; ++i) {
        const __m512 share = _mm512_set1_ps(state_.reciprocals[i]);
        const __m512 low = _mm512_mul_ps(_mm512_load_ps(sums + i * kTileSide), share);
        const __m512 high = _mm512_mul_ps(_mm512_load_ps(sums + 2 * kTileFloats + i * kTileSide), share);
        _mm512_mask_storeu_epi16(out + i * a_.out_stride + column, mask, (__m512i)_mm512_cvtne2ps_pbh(high, low));
      }
    }
  }

  const Attention& a_;
  const AttentionTiles room_;
  char* base_;
  std::size_t key_tiles_;
  __m512 factor_;
  Tiles tiles_;
  RowState state_;
  alignas(64) float next_most_[kPairRows * kTileSide];
};

void amx_attention(const Attention& a) { AmxAttention(a).run(); }

}  // namespace
}  // namespace ptrun::kernels
