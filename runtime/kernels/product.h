// The product of matrices by tiles of kTileRows x panel sums held in registers. Include only inside the kernels room,
// where the target is set. `P` says how elements are multiplied; see avx512.cpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "kernels/activation.h"
#include "kernels/kernels.h"

namespace ptrun::kernels {
namespace {

template <typename P>
struct Tile {
  using E = typename P::Element;
  using Result = typename P::Result;
  const E* rows;
  std::size_t row_stride;
  const E* weights;
  std::size_t steps;
  const float* initial;  // the sums so far, or the bias
  std::size_t initial_stride;
  float* sums;  // where they go, kLargestPanel apart; null: finished ones go to
                // `out`
  const Result* other;
  Result* out;
  std::size_t out_stride;
  const Epilogue* epilogue;
  // Of integers, where they go to `out`: the scales, and the bias, which their sums do not begin with.
  const float* row_scales;
  const float* column_scales;
  const float* bias;
};

// `kRows` rows of sums in registers, of `kWhole` vectors and, where kHalf, half a one of columns.
template <typename P, std::size_t kRows, std::size_t kWhole, bool kHalf>
struct Sums {
  using E = typename P::Element;
  using V = typename P::Vector;
  using H = typename P::Half;
  static constexpr std::size_t kWholes = kWhole > 0 ? kWhole : 1;
  typename V::Floats whole[kRows][kWholes];
  typename H::Floats half[kRows];

  // Keeps GCC from carrying integers through the loop in two modes, half of them on the stack.
  [[gnu::always_inline]] void settle() {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t v = 0; v < kWhole; ++v) asm("" : "+v"(whole[r][v]));
    }
  }

  // The products of so many steps of depth, which stand `stride` elements from row to row.
  [[gnu::always_inline]] void add(const E* rows, std::size_t stride, const E* weights, std::size_t steps) {
    constexpr std::size_t kPair = 4 / sizeof(E);
    // Three rows share a pointer: the processor adds once and twice a stride for nothing, registers are few.
    constexpr std::size_t kPointers = (kRows + 2) / 3;
    const E* pointers[kPointers];
    for (std::size_t i = 0; i < kPointers; ++i) pointers[i] = rows + 3 * i * stride;
    for (std::size_t step = 0; step < steps; ++step) {
      typename V::Floats w[kWholes];
      typename H::Floats w_half;
      for (std::size_t v = 0; v < kWhole; ++v) w[v] = P::weights(weights + v * V::kLanes * kPair);
      if (kHalf) w_half = P::half_weights(weights + kWhole * V::kLanes * kPair);
#pragma GCC unroll 16
      for (std::size_t r = 0; r < kRows; ++r) {
        const auto x = P::everywhere(pointers[r / 3] + (r % 3) * stride);
        for (std::size_t v = 0; v < kWhole; ++v) whole[r][v] = P::step(whole[r][v], x, w[v]);
        if (kHalf) half[r] = P::step(half[r], V::lower(x), w_half);
      }
      for (std::size_t i = 0; i < kPointers; ++i) pointers[i] += kPair;
      weights += (kWhole * V::kLanes + (kHalf ? H::kLanes : 0)) * kPair;
    }
  }
};

