// The resize for x86-64 processors with AVX-512 VBMI and VNNI: products of bytes, four taps of 16 values at a time. A
// weight of 23 bits is split into three signed digits of base 256; the three sums are put together at the end. All of
// it is exact modulo 2^32, and the result fits, so the bits are those of the plain loop.
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "preprocess/resize.h"
#include "preprocess/resize_kernels.h"

#define PTRUN_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")))

namespace ptrun {
namespace {

constexpr std::int32_t kHalf = 1 << (kResizePrecisionBits - 1);
constexpr std::size_t kDigits = 3;
constexpr std::size_t kTaps = 4;      // of one 32-bit product
constexpr std::size_t kVector = 64;   // bytes
constexpr int kWindow = 21;           // whole pixels of a vector
constexpr std::size_t kGroup = 5;     // whole pixels of 16 sums
constexpr int kLongTaps = 20;         // of one step for a pixel with more taps than a window has pixels
constexpr std::size_t kLongRow = 32;  // bytes of their digits

bool usable() {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512vbmi") != 0 &&
         __builtin_cpu_supports("avx512vnni") != 0;
}

// weight = digit[0] + digit[1] * 2^8 + digit[2] * 2^16, each of them int8.
std::array<std::int8_t, kDigits> digits_of(std::int32_t weight) {
  std::array<std::int8_t, kDigits> digits{};
  for (std::int8_t& digit : digits) {
    digit = static_cast<std::int8_t>(static_cast<std::uint8_t>(weight & 255));
    weight = (weight - digit) >> 8;
  }
  return digits;
}

std::size_t quads_of(int taps) { return (static_cast<std::size_t>(taps) + kTaps - 1) / kTaps; }

// Pixels whose sources lie in one window are made together: for four taps at a time, where each byte of the product
// comes from, and the weights' digits.
void prepare_groups(AxisWeights& x) {
  for (std::size_t i = 0; i < x.spans.size();) {
    AxisWeights::Group group;
    group.first = x.spans[i].first;
    std::size_t quads = 0;
    const std::size_t begin = i;
    while (i < x.spans.size() && i - begin < kGroup && x.spans[i].first + x.spans[i].count - group.first <= kWindow) {
      quads = std::max(quads, quads_of(x.spans[i].count));
      ++i;
    }
    group.pixels = static_cast<int>(i - begin);
    group.steps = static_cast<int>(quads);
    group.packed = x.packed.size();
    x.groups.push_back(group);
    x.packed.resize(x.packed.size() + quads * (1 + kDigits) * kVector, 0);
    std::uint8_t* out = x.packed.data() + group.packed;
    for (std::size_t pixel = 0; pixel < i - begin; ++pixel) {
      const AxisWeights::Span& span = x.spans[begin + pixel];
      const std::int32_t* weights = x.weights.data() + (begin + pixel) * x.taps;
      const auto offset = static_cast<std::size_t>(span.first - group.first);
      for (std::size_t k = 0; k < static_cast<std::size_t>(span.count); ++k) {
        std::uint8_t* step = out + k / kTaps * (1 + kDigits) * kVector;
        const auto digits = digits_of(weights[k]);
        for (std::size_t c = 0; c < 3; ++c) {
          const std::size_t at = (pixel * 3 + c) * kTaps + k % kTaps;
          step[at] = static_cast<std::uint8_t>((offset + k) * 3 + c);
          for (std::size_t d = 0; d < kDigits; ++d)
            step[(d + 1) * kVector + at] = static_cast<std::uint8_t>(digits.at(d));
        }
      }
    }
  }
}

// One pixel at a time, 20 taps a step.
void prepare_long(AxisWeights& x) {
  for (std::size_t i = 0; i < x.spans.size(); ++i) {
    const AxisWeights::Span& span = x.spans[i];
    const int steps = (span.count + kLongTaps - 1) / kLongTaps;
    x.groups.push_back({span.first, 1, steps, x.packed.size()});
    x.packed.resize(x.packed.size() + static_cast<std::size_t>(steps) * kDigits * kLongRow, 0);
    std::uint8_t* out = x.packed.data() + x.groups.back().packed;
    for (std::size_t k = 0; k < static_cast<std::size_t>(span.count); ++k) {
      const auto digits = digits_of(x.weights[i * x.taps + k]);
      for (std::size_t d = 0; d < kDigits; ++d)
        out[(k / kLongTaps * kDigits + d) * kLongRow + k % kLongTaps] = static_cast<std::uint8_t>(digits.at(d));
    }
  }
}

void prepare_horizontal(AxisWeights& x) {
  x.groups.clear();
  x.packed.clear();
  if (x.taps <= kWindow)
    prepare_groups(x);
  else
    prepare_long(x);
}

// For each result row, four source rows at a time: the digits of the four weights.
void prepare_vertical(AxisWeights& y) {
  const std::size_t quads = (y.taps + kTaps - 1) / kTaps;
  y.groups.clear();
  y.packed.assign(y.spans.size() * quads * kDigits * kTaps, 0);
  for (std::size_t i = 0; i < y.spans.size(); ++i) {
    for (std::size_t k = 0; k < static_cast<std::size_t>(y.spans[i].count); ++k) {
      const auto digits = digits_of(y.weights[i * y.taps + k]);
      for (std::size_t d = 0; d < kDigits; ++d)
        y.packed[((i * quads + k / kTaps) * kDigits + d) * kTaps + k % kTaps] = static_cast<std::uint8_t>(digits.at(d));
    }
  }
}

struct Sums {
  __m512i digit[kDigits];
};

PTRUN_AVX512 inline __m512i load_within(const std::uint8_t* from, std::ptrdiff_t readable) {
  if (readable >= static_cast<std::ptrdiff_t>(kVector)) return _mm512_loadu_si512(from);
  return _mm512_maskz_loadu_epi8(_cvtu64_mask64((1ULL << static_cast<unsigned>(readable)) - 1), from);
}

PTRUN_AVX512 inline __m512i joined(__m512i low, __m512i middle, __m512i high) {
  return _mm512_add_epi32(low, _mm512_add_epi32(_mm512_slli_epi32(middle, 8), _mm512_slli_epi32(high, 16)));
}

// The sums as pixel values of 32 bits, not yet clipped from above.
PTRUN_AVX512 inline __m512i rounded(__m512i sum) {
  sum = _mm512_srai_epi32(_mm512_add_epi32(sum, _mm512_set1_epi32(kHalf)), kResizePrecisionBits);
  return _mm512_max_epi32(sum, _mm512_setzero_si512());
}

PTRUN_AVX512 void horizontal_groups(const std::uint8_t* in, std::ptrdiff_t readable, int in_first, const AxisWeights& x,
                                    std::uint8_t* out) {
  const AxisWeights::Group* const end = x.groups.data() + x.groups.size();
  const std::uint8_t* const packed = x.packed.data();
  for (const AxisWeights::Group* group = x.groups.data(); group < end; ++group) {
    const std::ptrdiff_t offset = static_cast<std::ptrdiff_t>(group->first - in_first) * 3;
    const __m512i bytes = load_within(in + offset, readable - offset);
    __m512i low = _mm512_setzero_si512();
    __m512i middle = low;
    __m512i high = low;
    const std::uint8_t* step = packed + group->packed;
    for (int i = 0; i < group->steps; ++i, step += (1 + kDigits) * kVector) {
      const __m512i taps = _mm512_permutexvar_epi8(_mm512_loadu_si512(step), bytes);
      low = _mm512_dpbusd_epi32(low, taps, _mm512_loadu_si512(step + kVector));
      middle = _mm512_dpbusd_epi32(middle, taps, _mm512_loadu_si512(step + 2 * kVector));
      high = _mm512_dpbusd_epi32(high, taps, _mm512_loadu_si512(step + 3 * kVector));
    }
    const __m128i pixels = _mm512_cvtusepi32_epi8(rounded(joined(low, middle, high)));
    // What a whole store writes too much, the next group covers.
    if (group + 1 < end && group->pixels == static_cast<int>(kGroup))
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out), pixels);
    else
      _mm_mask_storeu_epi8(out, _cvtu32_mask16((1U << static_cast<unsigned>(group->pixels * 3)) - 1), pixels);
    out += group->pixels * 3;
  }
}

