// The loops for x86-64 processors with AVX-512, and with its bfloat16 products.
#if defined(__x86_64__)

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "kernels/elements.h"
#include "kernels/kernels.h"

#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16")

#include <immintrin.h>

#include "kernels/attention.h"
#include "kernels/avx512_vector.h"
#include "kernels/depthwise.h"
#include "kernels/half_vector.h"
#include "kernels/product.h"
#include "kernels/strassen.h"
#include "kernels/winograd.h"

namespace ptrun::kernels {
namespace {

struct Coarse256 : HalfVector {
  static constexpr bool kCoarse = true;
  static Floats reciprocal(Floats a) { return _mm256_rcp14_ps(a); }
  using HalfVector::store;
  static void store(std::uint16_t* to, Floats value) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), (__m128i)_mm256_cvtneps_pbh(value));
  }
};

struct Float32Products {
  using Element = float;
  using Result = float;
  static constexpr bool kInteger = false;
  using Vector = Avx512;
  using Half = HalfVector;
  static constexpr std::size_t kRows = 14;
  static constexpr std::size_t kPanel = 32;
  static __m512 everywhere(const float* from) { return _mm512_set1_ps(*from); }
  static __m512 weights(const float* from) { return _mm512_loadu_ps(from); }
  static __m256 half_weights(const float* from) { return _mm256_loadu_ps(from); }
  static __m512 step(__m512 sum, __m512 a, __m512 b) { return _mm512_fmadd_ps(a, b, sum); }
  static __m256 step(__m256 sum, __m256 a, __m256 b) { return _mm256_fmadd_ps(a, b, sum); }
  static __m512 add(__m512 a, __m512 b) { return _mm512_add_ps(a, b); }
  static __m512 subtract(__m512 a, __m512 b) { return _mm512_sub_ps(a, b); }
};

struct Bfloat16Products {
  using Element = std::uint16_t;
  using Result = std::uint16_t;
  static constexpr bool kInteger = false;
  using Vector = Coarse512;
  using Half = Coarse256;
  static constexpr std::size_t kRows = 14;
  static constexpr std::size_t kPanel = 32;
  static __m512 everywhere(const std::uint16_t* from) {
    int pair = 0;
    std::memcpy(&pair, from, sizeof(pair));
    return _mm512_castsi512_ps(_mm512_set1_epi32(pair));
  }
  static __m512 weights(const std::uint16_t* from) { return _mm512_castsi512_ps(_mm512_loadu_si512(from)); }
  static __m256 half_weights(const std::uint16_t* from) {
    return _mm256_castsi256_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  static __m512 step(__m512 sum, __m512 a, __m512 b) {
    return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_castps_si512(a), (__m512bh)_mm512_castps_si512(b));
  }
  static __m256 step(__m256 sum, __m256 a, __m256 b) {
    return _mm256_dpbf16_ps(sum, (__m256bh)_mm256_castps_si256(a), (__m256bh)_mm256_castps_si256(b));
  }
};

// Sums that stay in float32.
struct Bfloat16Scores : Bfloat16Products {
  using Result = float;
  using Half = HalfVector;
};

