// Products of float32 numbers by AMX as integers of two digits. Include only inside the kernels room, where the target
// is set.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/amx_split.h"
#include "kernels/amx_tiles.h"
#include "kernels/kernels.h"

namespace ptrun::kernels {
namespace {

// A row or column of weights is a scale times integers of at most 127 x 128, 128 times a first digit plus a second one,
// from -64 to 63: 14 binary digits and a sign. Tiles multiply digits twice as fast as bfloat16; of the four products
// that of second digits, at most 2^-14 of the largest, is left out.
// A number's error is up to 2^-15 of the largest one of its row or column.
constexpr float kLargestDigits = 127.0F * 128.0F;
constexpr std::size_t kDigitDepth = 64;
constexpr std::size_t kDigits = 2;  // of a number; DeepProduct::parts is 1, with the scales behind both
// Below, numbers count as zeros: the reciprocal of a scale is still finite.
constexpr float kSmallestScaled = 1e-30F;

inline std::size_t digit_steps(std::size_t depth) { return (depth + kDigitDepth - 1) / kDigitDepth; }

// Of a block: they stay in the second cache.
inline std::size_t digit_rows(std::size_t depth) {
  constexpr std::size_t kBytes = std::size_t{768} * 1024;
  return std::clamp<std::size_t>(kBytes / (digit_steps(depth) * kDigitDepth * kDigits) / kPairRows * kPairRows,
                                 kPairRows, kSplitRows);
}

struct DigitPair {
  __m256i first, second;
};

// Of 32 numbers, each a multiple of `reciprocal`'s inverse.
inline DigitPair digits_of(__m512 low, __m512 high, __m512 reciprocal) {
  const __m512i a = _mm512_cvtps_epi32(_mm512_mul_ps(low, reciprocal));
  const __m512i b = _mm512_cvtps_epi32(_mm512_mul_ps(high, reciprocal));
  const __m512i whole =
      _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi32_epi16(a)), _mm512_cvtepi32_epi16(b), 1);
  const __m512i first = _mm512_srai_epi16(_mm512_add_epi16(whole, _mm512_set1_epi16(64)), 7);
  const __m512i second = _mm512_sub_epi16(whole, _mm512_slli_epi16(first, 7));
  return {_mm512_cvtepi16_epi8(first), _mm512_cvtepi16_epi8(second)};
}

// A row of floats, multiplied with a gate where there is one, zeros behind its end.
struct GatedRow {
  const float* from;
  const float* gate;
  std::size_t depth;
  __m512 at(std::size_t k) const {
    if (k >= depth) return _mm512_setzero_ps();
    const auto mask = static_cast<__mmask16>(depth - k >= 16 ? 0xffffU : (1U << (depth - k)) - 1);
    const __m512 x = _mm512_maskz_loadu_ps(mask, from + k);
    return gate == nullptr ? x : _mm512_mul_ps(x, _mm512_maskz_loadu_ps(mask, gate + k));
  }
  // Of the numbers without their signs; larger than any finite one where one is NaN.
  std::uint32_t largest() const {
    __m512i most = _mm512_setzero_si512();
    for (std::size_t k = 0; k < depth; k += 16) {
      most = _mm512_max_epu32(most, _mm512_castps_si512(_mm512_abs_ps(at(k))));
    }
    return _mm512_reduce_max_epu32(most);
  }
};

// The scale of numbers up to `largest`, 0 where all count as zeros.
inline float scale_of(float largest) { return largest < kSmallestScaled ? 0.0F : largest / kLargestDigits; }