PTRUN_AVX512 void horizontal_long(const std::uint8_t* in, std::ptrdiff_t readable, int in_first, const AxisWeights& x,
                                  std::uint8_t* out) {
  // Sum 5 * c + q takes the taps 4 q to 4 q + 3 of channel c.
  alignas(kVector) std::array<std::uint8_t, kVector> source{};
  alignas(kVector) std::array<std::uint8_t, kVector> weight{};
  weight.fill(kLongTaps);  // a digit that is 0
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t k = 0; k < kLongTaps; ++k) {
      source.at(c * kLongTaps + k) = static_cast<std::uint8_t>(k * 3 + c);
      weight.at(c * kLongTaps + k) = static_cast<std::uint8_t>(k);
    }
  const __m512i from_source = _mm512_load_si512(source.data());
  const __m512i from_weight = _mm512_load_si512(weight.data());
  const __m512i every_fifth = _mm512_setr_epi32(0, 5, 10, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15);
  const AxisWeights::Group* const end = x.groups.data() + x.groups.size();
  for (const AxisWeights::Group* group = x.groups.data(); group < end; ++group, out += 3) {
    std::ptrdiff_t offset = static_cast<std::ptrdiff_t>(group->first - in_first) * 3;
    const std::uint8_t* step = x.packed.data() + group->packed;
    __m512i low = _mm512_setzero_si512();
    __m512i middle = low;
    __m512i high = low;
    for (int i = 0; i < group->steps; ++i, step += kDigits * kLongRow, offset += kLongTaps * 3) {
      const __m512i taps = _mm512_permutexvar_epi8(from_source, load_within(in + offset, readable - offset));
      const auto digits = [&](std::size_t d) PTRUN_AVX512 {
        const __m256i row = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(step + d * kLongRow));
        return _mm512_permutexvar_epi8(from_weight, _mm512_castsi256_si512(row));
      };
      low = _mm512_dpbusd_epi32(low, taps, digits(0));
      middle = _mm512_dpbusd_epi32(middle, taps, digits(1));
      high = _mm512_dpbusd_epi32(high, taps, digits(2));
    }
    __m512i sum = joined(low, middle, high);
    __m512i total = _mm512_permutexvar_epi32(every_fifth, sum);
    for (int q = 1; q < 5; ++q)
      total =
          _mm512_add_epi32(total, _mm512_permutexvar_epi32(_mm512_add_epi32(every_fifth, _mm512_set1_epi32(q)), sum));
    const __m128i pixel = _mm512_cvtusepi32_epi8(rounded(total));
    _mm_mask_storeu_epi8(out, _cvtu32_mask16(7), pixel);
  }
}