struct IntegerProducts {
  using Element = std::int16_t;
  using Result = float;
  static constexpr bool kInteger = true;  // sums are integers in registers of floats
  using Vector = Avx512;
  using Half = HalfVector;
  static constexpr std::size_t kRows = 14;
  static constexpr std::size_t kPanel = 32;
  static __m512 everywhere(const std::int16_t* from) {
    int pair = 0;
    std::memcpy(&pair, from, sizeof(pair));
    return _mm512_castsi512_ps(_mm512_set1_epi32(pair));
  }
  static __m512 weights(const std::int16_t* from) { return _mm512_castsi512_ps(_mm512_loadu_si512(from)); }
  static __m256 half_weights(const std::int16_t* from) {
    return _mm256_castsi256_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  static __m512 step(__m512 sum, __m512 a, __m512 b) {
    return _mm512_castsi512_ps(
        _mm512_dpwssd_epi32(_mm512_castps_si512(sum), _mm512_castps_si512(a), _mm512_castps_si512(b)));
  }
  static __m256 step(__m256 sum, __m256 a, __m256 b) {
    return _mm256_castsi256_ps(
        _mm256_dpwssd_epi32(_mm256_castps_si256(sum), _mm256_castps_si256(a), _mm256_castps_si256(b)));
  }
  static __m512 add(__m512 a, __m512 b) {
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
  }
  static __m512 subtract(__m512 a, __m512 b) {
    return _mm512_castsi512_ps(_mm512_sub_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
  }
  static __m512 from_integers(__m512 sums) { return _mm512_cvtepi32_ps(_mm512_castps_si512(sums)); }
  static __m256 from_integers(__m256 sums) { return _mm256_cvtepi32_ps(_mm256_castps_si256(sums)); }
};

void quantise(const float* rows, std::size_t row_count, std::size_t depth, void* integers, float* scales) {
  auto* to = static_cast<std::int16_t*>(integers);
  for (std::size_t row = 0; row < row_count; ++row, rows += depth, to += depth) {
    __m512 most = _mm512_setzero_ps();
    __m512 none = _mm512_setzero_ps();  // NaN where one is
    for (std::size_t k = 0; k < depth; k += 16) {
      const auto mask = static_cast<__mmask16>(depth - k < 16 ? (1U << (depth - k)) - 1 : 0xffffU);
      const __m512 value = _mm512_maskz_loadu_ps(mask, rows + k);
      most = _mm512_max_ps(most, _mm512_abs_ps(value));
      none = _mm512_fmadd_ps(value, _mm512_setzero_ps(), none);
    }
    const float largest = _mm512_reduce_max_ps(most);
    scales[row] = largest / kLargestInteger + _mm512_reduce_add_ps(none);
    const bool usable = largest > 0 && scales[row] < std::numeric_limits<float>::infinity();
    const __m512 factor = _mm512_set1_ps(usable ? kLargestInteger / largest : 0.0F);
    for (std::size_t k = 0; k < depth; k += 16) {
      const auto mask = static_cast<__mmask16>(depth - k < 16 ? (1U << (depth - k)) - 1 : 0xffffU);
      const __m512 value = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, rows + k), factor);
      _mm512_mask_cvtsepi32_storeu_epi16(to + k, mask, _mm512_cvtps_epi32(value));
    }
  }
}

const DeepProduct kDeepFloat32 = strassen_of(Element::float32, strassen<Float32Products>);
const DeepProduct kDeepInt16 = strassen_of(Element::int16, strassen<IntegerProducts>);

constexpr Loops kFloat32 = {Element::float32,
                            32,
                            product<Float32Products>,
                            depthwise<Avx512, HalfVector, float>,
                            mean<Avx512, float>,
                            scale<Avx512, float>,
                            nullptr,
                            attention<Float32Products, Float32Products>,
                            winograd_input<Avx512>,
                            winograd_output<Avx512>,
                            &kDeepFloat32};
constexpr Loops kBfloat16 = {Element::bfloat16,
                             32,
                             product<Bfloat16Products>,
                             depthwise<Coarse512, Coarse256, std::uint16_t>,
                             mean<Coarse512, std::uint16_t>,
                             scale<Coarse512, std::uint16_t>,
                             nullptr,
                             attention<Bfloat16Scores, Bfloat16Products>};

constexpr Loops kInt16 = {
    Element::int16, 32,         product<IntegerProducts>, nullptr, nullptr, nullptr, quantise, nullptr, nullptr,
    nullptr,        &kDeepInt16};

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0;
}

bool has_avx512_vnni() { return has_avx512() && __builtin_cpu_supports("avx512vnni") != 0; }

bool has_avx512_bf16() { return has_avx512_vnni() && __builtin_cpu_supports("avx512bf16") != 0; }

}  // namespace

extern const Set kAvx512Bf16;
extern const Set kAvx512Vnni;
extern const Set kAvx512;
const Set kAvx512Bf16 = {"avx512_bf16", has_avx512_bf16, &kFloat32, &kBfloat16, &kInt16};
const Set kAvx512Vnni = {"avx512_vnni", has_avx512_vnni, &kFloat32, nullptr, &kInt16};
const Set kAvx512 = {"avx512", has_avx512, &kFloat32, nullptr, nullptr};

}  // namespace ptrun::kernels

#endif
