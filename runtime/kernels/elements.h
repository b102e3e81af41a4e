// bfloat16 without a processor's help.
#pragma once

#include <cstdint>
#include <cstring>

namespace ptrun::kernels {

inline float widen(float value) { return value; }
inline float widen(std::uint16_t value) {
  const std::uint32_t bits = static_cast<std::uint32_t>(value) << 16;
  float wide = 0;
  std::memcpy(&wide, &bits, sizeof(wide));
  return wide;
}

inline void narrow(float value, float& to) { to = value; }
// To the nearest, ties to even.
inline void narrow(float value, std::uint16_t& to) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  if ((bits & 0x7fffffffU) > 0x7f800000U) {
    to = static_cast<std::uint16_t>((bits >> 16) | 0x40U);
    return;
  }
  to = static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

}  // namespace ptrun::kernels
