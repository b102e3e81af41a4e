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
#include "kernels/depthwise.h"
#include "kernels/half_vector.h"
#include "kernels/product.h"
#include "kernels/strassen.h"
#include "kernels/winograd.h"

namespace ptrun::kernels {
namespace {

struct Avx512 {
  using Floats = __m512;
  static constexpr std::size_t kLanes = 16;
  static constexpr bool kCoarse = false;
  static constexpr bool kSixteenths = true;
  static Floats zero() { return _mm512_setzero_ps(); }
  static Floats all(float value) { return _mm512_set1_ps(value); }
  static Floats load(const float* from) { return _mm512_loadu_ps(from); }
  static Floats load(const std::uint16_t* from) {
    const __m256i narrow = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow), 16));
  }
  static void store(float* to, Floats value) { _mm512_storeu_ps(to, value); }
  static void store(std::uint16_t* to, Floats value) {
    const auto narrow = (__m256i)_mm512_cvtneps_pbh(value);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), narrow);
  }
  static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  static Floats subtract(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
  static Floats multiply(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  static Floats reciprocal(Floats a) {
    const Floats guess = _mm512_rcp14_ps(a);
    return _mm512_mul_ps(guess, _mm512_fnmadd_ps(guess, a, _mm512_set1_ps(2.0F)));
  }
  static Floats divide(Floats a, Floats b) { return _mm512_div_ps(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  static Floats min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
  static Floats max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
  static Floats absolute(Floats a) { return _mm512_abs_ps(a); }
  static Floats negate(Floats a) { return _mm512_sub_ps(_mm512_setzero_ps(), a); }
  static Floats with_sign_of(Floats a, Floats sign) {
    return _mm512_or_ps(a, _mm512_and_ps(sign, _mm512_set1_ps(-0.0F)));
  }
  static Floats round(Floats a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static Floats times_power_of_two(Floats a, Floats n) { return _mm512_scalef_ps(a, n); }
  // 2^n, where the last four bits of `sixteenths` are those behind the point of n.
  static Floats power_of_two(Floats sixteenths, Floats n) {
    const Floats powers = _mm512_setr_ps(1.0F, 1.04427378F, 1.09050773F, 1.13878863F, 1.18920712F, 1.24185781F,
                                         1.29683955F, 1.35425555F, 1.41421356F, 1.47682615F, 1.54221083F, 1.61049033F,
                                         1.68179283F, 1.75625216F, 1.83400809F, 1.91520656F);
    return _mm512_scalef_ps(_mm512_permutexvar_ps(_mm512_castps_si512(sixteenths), powers), n);
  }
  static __m256 lower(Floats a) { return _mm512_castps512_ps256(a); }
};

// For sums that are stored in bfloat16.
struct Coarse512 : Avx512 {
  static constexpr bool kCoarse = true;
  static Floats reciprocal(Floats a) { return _mm512_rcp14_ps(a); }
};

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
                            strassen<Float32Products>};
constexpr Loops kBfloat16 = {Element::bfloat16,
                             32,
                             product<Bfloat16Products>,
                             depthwise<Coarse512, Coarse256, std::uint16_t>,
                             mean<Coarse512, std::uint16_t>,
                             scale<Coarse512, std::uint16_t>,
                             nullptr,
                             attention<Bfloat16Scores, Bfloat16Products>};

constexpr Loops kInt16 = {
    Element::int16, 32,      product<IntegerProducts>, nullptr, nullptr, nullptr, quantise, nullptr,
    nullptr,        nullptr, strassen<IntegerProducts>};

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
