// One register of AVX-512. Include only inside the kernels room, where the target is set.
#pragma once

#include <immintrin.h>

#include <cstdint>

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

}  // namespace
}  // namespace ptrun::kernels