template <typename P, std::size_t kRows, std::size_t kWhole, bool kHalf>
void multiply(const Tile<P>& t) {
  using V = typename P::Vector;
  using H = typename P::Half;
  Sums<P, kRows, kWhole, kHalf> sums;
  auto& sum = sums.whole;
  auto& half = sums.half;
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kWhole; ++v) sum[r][v] = V::load(t.initial + r * t.initial_stride + v * V::kLanes);
    if (kHalf) half[r] = H::load(t.initial + r * t.initial_stride + kWhole * V::kLanes);
  }
  // What the results are stored over and added to is on its way while they are summed up.
  if (t.sums == nullptr) {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t v = 0; v < kWhole; ++v) {
        __builtin_prefetch(t.out + r * t.out_stride + v * V::kLanes, 1);
        if (t.other != nullptr) __builtin_prefetch(t.other + r * t.out_stride + v * V::kLanes);
      }
    }
  }
  sums.add(t.rows, t.row_stride, t.weights, t.steps);
  if (t.sums != nullptr) {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t v = 0; v < kWhole; ++v) V::store(t.sums + r * kLargestPanel + v * V::kLanes, sum[r][v]);
      if (kHalf) H::store(t.sums + r * kLargestPanel + kWhole * V::kLanes, half[r]);
    }
    return;
  }
  if constexpr (P::kInteger) {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
      const auto scale = V::all(t.row_scales[r]);
      for (std::size_t v = 0; v < kWhole; ++v) {
        const std::size_t at = v * V::kLanes;
        const auto value = V::multiply(P::from_integers(sum[r][v]), V::load(t.column_scales + at));
        sum[r][v] = V::fma(value, scale, V::load(t.bias + at));
      }
      if (kHalf) {
        const std::size_t at = kWhole * V::kLanes;
        const auto value = H::multiply(P::from_integers(half[r]), H::load(t.column_scales + at));
        half[r] = H::fma(value, V::lower(scale), H::load(t.bias + at));
      }
    }
  }
  const Epilogue e = *t.epilogue;
  if (e.activation == Activation::hardswish) {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
      auto* out = t.out + r * t.out_stride;
      for (std::size_t v = 0; v < kWhole; ++v)
        V::store(out + v * V::kLanes, activated<V, Activation::hardswish>(sum[r][v], e));
      if (kHalf) H::store(out + kWhole * V::kLanes, activated<H, Activation::hardswish>(half[r], e));
    }
  } else if (e.activation == Activation::silu) {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
      auto* out = t.out + r * t.out_stride;
      for (std::size_t v = 0; v < kWhole; ++v)
        V::store(out + v * V::kLanes, activated<V, Activation::silu>(sum[r][v], e));
      if (kHalf) H::store(out + kWhole * V::kLanes, activated<H, Activation::silu>(half[r], e));
    }
  } else if (t.other == nullptr) {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
      auto* out = t.out + r * t.out_stride;
      for (std::size_t v = 0; v < kWhole; ++v) V::store(out + v * V::kLanes, clamped<V>(sum[r][v], e.low, e.high));
      if (kHalf) H::store(out + kWhole * V::kLanes, clamped<H>(half[r], e.low, e.high));
    }
  } else {  // no activation, or one that follows the addition
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
      auto* out = t.out + r * t.out_stride;
      const auto* other = t.other + r * t.out_stride;
      for (std::size_t v = 0; v < kWhole; ++v) {
        V::store(out + v * V::kLanes, clamped<V>(V::add(sum[r][v], V::load(other + v * V::kLanes)), e.low, e.high));
      }
      if (kHalf) {
        H::store(out + kWhole * V::kLanes,
                 clamped<H>(H::add(half[r], H::load(other + kWhole * V::kLanes)), e.low, e.high));
      }
    }
  }
}

template <typename P, std::size_t kRows>
void multiply_rows(const Tile<P>& tile, std::size_t columns) {
  constexpr std::size_t kLanes = P::Vector::kLanes;
  constexpr std::size_t kHalfLanes = P::Half::kLanes;
  switch (columns / 8) {
    case 2 * kLanes / 8: return multiply<P, kRows, 2, false>(tile);
    case kLanes / 8: return multiply<P, kRows, 1, false>(tile);
    default:
      if constexpr (kHalfLanes < kLanes) {
        return columns < kLanes ? multiply<P, kRows, 0, true>(tile) : multiply<P, kRows, 1, true>(tile);
      }
  }
}

// Whether the epilogue is one that a tile does on its registers.
inline bool is_simple(const Product& p) {
  const Epilogue& e = p.epilogue;
  if (e.activation == Activation::hardswish || e.activation == Activation::silu) return p.other == nullptr;
  const Epilogue none;
  const bool nothing = e.low == none.low && e.high == none.high;
  return e.activation == Activation::clamp && (p.other == nullptr || e.after_addition || nothing);
}

// Rows of sums held in registers; the last tile overlaps the one before where there are enough rows.
template <typename P>
constexpr std::size_t tile_rows(std::size_t left) {
  if (left >= P::kRows) return P::kRows;
  return left > 4 && P::kRows > 8 ? 8 : left > 2 ? 4 : left;
}

template <typename P>
void multiply_tile(const Tile<P>& tile, std::size_t rows, std::size_t columns) {
  switch (rows) {
    case P::kRows: return multiply_rows<P, P::kRows>(tile, columns);
    case 4: return multiply_rows<P, 4>(tile, columns);
    case 2: return multiply_rows<P, 2>(tile, columns);
    case 1: return multiply_rows<P, 1>(tile, columns);
    default:
      if constexpr (P::kRows > 8) return multiply_rows<P, 8>(tile, columns);
  }
}

// Rows a multiple of 4096 bytes apart share a few places of the first cache: a tile's part of the depth is copied then.
template <typename P, std::size_t kDepth>
struct CloseRows {
  static constexpr std::size_t kStride = kDepth + 64 / sizeof(typename P::Element);
  static bool wanted(std::size_t stride) { return stride * sizeof(typename P::Element) % 4096 == 0; }
  void take(Tile<P>& tile, std::size_t rows) {
    const std::size_t width = tile.steps * 4;
    for (std::size_t r = 0; r < rows; ++r) std::memcpy(room + r * kStride, tile.rows + r * tile.row_stride, width);
    tile.rows = room;
    tile.row_stride = kStride;
  }
  alignas(64) typename P::Element room[P::kRows * kStride];
};

