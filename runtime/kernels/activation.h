// Activations on vectors, and what is done to sums before they are stored. Include only inside the kernels room, where
// the target is set. `V` is a kind of vector of floats; see avx512.cpp.
#pragma once

#include <cstring>

#include "kernels/elements.h"
#include "kernels/kernels.h"

namespace ptrun::kernels {
namespace {

// exp(x) as a factor near 1 and a power of 2, to about 2 units in the last place.
template <typename V>
struct Exponential {
  typename V::Floats factor, power;
  typename V::Floats value() const { return V::multiply(factor, power); }
  typename V::Floats plus_one() const { return V::fma(factor, power, V::all(1.0F)); }
};

template <typename V>
inline Exponential<V> exponential(typename V::Floats x) {
  x = V::min(V::all(88.0F), V::max(V::all(-87.0F), x));
  if constexpr (V::kSixteenths) {
    // 1.5 * 2^19: the last bits of the sum are sixteenths. Their powers of 2 come from a register, and three terms of
    // the series are enough.
    const auto shifted = V::fma(x, V::all(1.44269504F), V::all(786432.0F));
    const auto n = V::subtract(shifted, V::all(786432.0F));
    const auto r = V::fma(n, V::all(1.90465427e-9F), V::fma(n, V::all(-0.693147182F), x));
    auto p = V::fma(r, V::all(1.6666667e-1F), V::all(0.5F));
    p = V::fma(p, r, V::all(1.0F));
    return {V::fma(p, r, V::all(1.0F)), V::power_of_two(shifted, n)};
  } else {  // Cephes' polynomial on [-ln 2 / 2, ln 2 / 2]
    const auto n = V::round(V::multiply(x, V::all(1.44269504F)));
    auto r = V::fma(n, V::all(-0.693359375F), x);
    r = V::fma(n, V::all(2.12194440e-4F), r);
    auto p = V::all(1.9875691500e-4F);
    p = V::fma(p, r, V::all(1.3981999507e-3F));
    p = V::fma(p, r, V::all(8.3334519073e-3F));
    p = V::fma(p, r, V::all(4.1665795894e-2F));
    p = V::fma(p, r, V::all(1.6666665459e-1F));
    p = V::fma(p, r, V::all(5.0000001201e-1F));
    p = V::fma(p, V::multiply(r, r), V::add(r, V::all(1.0F)));
    return {p, V::times_power_of_two(V::all(1.0F), n)};
  }
}

// exp(x) to 8e-5: enough for what is stored with 8 bits.
template <typename V>
inline typename V::Floats coarse_exponential(typename V::Floats x) {
  const auto y = V::multiply(V::min(V::all(88.0F), V::max(V::all(-87.0F), x)), V::all(1.44269504F));
  const auto n = V::round(y);
  const auto r = V::subtract(y, n);
  auto p = V::fma(V::all(0.0550886838F), r, V::all(0.2426040515F));
  p = V::fma(p, r, V::all(0.6932762417F));
  p = V::fma(p, r, V::all(0.9999289404F));
  return V::times_power_of_two(p, n);
}

template <typename V>
inline typename V::Floats sigmoid(typename V::Floats x) {
  if constexpr (V::kCoarse) return V::reciprocal(V::add(V::all(1.0F), coarse_exponential<V>(V::negate(x))));
  return V::divide(V::all(1.0F), exponential<V>(V::negate(x)).plus_one());
}

template <typename V>
inline typename V::Floats silu(typename V::Floats x) {
  if constexpr (V::kCoarse) return V::multiply(x, sigmoid<V>(x));
  return V::divide(x, exponential<V>(V::negate(x)).plus_one());
}

// erf(x) to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
template <typename V>
inline typename V::Floats error_function(typename V::Floats x) {
  const auto size = V::min(V::all(6.0F), V::absolute(x));  // erf is 1 from there on
  const auto t = V::reciprocal(V::fma(V::all(0.3275911F), size, V::all(1.0F)));
  auto p = V::all(1.061405429F);
  p = V::fma(p, t, V::all(-1.453152027F));
  p = V::fma(p, t, V::all(1.421413741F));
  p = V::fma(p, t, V::all(-0.284496736F));
  p = V::fma(p, t, V::all(0.254829592F));
  const auto square = V::negate(V::multiply(x, x));
  const auto tail =
      V::multiply(V::multiply(p, t), V::kCoarse ? coarse_exponential<V>(square) : exponential<V>(square).value());
  return V::with_sign_of(V::subtract(V::all(1.0F), tail), x);
}

// Clamps pass NaN on, as PyTorch's do: min and max give their second argument then.
template <typename V>
inline typename V::Floats clamped(typename V::Floats x, float low, float high) {
  return V::min(V::all(high), V::max(V::all(low), x));
}

template <typename V, Activation kActivation>
inline typename V::Floats activated(typename V::Floats x, const Epilogue& epilogue) {
  if constexpr (kActivation == Activation::clamp) return clamped<V>(x, epilogue.low, epilogue.high);
  if constexpr (kActivation == Activation::hardsigmoid || kActivation == Activation::hardswish) {
    const auto gate = clamped<V>(V::fma(x, V::all(1.0F / 6.0F), V::all(0.5F)), 0.0F, 1.0F);
    return kActivation == Activation::hardswish ? V::multiply(x, gate) : gate;
  }
  if constexpr (kActivation == Activation::sigmoid) return sigmoid<V>(x);
  if constexpr (kActivation == Activation::silu) return silu<V>(x);
  const auto half = V::multiply(V::all(0.5F), x);
  if constexpr (kActivation == Activation::gelu) {
    return V::fma(half, error_function<V>(V::multiply(x, V::all(0.70710678F))), half);
  }
  if constexpr (kActivation == Activation::gelu_tanh) {
    const auto inner = V::fma(V::multiply(V::all(0.044715F), V::multiply(x, x)), x, x);
    // (1 + tanh(z)) / 2 = sigmoid(2 z)
    return V::multiply(x, sigmoid<V>(V::multiply(V::all(2.0F * 0.79788456F), inner)));
  }
  return x;
}

// Sums [rows, stride] of which `columns` are stored, out and other [rows, out_stride].
template <typename V, typename E>
struct Finish {
  const float* sums;
  std::size_t rows, columns, stride;
  const E* other;
  E* out;
  std::size_t out_stride;
  const Epilogue& epilogue;