void horizontal(const std::uint8_t* in, std::size_t readable, int in_first, const AxisWeights& x, std::uint8_t* out) {
  if (x.taps <= kWindow)
    horizontal_groups(in, static_cast<std::ptrdiff_t>(readable), in_first, x, out);
  else
    horizontal_long(in, static_cast<std::ptrdiff_t>(readable), in_first, x, out);
}

// 64 columns; `mask` are those that are there. Sources of four rows are interleaved, so that a 32-bit lane holds one
// column's four taps; packing back at the end undoes the order of the interleaving.
PTRUN_AVX512 inline void vertical_block(const std::uint8_t* in, std::size_t stride, std::size_t count,
                                        const std::uint8_t* packed, __mmask64 mask, std::uint8_t* out) {
  __m512i low[4];
  __m512i middle[4];
  __m512i high[4];
  for (int i = 0; i < 4; ++i) low[i] = middle[i] = high[i] = _mm512_setzero_si512();
  for (std::size_t k = 0; k < count; k += kTaps, packed += kDigits * kTaps) {
    // Rows behind the last one meet weights of 0.
    const auto row = [&](std::size_t tap) PTRUN_AVX512 {
      return _mm512_maskz_loadu_epi8(mask, in + std::min(k + tap, count - 1) * stride);
    };
    const __m512i a = row(0);
    const __m512i b = row(1);
    const __m512i c = row(2);
    const __m512i d = row(3);
    const __m512i ab_low = _mm512_unpacklo_epi8(a, b);
    const __m512i ab_high = _mm512_unpackhi_epi8(a, b);
    const __m512i cd_low = _mm512_unpacklo_epi8(c, d);
    const __m512i cd_high = _mm512_unpackhi_epi8(c, d);
    const __m512i taps[4] = {_mm512_unpacklo_epi16(ab_low, cd_low), _mm512_unpackhi_epi16(ab_low, cd_low),
                             _mm512_unpacklo_epi16(ab_high, cd_high), _mm512_unpackhi_epi16(ab_high, cd_high)};
    std::array<std::int32_t, kDigits> weights{};
    std::memcpy(weights.data(), packed, sizeof(weights));
    for (int i = 0; i < 4; ++i) {
      low[i] = _mm512_dpbusd_epi32(low[i], taps[i], _mm512_set1_epi32(weights[0]));
      middle[i] = _mm512_dpbusd_epi32(middle[i], taps[i], _mm512_set1_epi32(weights[1]));
      high[i] = _mm512_dpbusd_epi32(high[i], taps[i], _mm512_set1_epi32(weights[2]));
    }
  }
  for (int i = 0; i < 4; ++i) low[i] = rounded(joined(low[i], middle[i], high[i]));
  const __m512i words_low = _mm512_packs_epi32(low[0], low[1]);
  const __m512i words_high = _mm512_packs_epi32(low[2], low[3]);
  _mm512_mask_storeu_epi8(out, mask, _mm512_packus_epi16(words_low, words_high));
}

PTRUN_AVX512 void vertical(const std::uint8_t* in, std::size_t stride, const AxisWeights& y, std::size_t row,
                           std::size_t width, std::int32_t* /*sums*/, std::uint8_t* out) {
  const auto count = static_cast<std::size_t>(y.spans[row].count);
  const std::uint8_t* packed = y.packed.data() + row * ((y.taps + kTaps - 1) / kTaps) * kDigits * kTaps;
  std::size_t column = 0;
  for (; column + kVector <= width; column += kVector)
    vertical_block(in + column, stride, count, packed, _cvtu64_mask64(~0ULL), out + column);
  if (column < width)
    vertical_block(in + column, stride, count, packed, _cvtu64_mask64((1ULL << (width - column)) - 1), out + column);
}

}  // namespace

const ResizeKernel kResizeAvx512 = {"avx512", usable, prepare_horizontal, prepare_vertical, horizontal, vertical};

}  // namespace ptrun

#endif
