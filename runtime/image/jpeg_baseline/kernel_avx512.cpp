// The loops for x86-64 processors with AVX-512 BW and BMI2.
#if defined(__x86_64__)

#include <immintrin.h>

#include <cstddef>

#define PTRUN_VECTOR __attribute__((target("avx512f,avx512bw,avx512vl,bmi,bmi2")))

namespace ptrun::image {
namespace {

struct Vector {
  using Type = __m512i;
  static constexpr std::size_t kLanes = 4;
  template <typename T>
  PTRUN_VECTOR static Type load(const T* from) {
    return _mm512_loadu_si512(reinterpret_cast<const Type*>(from));
  }
  template <typename T>
  PTRUN_VECTOR static void store(T* to, Type v) {
    _mm512_storeu_si512(reinterpret_cast<Type*>(to), v);
  }
  // 16 bytes in every lane.
  template <typename T>
  PTRUN_VECTOR static Type repeat(const T* from) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  // Bytes as numbers of 16 bits, in their order.
  template <typename T>
  PTRUN_VECTOR static Type words(const T* from) {
    return _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  template <std::size_t kLane>
  PTRUN_VECTOR static __m128i lane(Type v) {
    return _mm512_extracti32x4_epi32(v, kLane);
  }
  PTRUN_VECTOR static Type zero() { return _mm512_setzero_si512(); }
  PTRUN_VECTOR static Type set16(int v) { return _mm512_set1_epi16(static_cast<short>(v)); }
  PTRUN_VECTOR static Type set32(int v) { return _mm512_set1_epi32(v); }
  PTRUN_VECTOR static Type add16(Type a, Type b) { return _mm512_add_epi16(a, b); }
  PTRUN_VECTOR static Type sub16(Type a, Type b) { return _mm512_sub_epi16(a, b); }
  PTRUN_VECTOR static Type add32(Type a, Type b) { return _mm512_add_epi32(a, b); }
  PTRUN_VECTOR static Type sub32(Type a, Type b) { return _mm512_sub_epi32(a, b); }
  PTRUN_VECTOR static Type and_bits(Type a, Type b) { return _mm512_and_si512(a, b); }
  PTRUN_VECTOR static Type or_bits(Type a, Type b) { return _mm512_or_si512(a, b); }
  PTRUN_VECTOR static Type absolute16(Type v) { return _mm512_abs_epi16(v); }
  PTRUN_VECTOR static Type multiply16(Type a, Type b) { return _mm512_mullo_epi16(a, b); }
  PTRUN_VECTOR static Type multiply_high16(Type a, Type b) { return _mm512_mulhi_epi16(a, b); }
  PTRUN_VECTOR static Type madd(Type a, Type b) { return _mm512_madd_epi16(a, b); }
  template <int kBy>
  PTRUN_VECTOR static Type shift_right16(Type v) {
    return _mm512_srli_epi16(v, kBy);
  }
  template <int kBy>
  PTRUN_VECTOR static Type shift_right16_signed(Type v) {
    return _mm512_srai_epi16(v, kBy);
  }
  template <int kBy>
  PTRUN_VECTOR static Type shift_right32(Type v) {
    return _mm512_srai_epi32(v, kBy);
  }
  template <int kOrder>
  PTRUN_VECTOR static Type shuffle32(Type v) {
    return _mm512_shuffle_epi32(v, static_cast<_MM_PERM_ENUM>(kOrder));
  }
  PTRUN_VECTOR static Type shuffle8(Type v, Type order) { return _mm512_shuffle_epi8(v, order); }
  PTRUN_VECTOR static Type pack32(Type a, Type b) { return _mm512_packs_epi32(a, b); }
  PTRUN_VECTOR static Type pack16(Type a, Type b) { return _mm512_packus_epi16(a, b); }
  PTRUN_VECTOR static Type unpack_low8(Type a, Type b) { return _mm512_unpacklo_epi8(a, b); }
  PTRUN_VECTOR static Type unpack_high8(Type a, Type b) { return _mm512_unpackhi_epi8(a, b); }
  PTRUN_VECTOR static Type unpack_low16(Type a, Type b) { return _mm512_unpacklo_epi16(a, b); }
  PTRUN_VECTOR static Type unpack_high16(Type a, Type b) { return _mm512_unpackhi_epi16(a, b); }
  PTRUN_VECTOR static Type unpack_low32(Type a, Type b) { return _mm512_unpacklo_epi32(a, b); }
  PTRUN_VECTOR static Type unpack_high32(Type a, Type b) { return _mm512_unpackhi_epi32(a, b); }
  PTRUN_VECTOR static Type unpack_low64(Type a, Type b) { return _mm512_unpacklo_epi64(a, b); }
  PTRUN_VECTOR static Type unpack_high64(Type a, Type b) { return _mm512_unpackhi_epi64(a, b); }
  PTRUN_VECTOR static bool any_above32(Type a, Type b) { return _mm512_cmpgt_epi32_mask(a, b) != 0; }
};

bool usable() {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("bmi") != 0 &&
         __builtin_cpu_supports("bmi2") != 0;
}

}  // namespace
}  // namespace ptrun::image

#include "image/jpeg_baseline/vector_blocks.h"
#include "image/jpeg_baseline/vector_rows.h"

namespace ptrun::image {

const JpegKernel kJpegAvx512 = {
    "avx512",
    usable,
    kLanes,
    decode,
    skip,
    transform,
    {grey_row, colour_row<Sampling::full>, colour_row<Sampling::half_width>, colour_row<Sampling::half_both>}};

}  // namespace ptrun::image

#endif
