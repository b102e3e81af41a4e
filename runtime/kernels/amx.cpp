// The loops for x86-64 processors with AMX: 16 x 16 sums of bfloat16 products by one instruction.
#if defined(__x86_64__)

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernels/elements.h"
#include "kernels/kernels.h"

#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,amx-tile,amx-bf16,amx-int8")

#include <immintrin.h>

#include "kernels/amx_attention.h"
#include "kernels/amx_convolution.h"
#include "kernels/amx_digits.h"
#include "kernels/amx_product.h"
#include "kernels/amx_split.h"
#include "kernels/avx512_vector.h"

namespace ptrun::kernels {

extern const Set kAvx512Bf16;

namespace {

Loops bfloat16_loops() {
  Loops loops = *kAvx512Bf16.bfloat16;
  loops.product = amx_product<Coarse512, std::uint16_t>;
  loops.attention = amx_attention;
  loops.dense = &kDense<std::uint16_t, 1>;
  return loops;
}

Loops float32_loops() {
  Loops loops = *kAvx512Bf16.float32;
  loops.attention = amx_attention_in_parts<kAvx512Bf16>;
  loops.deep = &kSplit<Avx512, 3>;
  loops.coarse = &kSplit<Avx512, 2>;
  loops.digits = &kDigitProduct<Avx512>;
  loops.dense = &kDense<float, 3>;
  loops.coarse_dense = &kDense<float, 2>;
  return loops;
}

// The system saves these large registers only for processes that asked for it.
bool may_use_tiles() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

bool has_amx() {
  static const bool kHas = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned kBfloat16 = 1U << 22, kTiles = 1U << 24, kInt8 = 1U << 25;
    if (!kAvx512Bf16.usable() || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
    return (d & kBfloat16) != 0 && (d & kTiles) != 0 && (d & kInt8) != 0 && may_use_tiles();
  }();
  return kHas;
}

}  // namespace

extern const Set kAmx;
namespace {
const Loops kFloat32 = float32_loops();
const Loops kBfloat16 = bfloat16_loops();
}  // namespace
const Set kAmx = {"amx", has_amx, &kFloat32, &kBfloat16, kAvx512Bf16.int16};

}  // namespace ptrun::kernels

#endif
