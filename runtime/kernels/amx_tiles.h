// Tiles of 16 x 16 sums in the registers of AMX, and what becomes of them. Include only inside the kernels room, where
// the target is set. Four tiles of sums share two tiles of rows and two of weights.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/activation.h"
#include "kernels/kernels.h"

namespace ptrun::kernels {
namespace {

constexpr std::size_t kTileSide = 16;   // rows of a tile
constexpr std::size_t kTileDepth = 32;  // bfloat16 numbers of a row
constexpr std::size_t kTileRow = 64;    // bytes
constexpr std::size_t kTileBytes = kTileSide * kTileRow;
constexpr std::size_t kPairRows = 2 * kTileSide;
constexpr std::size_t kAmxPanel = 32;
constexpr std::size_t kPairSums = kPairRows * kAmxPanel;

// GCC's loads of tiles and of their shapes do not say what memory they read: it is written by then.
inline void finish_stores(const void* memory = nullptr) { asm volatile("" : : "r"(memory) : "memory"); }

// What the registers hold: sums 0 to 3, rows 4 and 5, weights 6 and 7. Released at the end: a thread that holds tiles
// has more to save when it is interrupted.
class Tiles {
 public:
  Tiles() = default;
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
  Tiles(Tiles&&) = delete;
  Tiles& operator=(Tiles&&) = delete;
  ~Tiles() { _tile_release(); }

  // For tiles of so many rows and panels of so many columns, a multiple of 8. Sums are lost.
  void shape(std::size_t rows, std::size_t columns) {
    if (rows == rows_ && columns == columns_) return;
    rows_ = rows;
    columns_ = columns;
    struct alignas(64) {
      std::uint8_t palette = 1, start = 0, reserved[14] = {};
      std::uint16_t bytes[16] = {};
      std::uint8_t rows[16] = {};
    } config;
    const std::size_t first = std::min(columns, kTileSide);
    const std::size_t second = columns > kTileSide ? columns - kTileSide : first;
    const auto set = [&](int tile, std::size_t tile_rows, std::size_t bytes) {
      config.rows[tile] = static_cast<std::uint8_t>(tile_rows);
      config.bytes[tile] = static_cast<std::uint16_t>(bytes);
    };
    set(0, rows, first * 4);
    set(1, rows, second * 4);
    set(2, rows, first * 4);
    set(3, rows, second * 4);
    set(4, rows, kTileRow);
    set(5, rows, kTileRow);
    set(6, kTileSide, first * 4);
    set(7, kTileSide, second * 4);
    finish_stores(&config);
    _tile_loadconfig(&config);
  }

 private:
  std::size_t rows_ = 0, columns_ = 0;
};

template <bool kTwoRows, bool kTwoColumns>
inline void begin_sums(const float* bias) {
  finish_stores();
  _tile_loadd(0, bias, 0);
  if (kTwoRows) _tile_loadd(2, bias, 0);
  if (kTwoColumns) {
    _tile_loadd(1, bias + kTileSide, 0);
    if (kTwoRows) _tile_loadd(3, bias + kTileSide, 0);
  }
}

// To [2 x 16, kAmxPanel].
template <bool kTwoRows, bool kTwoColumns>
inline void end_sums(float* to) {
  constexpr std::size_t kStride = kAmxPanel * sizeof(float);
  _tile_stored(0, to, kStride);
  if (kTwoRows) _tile_stored(2, to + kTileSide * kAmxPanel, kStride);
  if (kTwoColumns) {
    _tile_stored(1, to + kTileSide, kStride);
    if (kTwoRows) _tile_stored(3, to + kTileSide * kAmxPanel + kTileSide, kStride);
  }
}

template <typename Body>
inline void for_shape(bool two_rows, bool two_columns, Body body) {
  if (two_rows) {
    two_columns ? body(std::true_type{}, std::true_type{}) : body(std::true_type{}, std::false_type{});
  } else {
    two_columns ? body(std::false_type{}, std::true_type{}) : body(std::false_type{}, std::false_type{});
  }
}

// Sums of a block that are to become results while the next one is multiplied, a few rows at a time.
template <typename Out>
struct Pending {
  const float* sums = nullptr;  // [rows, kAmxPanel]
  std::size_t rows = 0;
  std::size_t valid = 0;  // columns that are stored
  const Out* other = nullptr;
  Out* out = nullptr;
  std::size_t stride = 0;  // of other and out
  const Epilogue* epilogue = nullptr;
};

template <typename V, typename Out>
struct Finisher {
  using Function = void (*)(Pending<Out>& pending, std::size_t rows);

  static typename V::Floats load(const float* from, __mmask16 mask) { return _mm512_maskz_loadu_ps(mask, from); }
  static typename V::Floats load(const std::uint16_t* from, __mmask16 mask) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from)), 16));
  }
  static void store(float* to, typename V::Floats value, __mmask16 mask) { _mm512_mask_storeu_ps(to, mask, value); }
  static void store(std::uint16_t* to, typename V::Floats value, __mmask16 mask) {
    _mm256_mask_storeu_epi16(to, mask, (__m256i)_mm512_cvtneps_pbh(value));
  }

  template <Activation kActivation, bool kAdds, bool kAfter>
  static void one(const float* sums, const Out* other, Out* out, __mmask16 mask, const Epilogue& e) {
    auto value = V::load(sums);
    if (kAdds && kAfter) value = V::add(value, load(other, mask));
    value = activated<V, kActivation>(value, e);
    if (kAdds && !kAfter) value = V::add(value, load(other, mask));
    store(out, value, mask);
  }

  template <Activation kActivation, bool kAdds, bool kAfter>
  static void some(Pending<Out>& p, std::size_t rows) {
    const Epilogue e = *p.epilogue;
    rows = std::min(rows, p.rows);
    const auto mask_of = [](std::size_t count) {
      return static_cast<__mmask16>((1U << std::min<std::size_t>(count, 16)) - 1);
    };
    const __mmask16 first = mask_of(p.valid);
    const __mmask16 second = mask_of(p.valid > 16 ? p.valid - 16 : 0);
    const float* sums = p.sums;
    const Out* other = p.other;
    Out* out = p.out;
    for (std::size_t i = 0; i < rows; ++i) {
      one<kActivation, kAdds, kAfter>(sums, other, out, first, e);
      if (second != 0) one<kActivation, kAdds, kAfter>(sums + 16, kAdds ? other + 16 : nullptr, out + 16, second, e);
      sums += kAmxPanel;
      if (kAdds) other += p.stride;
      out += p.stride;
    }
    p.sums = sums;
    p.other = other;
    p.out = out;
    p.rows -= rows;
  }

  template <Activation kActivation>
  static Function of(const Epilogue& e, bool adds) {
    if (!adds) return some<kActivation, false, false>;
    return e.after_addition ? some<kActivation, true, true> : some<kActivation, true, false>;
  }

  static Function choose(const Epilogue& e, bool adds) {
    switch (e.activation) {
      case Activation::clamp: return of<Activation::clamp>(e, adds);
      case Activation::hardswish: return of<Activation::hardswish>(e, adds);
      case Activation::hardsigmoid: return of<Activation::hardsigmoid>(e, adds);
      case Activation::sigmoid: return of<Activation::sigmoid>(e, adds);
      case Activation::silu: return of<Activation::silu>(e, adds);
      case Activation::gelu: return of<Activation::gelu>(e, adds);
      case Activation::gelu_tanh: return of<Activation::gelu_tanh>(e, adds);
    }
    return nullptr;
  }
};

}  // namespace
}  // namespace ptrun::kernels
