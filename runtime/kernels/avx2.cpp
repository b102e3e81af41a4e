// The loops for x86-64 processors with AVX2 and fused multiply-add, float32 only.
#if defined(__x86_64__)

#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/elements.h"
#include "kernels/kernels.h"

#pragma GCC target("avx2,fma")

#include <immintrin.h>

#include "kernels/attention.h"
#include "kernels/depthwise.h"
#include "kernels/half_vector.h"
#include "kernels/product.h"
#include "kernels/winograd.h"

namespace ptrun::kernels {
namespace {

struct Products {
  using Element = float;
  using Result = float;
  static constexpr bool kInteger = false;
  using Vector = HalfVector;
  using Half = HalfVector;
  static constexpr std::size_t kRows = 6;
  static constexpr std::size_t kPanel = 16;
  static __m256 everywhere(const float* from) { return _mm256_broadcast_ss(from); }
  static __m256 weights(const float* from) { return _mm256_loadu_ps(from); }
  static __m256 half_weights(const float* from) { return _mm256_loadu_ps(from); }
  static __m256 step(__m256 sum, __m256 a, __m256 b) { return _mm256_fmadd_ps(a, b, sum); }
};

constexpr Loops kFloat32 = {Element::float32,
                            16,
                            product<Products>,
                            depthwise<HalfVector, HalfVector, float>,
                            mean<HalfVector, float>,
                            scale<HalfVector, float>,
                            nullptr,
                            attention<Products, Products>,
                            winograd_input<HalfVector>,
                            winograd_output<HalfVector>};

bool has_avx2() { return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0; }

}  // namespace

extern const Set kAvx2;
const Set kAvx2 = {"avx2", has_avx2, &kFloat32, nullptr, nullptr};

}  // namespace ptrun::kernels

#endif