// `count` rows as tiles [rows, steps, digits, 16, 64] and their scales; zeros fill what is not there. Returns whether
// there are `wild` rows, with an infinity or a NaN.
inline bool to_digits(const float* rows, std::size_t row_stride, std::size_t count, std::size_t depth,
                      const float* gate, char* to, float* scales, std::uint8_t* wild) {
  const std::size_t steps = digit_steps(depth);
  bool any = false;
  for (std::size_t row = 0; row < (count + kTileSide - 1) / kTileSide * kTileSide; ++row) {
    char* out = to + row / kTileSide * steps * kDigits * kTileBytes + row % kTileSide * kTileRow;
    const GatedRow given{rows + row * row_stride, gate, row < count ? depth : 0};
    const std::uint32_t bits = given.largest();
    float largest = 0;
    std::memcpy(&largest, &bits, sizeof(largest));
    const bool finite = std::isfinite(largest);
    if (row < count) {
      wild[row] = finite ? 0 : 1;
      any = any || !finite;
    }
    const float scale = finite ? scale_of(largest) : 0.0F;
    scales[row] = scale;
    const __m512 reciprocal = _mm512_set1_ps(scale == 0 ? 0.0F : 1.0F / scale);
    for (std::size_t step = 0; step < steps; ++step, out += kDigits * kTileBytes) {
      for (std::size_t i = 0; i < kDigitDepth; i += 32) {
        const std::size_t k = step * kDigitDepth + i;
        const DigitPair digits = digits_of(given.at(k), given.at(k + 16), reciprocal);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), digits.first);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + kTileBytes + i), digits.second);
      }
    }
  }
  return any;
}

// Sums of products of first digits, or those of first with second ones, in registers 0 to 3.
template <bool kFirst, bool kTwoRows, bool kTwoColumns>
inline void multiply_digits(const char* rows0, std::size_t row_tile, const char* weights, std::size_t weight_stride,
                            std::size_t steps) {
  const std::size_t weight_digit = kTileSide * weight_stride;
  finish_stores();
  _tile_zero(0);
  if (kTwoColumns) _tile_zero(1);
  if (kTwoRows) _tile_zero(2);
  if (kTwoRows && kTwoColumns) _tile_zero(3);
  const auto multiply = [&](const char* row, const char* weight) {
    _tile_loadd(4, row, kTileRow);
    _tile_loadd(6, weight, weight_stride);
    _tile_dpbssd(0, 4, 6);
    if (kTwoRows) {
      _tile_loadd(5, row + row_tile, kTileRow);
      _tile_dpbssd(2, 5, 6);
    }
    if (kTwoColumns) {
      _tile_loadd(7, weight + kTileRow, weight_stride);
      _tile_dpbssd(1, 4, 7);
      if (kTwoRows) _tile_dpbssd(3, 5, 7);
    }
  };
  for (std::size_t i = 0; i < steps; ++i) {
    if constexpr (kFirst) {
      multiply(rows0, weights);
    } else {
      multiply(rows0, weights + weight_digit);
      multiply(rows0 + kTileBytes, weights);
    }
    rows0 += kDigits * kTileBytes;
    weights += kDigits * weight_digit;
  }
}

// Both kinds of sums become those of the numbers.
inline void join_digits(const float* first, const float* second, const float* row_scales, const float* column_scales,
                        const float* bias, std::size_t rows, std::size_t width, float* sums) {
  for (std::size_t column = 0; column < width; column += kTileSide) {
    const auto mask = static_cast<__mmask16>((1U << std::min(width - column, kTileSide)) - 1);
    const __m512 scale = _mm512_maskz_loadu_ps(mask, column_scales + column);
    const __m512 shift = _mm512_maskz_loadu_ps(mask, bias + column);
    for (std::size_t i = 0; i < rows; ++i) {
      const std::size_t at = i * kAmxPanel + column;
      const __m512 sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_loadu_si512(first + at)), _mm512_set1_ps(128.0F),
                                         _mm512_cvtepi32_ps(_mm512_loadu_si512(second + at)));
      const __m512 factor = _mm512_mul_ps(scale, _mm512_set1_ps(row_scales[i] * 128.0F));
      _mm512_storeu_ps(sums + at, _mm512_fmadd_ps(sum, factor, shift));
    }
  }
}