  template <Activation kActivation>
  inline typename V::Floats one(typename V::Floats sum, const E* added) const {
    if (other == nullptr) return activated<V, kActivation>(sum, epilogue);
    if (epilogue.after_addition) return activated<V, kActivation>(V::add(sum, V::load(added)), epilogue);
    return V::add(activated<V, kActivation>(sum, epilogue), V::load(added));
  }

  template <Activation kActivation>
  void all() const {
    for (std::size_t row = 0; row < rows; ++row) {
      const float* from = sums + row * stride;
      const E* added = other == nullptr ? nullptr : other + row * out_stride;
      E* to = out + row * out_stride;
      std::size_t i = 0;
      for (; i + V::kLanes <= columns; i += V::kLanes) {
        V::store(to + i, one<kActivation>(V::load(from + i), other == nullptr ? nullptr : added + i));
      }
      if (i == columns) continue;
      float last[V::kLanes] = {};
      E last_added[V::kLanes] = {};
      E stored[V::kLanes];
      std::memcpy(last, from + i, (columns - i) * sizeof(float));
      if (other != nullptr) std::memcpy(last_added, added + i, (columns - i) * sizeof(E));
      V::store(stored, one<kActivation>(V::load(last), last_added));
      std::memcpy(to + i, stored, (columns - i) * sizeof(E));
    }
  }

  void run() const {
    switch (epilogue.activation) {
      case Activation::clamp: return all<Activation::clamp>();
      case Activation::hardswish: return all<Activation::hardswish>();
      case Activation::hardsigmoid: return all<Activation::hardsigmoid>();
      case Activation::sigmoid: return all<Activation::sigmoid>();
      case Activation::silu: return all<Activation::silu>();
      case Activation::gelu: return all<Activation::gelu>();
      case Activation::gelu_tanh: return all<Activation::gelu_tanh>();
    }
  }
};

}  // namespace
}  // namespace ptrun::kernels
