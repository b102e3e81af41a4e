// One register of AVX2. Include only inside the kernels room, where the target is set.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace ptrun::kernels {
namespace {

struct HalfVector {
  using Floats = __m256;
  static constexpr std::size_t kLanes = 8;
  static constexpr bool kCoarse = false;
  static constexpr bool kSixteenths = false;
  static Floats zero() { return _mm256_setzero_ps(); }
  static Floats all(float value) { return _mm256_set1_ps(value); }
  static Floats load(const float* from) { return _mm256_loadu_ps(from); }
  static Floats load(const std::uint16_t* from) {
    const __m128i narrow = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(narrow), 16));
  }
  static void store(float* to, Floats value) { _mm256_storeu_ps(to, value); }
  static Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  static Floats subtract(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
  static Floats multiply(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
  static Floats reciprocal(Floats a) { return _mm256_div_ps(_mm256_set1_ps(1.0F), a); }
  static Floats divide(Floats a, Floats b) { return _mm256_div_ps(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  static Floats min(Floats a, Floats b) { return _mm256_min_ps(a, b); }
  static Floats max(Floats a, Floats b) { return _mm256_max_ps(a, b); }
  static Floats absolute(Floats a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), a); }
  static Floats negate(Floats a) { return _mm256_sub_ps(_mm256_setzero_ps(), a); }
  static Floats with_sign_of(Floats a, Floats sign) {
    return _mm256_or_ps(a, _mm256_and_ps(sign, _mm256_set1_ps(-0.0F)));
  }
  static Floats round(Floats a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  // n in [-126, 127]
  static Floats times_power_of_two(Floats a, Floats n) {
    const __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(a, _mm256_castsi256_ps(power));
  }
  static Floats lower(Floats a) { return a; }
};

}  // namespace
}  // namespace ptrun::kernels