// Bytes of a panel's digits; the scales of all columns stand behind the last one.
inline std::size_t digit_panel(std::size_t width, std::size_t depth) {
  return digit_steps(depth) * kDigitDepth * kDigits * width;
}
inline std::size_t padded(std::size_t columns) { return (columns + 7) / 8 * 8; }
inline std::size_t digit_bytes(std::size_t columns, std::size_t depth) { return digit_panel(padded(columns), depth); }

// Sums of one row by float32, for rows without digits.
inline void wild_digit_sums(const float* row, const float* gate, std::size_t depth, const std::int8_t* panel,
                            std::size_t width, const float* column_scales, const float* bias, float* sums) {
  for (std::size_t column = 0; column < width; ++column) {
    float sum = bias[column];
    for (std::size_t k = 0; k < depth; ++k) {
      const std::size_t tile = k / kDigitDepth * kDigits * kTileSide + k % kDigitDepth / 4;
      const auto first = static_cast<float>(panel[(tile * width + column) * 4 + k % 4]);
      const auto second = static_cast<float>(panel[((tile + kTileSide) * width + column) * 4 + k % 4]);
      const float weight = (first * 128 + second) * column_scales[column];
      sum += (gate == nullptr ? row[k] : row[k] * gate[k]) * weight;
    }
    sums[column] = sum;
  }
}

template <typename V>
void digit_product(const Product& p) {
  const std::size_t row_stride = p.row_stride == 0 ? p.depth : p.row_stride;
  const std::size_t out_stride = p.out_stride == 0 ? p.columns : p.out_stride;
  const auto* rows = static_cast<const float*>(p.rows);
  const auto* weights = static_cast<const char*>(p.weights);
  const auto* column_scales = reinterpret_cast<const float*>(weights + digit_bytes(p.columns, p.depth));
  const auto* other = static_cast<const float*>(p.other);
  auto* out = static_cast<float*>(p.out);
  const std::size_t steps = digit_steps(p.depth);
  const std::size_t most = digit_rows(p.depth);
  float* sums = p.scratch;
  float* first_sums = sums + kPairSums;
  float* second_sums = first_sums + kPairSums;
  float* row_scales = second_sums + kPairSums;
  auto* tiles_of_rows = reinterpret_cast<char*>(row_scales + kSplitRows);
  const auto finish = Finisher<V, float>::choose(p.epilogue, other != nullptr);
  std::uint8_t wild[kSplitRows];
  Tiles tiles;
  for (std::size_t begin = 0; begin < p.row_count; begin += most) {
    const std::size_t count = std::min(most, p.row_count - begin);
    const bool any_wild =
        to_digits(rows + begin * row_stride, row_stride, count, p.depth, p.gate, tiles_of_rows, row_scales, wild);
    for (std::size_t column = p.first_column; column < p.last_column; column += kAmxPanel) {
      const std::size_t width = panel_width(p.columns, column, kAmxPanel);
      const std::size_t valid = std::min(width, p.columns - column);
      const char* panel = weights + digit_panel(column, p.depth);
      tiles.shape(kTileSide, width);
      for (std::size_t row = 0; row < count; row += kPairRows) {
        const std::size_t now = std::min(kPairRows, count - row);
        for_shape(now > kTileSide, width > kTileSide, [&](auto two_rows, auto two_columns) {
          constexpr bool kRows = decltype(two_rows)::value;
          constexpr bool kColumns = decltype(two_columns)::value;
          const char* from = tiles_of_rows + row / kTileSide * steps * kDigits * kTileBytes;
          const std::size_t row_tile = steps * kDigits * kTileBytes;
          multiply_digits<false, kRows, kColumns>(from, row_tile, panel, width * 4, steps);
          end_sums<kRows, kColumns>(second_sums);
          multiply_digits<true, kRows, kColumns>(from, row_tile, panel, width * 4, steps);
          end_sums<kRows, kColumns>(first_sums);
          finish_stores();
          join_digits(first_sums, second_sums, row_scales + row, column_scales + column, p.bias + column, now, width,
                      sums);
        });
        for (std::size_t i = 0; any_wild && i < now; ++i) {
          if (wild[row + i] == 0) continue;
          wild_digit_sums(rows + (begin + row + i) * row_stride, p.gate, p.depth,
                          reinterpret_cast<const std::int8_t*>(panel), width, column_scales + column, p.bias + column,
                          sums + i * kAmxPanel);
        }
        const std::size_t at = (begin + row) * out_stride + column;
        Pending<float> pending{sums,     now,        valid,      other == nullptr ? nullptr : other + at,
                               out + at, out_stride, &p.epilogue};
        finish(pending, now);
      }
    }
  }
}

