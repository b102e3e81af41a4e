// How tiles of attention are packed: tokens in pairs, in one part of bfloat16 or in three. Include only inside the
// kernels room, where the target is set.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/activation.h"
#include "kernels/amx_tiles.h"
#include "kernels/avx512_vector.h"
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

// Numbers of bfloat16 are what tiles multiply.
struct OnePart {
  using Element = std::uint16_t;
  static constexpr std::size_t kParts = 1;
  static constexpr float kExponent = 1.44269504F;  // of exponential(), which takes a power of 2
  struct Row {
    __m512i part[kParts];
  };
  // 32 numbers.
  static Row row(const Element* from, __mmask32 mask) { return {{_mm512_maskz_loadu_epi16(mask, from)}}; }
  // 16 numbers of two rows, in turns.
  static Row pair(const Element* first, __mmask16 first_mask, const Element* second, __mmask16 second_mask) {
    const __m512i a = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(first_mask, first));
    const __m512i b = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(second_mask, second));
    return {{_mm512_or_si512(a, _mm512_slli_epi32(b, 16))}};
  }
  static Row narrow(__m512 low, __m512 high) { return {{(__m512i)_mm512_cvtne2ps_pbh(high, low)}}; }
  static __m512 exponential(__m512 x, __mmask16 mask) { return power_of_two(x, mask); }
  static void store(Element* to, __m512 low, __m512 high, __mmask32 mask) {
    _mm512_mask_storeu_epi16(to, mask, (__m512i)_mm512_cvtne2ps_pbh(high, low));
  }
  static bool usable() { return true; }
};

// Numbers of float32 as sums of three of bfloat16, each the rest rounded: none of their 24 bits is lost.
class ThreeParts {
 public:
  using Element = float;
  static constexpr std::size_t kParts = 3;
  static constexpr float kExponent = 1;
  struct Row {
    __m512i part[kParts];
  };
  // Not an initialiser of the member: GCC 12 would compile that without the target.
  ThreeParts() { largest_ = _mm512_setzero_si512(); }
  Row row(const Element* from, __mmask32 mask) {
    const auto low = static_cast<__mmask16>(mask), high = static_cast<__mmask16>(mask >> 16);
    return narrow(seen(_mm512_maskz_loadu_ps(low, from)), seen(_mm512_maskz_loadu_ps(high, from + 16)));
  }
  Row pair(const Element* first, __mmask16 first_mask, const Element* second, __mmask16 second_mask) {
    const Split a(seen(_mm512_maskz_loadu_ps(first_mask, first)));
    const Split b(seen(_mm512_maskz_loadu_ps(second_mask, second)));
    Row row;
#pragma GCC unroll 3
    for (std::size_t i = 0; i < kParts; ++i) {
      const __m512i words = _mm512_castps_si512(b.part[i]);
      row.part[i] = _mm512_or_si512(_mm512_srli_epi32(_mm512_castps_si512(a.part[i]), 16), words);
    }
    return row;
  }
  static Row narrow(__m512 low, __m512 high) {
    const Split a(low), b(high);
    Row row;
#pragma GCC unroll 3
    for (std::size_t i = 0; i < kParts; ++i) row.part[i] = (__m512i)_mm512_cvtne2ps_pbh(b.part[i], a.part[i]);
    return row;
  }
  static __m512 exponential(__m512 x, __mmask16 mask) {
    return _mm512_maskz_mov_ps(mask, kernels::exponential<Avx512>(x).value());
  }
  static void store(Element* to, __m512 low, __m512 high, __mmask32 mask) {
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>(mask), low);
    _mm512_mask_storeu_ps(to + 16, static_cast<__mmask16>(mask >> 16), high);
  }
  // No number so far was NaN, infinite, or so large that a part or a sum of shares could become infinite.
  bool usable() const { return _mm512_reduce_max_epu32(largest_) < 0x71800000U; }  // 2^100

 private:
  struct Split {
    explicit Split(__m512 x) {
      part[0] = rounded(x);
      x = _mm512_sub_ps(x, part[0]);
      part[1] = rounded(x);
      part[2] = _mm512_sub_ps(x, part[1]);
    }
    // To the upper 16 bits.
    static __m512 rounded(__m512 x) {
      const __m512i bits = _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000));
      return _mm512_castsi512_ps(_mm512_and_si512(bits, _mm512_set1_epi32(static_cast<int>(0xffff0000U))));
    }
    __m512 part[kParts];
  };
  __m512 seen(__m512 x) {
    largest_ = _mm512_max_epu32(largest_, _mm512_castps_si512(_mm512_abs_ps(x)));
    return x;
  }
  __m512i largest_;
};

// Rows of [count, width] to [steps][parts][2 row tiles][16, 32], zeros where there is nothing.
template <typename F>
void copy_rows(F& format, const typename F::Element* from, std::size_t stride, std::size_t count, std::size_t width,
               char* to) {
  for (std::size_t k = 0; k < width; k += kTileDepth, to += F::kParts * 2 * kTileBytes) {
    const __mmask32 mask = first_bits(width - k);
    for (std::size_t i = 0; i < kPairRows; ++i) {
      const auto row = i < count ? format.row(from + i * stride + k, mask) : typename F::Row{};
      for (std::size_t j = 0; j < F::kParts; ++j) {
        _mm512_storeu_si512(to + j * 2 * kTileBytes + i * kTileRow, row.part[j]);
      }
    }
  }
}

// Keys [count, width] to [key tiles][depth steps][parts][16 pairs of the depth, 16 keys].
template <typename F>
void pack_keys(F& format, const typename F::Element* from, std::size_t stride, std::size_t count, std::size_t width,
               char* to) {
  for (std::size_t first = 0; first < count; first += kTileSide) {
    const std::size_t rows = std::min(kTileSide, count - first);
    for (std::size_t k = 0; k < width; k += kTileDepth) {
      const __mmask32 mask = first_bits(width - k);
      __m512i words[F::kParts][kTileSide];
      for (std::size_t i = 0; i < kTileSide; ++i) {
        const auto row = i < rows ? format.row(from + (first + i) * stride + k, mask) : typename F::Row{};
        for (std::size_t j = 0; j < F::kParts; ++j) words[j][i] = row.part[j];
      }
      for (std::size_t j = 0; j < F::kParts; ++j, to += kTileBytes) {
        transpose(words[j]);
#pragma GCC unroll 16
        for (std::size_t i = 0; i < kTileSide; ++i) _mm512_storeu_si512(to + i * kTileRow, words[j][i]);
      }
    }
  }
}

// Values [count, width] to [width tiles][key steps][parts][16 pairs of keys, 16 columns].
template <typename F>
void pack_values(F& format, const typename F::Element* from, std::size_t stride, std::size_t count, std::size_t width,
                 char* to) {
  for (std::size_t column = 0; column < width; column += kTileSide) {
    const auto mask = static_cast<__mmask16>(first_bits(width - column));
    for (std::size_t first = 0; first < count; first += kTileDepth, to += F::kParts * kTileBytes) {
      for (std::size_t i = 0; i < kTileSide; ++i) {
        const std::size_t even = first + 2 * i, odd = even + 1;
        const auto row = format.pair(from + std::min(even, count - 1) * stride + column, even < count ? mask : 0,
                                     from + std::min(odd, count - 1) * stride + column, odd < count ? mask : 0);
        for (std::size_t j = 0; j < F::kParts; ++j) {
          _mm512_storeu_si512(to + j * kTileBytes + i * kTileRow, row.part[j]);
        }
      }
    }
  }
}

}  // namespace
}  // namespace ptrun::kernels
