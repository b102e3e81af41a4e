// The resize for x86-64 processors with AVX2: products of 16-bit numbers, two at a time. A weight of 23 bits is split
// into high * 2^12 + low; the two sums are put together at the end. All of it is exact modulo 2^32, and the result
// fits, so the bits are those of the plain loop.
#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "preprocess/resize.h"
#include "preprocess/resize_kernels.h"

#define PTRUN_AVX2 __attribute__((target("avx2")))

namespace ptrun {
namespace {

constexpr std::int32_t kHalf = 1 << (kResizePrecisionBits - 1);
constexpr int kGroup = 4;          // taps at a time
constexpr std::size_t kRead = 16;  // bytes that one group reads, 12 of which count

bool usable() { return __builtin_cpu_supports("avx2") != 0; }

// Four weights w0..w3 as [w0 w1 w0 w1 w0 w1 w0 w1 | w2 w3 ...].
PTRUN_AVX2 inline __m256i spread(const std::int16_t* weights) {
  const __m256i order = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
  return _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(weights))),
                                     order);
}

// `kInside`: every group may be read as it is. Everything that the loop needs is in locals, because a store of bytes
// could change any member as far as the compiler knows.
template <bool kInside>
PTRUN_AVX2 void horizontal_row(const std::uint8_t* in, std::size_t readable, int in_first, const AxisWeights& x,
                               std::uint8_t* out) {
  // Four pixels as 16-bit pairs: r0 r1 g0 g1 b0 b1 0 0 | r2 r3 g2 g3 b2 b3 0 0.
  const __m256i pairs = _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,  //
                                         6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
  const std::size_t count = x.spans.size();
  const std::size_t taps = x.split_taps;
  const AxisWeights::Span* const spans = x.spans.data();
  const std::int16_t* low = x.split.data();
  for (std::size_t i = 0; i < count; ++i, low += taps * 2) {
    const std::uint8_t* from = in + (spans[i].first - in_first) * 3;
    const std::int16_t* const low_end = low + spans[i].count;
    __m256i low_sum = _mm256_setzero_si256();
    __m256i high_sum = _mm256_setzero_si256();
    for (const std::int16_t* weights = low; weights < low_end; weights += kGroup, from += kGroup * 3) {
      __m128i bytes;
      if (kInside || static_cast<std::size_t>(from - in) + kRead <= readable) {
        bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
      } else {  // the end of the picture: what lies behind it counts nothing, but must not be read
        alignas(16) std::uint8_t copy[kRead] = {};
        std::memcpy(copy, from, readable - static_cast<std::size_t>(from - in));
        bytes = _mm_load_si128(reinterpret_cast<const __m128i*>(copy));
      }
      const __m256i pixels = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), pairs);
      low_sum = _mm256_add_epi32(low_sum, _mm256_madd_epi16(pixels, spread(weights)));
      high_sum = _mm256_add_epi32(high_sum, _mm256_madd_epi16(pixels, spread(weights + taps)));
    }
    const __m256i sum = _mm256_add_epi32(low_sum, _mm256_slli_epi32(high_sum, kResizeLowBits));
    __m128i rgb = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    rgb = _mm_srai_epi32(_mm_add_epi32(rgb, _mm_set1_epi32(kHalf)), kResizePrecisionBits);
    rgb = _mm_packus_epi16(_mm_packs_epi32(rgb, rgb), rgb);
    const int pixel = _mm_cvtsi128_si32(rgb);
    // One store of 4 bytes is quicker than two; the next pixel covers the one too many.
    if (i + 1 < count)
      std::memcpy(out + i * 3, &pixel, 4);
    else
      std::memcpy(out + i * 3, &pixel, 3);
  }
}

void horizontal(const std::uint8_t* in, std::size_t readable, int in_first, const AxisWeights& x, std::uint8_t* out) {
  const auto& last = x.spans.back();
  const auto end = static_cast<std::size_t>(last.first + last.count - in_first) * 3;
  if (end + kRead <= readable)
    horizontal_row<true>(in, readable, in_first, x, out);
  else
    horizontal_row<false>(in, readable, in_first, x, out);
}

// Two weights as the 32 bits that _mm256_madd_epi16 takes.
inline int pair_of(std::int16_t first, std::int16_t second) {
  return static_cast<int>(static_cast<std::uint32_t>(static_cast<std::uint16_t>(first)) |
                          static_cast<std::uint32_t>(static_cast<std::uint16_t>(second)) << 16U);
}

PTRUN_AVX2 inline __m256i finish(__m256i low_sum, __m256i high_sum) {
  const __m256i sum = _mm256_add_epi32(low_sum, _mm256_slli_epi32(high_sum, kResizeLowBits));
  return _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(kHalf)), kResizePrecisionBits);
}

PTRUN_AVX2 void vertical(const std::uint8_t* in, std::size_t stride, const AxisWeights& y, std::size_t row,
                         std::size_t width, std::int32_t* sums, std::uint8_t* out) {
  constexpr std::size_t kColumns = 16;
  const auto count = static_cast<std::size_t>(y.spans[row].count);
  const std::int16_t* low = y.split.data() + row * y.split_taps * 2;
  const std::int16_t* high = low + y.split_taps;
  std::size_t column = 0;
  for (; column + kColumns <= width; column += kColumns) {
    __m256i low_left = _mm256_setzero_si256();
    __m256i low_right = low_left;
    __m256i high_left = low_left;
    __m256i high_right = low_left;
    for (std::size_t k = 0; k < count; k += 2) {
      const std::uint8_t* top = in + k * stride + column;
      const std::uint8_t* bottom = k + 1 < count ? top + stride : top;  // an odd last row meets a weight of 0
      const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(top));
      const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bottom));
      const __m256i left = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b));
      const __m256i right = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b));
      const __m256i low_pair = _mm256_set1_epi32(pair_of(low[k], low[k + 1]));
      const __m256i high_pair = _mm256_set1_epi32(pair_of(high[k], high[k + 1]));
      low_left = _mm256_add_epi32(low_left, _mm256_madd_epi16(left, low_pair));
      low_right = _mm256_add_epi32(low_right, _mm256_madd_epi16(right, low_pair));
      high_left = _mm256_add_epi32(high_left, _mm256_madd_epi16(left, high_pair));
      high_right = _mm256_add_epi32(high_right, _mm256_madd_epi16(right, high_pair));
    }
    // Packing works in halves of 128 bits: the middle two quarters change places.
    const __m256i words =
        _mm256_permute4x64_epi64(_mm256_packs_epi32(finish(low_left, high_left), finish(low_right, high_right)), 0xD8);
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + column), bytes);
  }
  // What is left of the row, less than 16 bytes.
  const std::int32_t* weights = y.weights.data() + row * y.taps;
  for (std::size_t i = column; i < width; ++i) {
    std::int32_t sum = kHalf;
    for (std::size_t k = 0; k < count; ++k) sum += in[k * stride + i] * weights[k];
    out[i] = static_cast<std::uint8_t>(std::clamp(sum >> kResizePrecisionBits, 0, 255));
  }
  (void)sums;
}

}  // namespace

const ResizeKernel kResizeAvx2 = {"avx2", usable, nullptr, nullptr, horizontal, vertical};

}  // namespace ptrun

#endif