// Panel by panel the tiles [steps, digits, 16 fours, width, 4], zeros up to whole steps and a multiple of 8 columns,
// then the scales of the columns.
inline void pack_digits(const void* given, std::size_t columns, std::size_t depth, void* packed) {
  const auto* weights = static_cast<const float*>(given);
  auto* to = static_cast<std::int8_t*>(packed);
  auto* scales = reinterpret_cast<float*>(to + digit_bytes(columns, depth));
  std::memset(packed, 0, digit_bytes(columns, depth));
  std::fill_n(scales, padded(columns), 0.0F);
  for (std::size_t first = 0; first < columns; first += kAmxPanel) {
    const std::size_t width = panel_width(columns, first, kAmxPanel);
    for (std::size_t column = 0; column < std::min(width, columns - first); ++column) {
      const float* from = weights + (first + column) * depth;
      float largest = 0;
      for (std::size_t k = 0; k < depth; ++k) largest = std::max(largest, std::fabs(from[k]));
      const float scale = scale_of(largest);
      scales[first + column] = scale;
      for (std::size_t k = 0; scale != 0 && k < depth; ++k) {
        const int whole = static_cast<int>(std::lrintf(from[k] / scale));
        const int digit = (whole + 64) >> 7;
        const std::size_t tile = k / kDigitDepth * kDigits * kTileSide + k % kDigitDepth / 4;
        to[(tile * width + column) * 4 + k % 4] = static_cast<std::int8_t>(digit);
        to[((tile + kTileSide) * width + column) * 4 + k % 4] = static_cast<std::int8_t>(whole - digit * 128);
      }
    }
    to += digit_panel(width, depth);
  }
}

// Of smaller matrices finding scales and digits takes what the products save.
inline bool digits_pay(std::size_t rows, std::size_t columns, std::size_t depth) {
  return rows >= kPairRows && columns >= 256 && depth >= 256;
}

// Sums of first digits' products stay below 2^31.
inline bool digits_fit(std::size_t, std::size_t depth) { return depth <= 65536; }

// In elements of two bytes.
inline std::size_t digit_part(std::size_t columns, std::size_t depth) {
  return (digit_bytes(columns, depth) + padded(columns) * sizeof(float)) / 2;
}

inline std::size_t digit_scratch(std::size_t row_count, std::size_t depth) {
  const std::size_t rows = std::min((row_count + kTileSide - 1) / kTileSide * kTileSide, digit_rows(depth));
  return 3 * kPairSums + kSplitRows + rows * digit_steps(depth) * kDigits * kDigitDepth / sizeof(float);
}

template <typename V>
constexpr DeepProduct kDigitProduct = {Element::bfloat16,  // of the same size; the order is our own
                                       1,
                                       kAmxPanel,
                                       kSplitRows,
                                       0,
                                       true,
                                       digits_fit,
                                       digits_pay,
                                       split_waits,
                                       digit_part,
                                       digit_scratch,
                                       pack_digits,
                                       digit_product<V>};

}  // namespace
}  // namespace ptrun::kernels