constexpr std::array<float, 2 * kLargestPanel> kZeros{};

// Integer sums of a tile, `stride` apart, become the numbers that they stand for, with the bias.
template <typename P>
void scale_sums(const Product& p, float* sums, std::size_t stride, std::size_t begin, std::size_t rows,
                std::size_t column, std::size_t width) {
  using H = typename P::Half;
  for (std::size_t row = 0; row < rows; ++row, sums += stride) {
    const auto scale = H::all(p.row_scales[begin + row]);
    for (std::size_t i = 0; i < width; i += H::kLanes) {
      const auto value = H::multiply(P::from_integers(H::load(sums + i)), H::load(p.column_scales + column + i));
      H::store(sums + i, H::fma(value, scale, H::load(p.bias + column + i)));
    }
  }
}

template <typename P>
void product(const Product& p) {
  using E = typename P::Element;
  using Result = typename P::Result;
  constexpr std::size_t kPair = 4 / sizeof(E);
  // A tile's rows of one part of the depth stay in the first cache, a block's in the second.
  constexpr std::size_t kDepth = 2048 / sizeof(E);
  constexpr std::size_t kBlockBytes = 448 * 1024;
  const std::size_t row_stride = p.row_stride == 0 ? p.depth : p.row_stride;
  const std::size_t out_stride = p.out_stride == 0 ? p.columns : p.out_stride;
  const auto* rows = static_cast<const E*>(p.rows);
  const auto* other = static_cast<const Result*>(p.other);
  auto* out = static_cast<Result*>(p.out);
  const bool simple = is_simple(p);
  CloseRows<P, kDepth> close;
  const std::size_t fitting = kBlockBytes / (std::min(kDepth, p.depth) * sizeof(E)) / P::kRows * P::kRows;
  const std::size_t block = std::clamp<std::size_t>(fitting, P::kRows, kProductRows / P::kRows * P::kRows);
  for (std::size_t begin = 0; begin < p.row_count; begin += block) {
    const std::size_t count = std::min(block, p.row_count - begin);
    for (std::size_t column = p.first_column; column < p.last_column; column += P::kPanel) {
      const std::size_t width = panel_width(p.columns, column, P::kPanel);
      const std::size_t valid = std::min(width, p.columns - column);
      const bool direct = simple && valid == width;
      const E* weights = static_cast<const E*>(p.weights) + column * p.depth;
      for (std::size_t k = 0; k < p.depth; k += kDepth) {
        const std::size_t depth = std::min(kDepth, p.depth - k);
        const bool last = k + depth == p.depth;
        for (std::size_t done = 0; done < count;) {
          std::size_t size = tile_rows<P>(count - done);
          std::size_t row = done;
          if (size > count - done) {
            // Rows of the tile before once more, unless sums would be added to twice.
            if (count >= size && p.depth <= kDepth && p.other != p.out) row = count - size;
            while (size > count - row) size /= 2;
          }
          const std::size_t at = (begin + row) * out_stride + column;
          // What is finished at once need not be kept apart from what follows.
          float* sums = p.scratch + (p.depth <= kDepth ? 0 : row * kLargestPanel);
          Tile<P> tile = {rows + (begin + row) * row_stride + k,
                          row_stride,
                          weights + k * width,
                          depth / kPair,
                          k == 0 ? (P::kInteger ? kZeros.data() : p.bias + column) : sums,
                          k == 0 ? 0 : kLargestPanel,
                          direct && last ? nullptr : sums,
                          other == nullptr ? nullptr : other + at,
                          out + at,
                          out_stride,
                          &p.epilogue,
                          P::kInteger ? p.row_scales + begin + row : nullptr,
                          P::kInteger ? p.column_scales + column : nullptr,
                          p.bias + column};
          if (CloseRows<P, kDepth>::wanted(row_stride)) close.take(tile, size);
          multiply_tile<P>(tile, size, width);
          done = row + size;
          if (direct || !last) continue;
          if constexpr (P::kInteger) scale_sums<P>(p, sums, kLargestPanel, begin + row, size, column, width);
          Finish<typename P::Vector, Result>{sums,       size,     valid,      kLargestPanel,
                                             tile.other, tile.out, out_stride, p.epilogue}
              .run();
        }
      }
    }
  }
}

}  // namespace
}  // namespace ptrun::kernels
