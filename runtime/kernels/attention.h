// Attention of one head: two products with a softmax between them. Include only inside the kernels room, where the
// target is set.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>

#include "kernels/activation.h"
#include "kernels/kernels.h"
#include "kernels/product.h"

namespace ptrun::kernels {
namespace {

// Tokens as pack_weights() would have them: [columns, depth], `stride` from column to column, or, transposed, from
// depth to depth. A zero fills the depth where it is odd and elements stand in pairs.
template <typename E, bool kTransposed>
void pack_tokens(const E* from, std::size_t stride, std::size_t columns, std::size_t depth, std::size_t panel,
                 E* packed) {
  constexpr std::size_t kPair = 4 / sizeof(E);
  for (std::size_t first = 0; first < columns; first += panel) {
    const std::size_t width = panel_width(columns, first, panel);
    const std::size_t inside = std::min(width, columns - first);
    for (std::size_t k = 0; k < depth; k += kPair) {
      for (std::size_t column = first; column < first + inside; ++column) {
        for (std::size_t i = k; i < k + kPair; ++i) {
          *packed++ = i < depth ? from[kTransposed ? i * stride + column : column * stride + i] : E{};
        }
      }
      std::fill_n(packed, (width - inside) * kPair, E{});
      packed += (width - inside) * kPair;
    }
  }
}

template <typename V, typename Reduce>
float reduced(typename V::Floats value, Reduce reduce) {
  float lanes[V::kLanes];
  V::store(lanes, value);
  float result = lanes[0];
  for (std::size_t i = 1; i < V::kLanes; ++i) result = reduce(result, lanes[i]);
  return result;
}

// `count` scores of a row, times `scale`, become shares that add up to 1. Both have room for whole vectors.
template <typename V, typename E>
void softmax(float* scores, std::size_t count, float scale, E* shares) {
  const std::size_t whole = (count + V::kLanes - 1) / V::kLanes * V::kLanes;
  for (std::size_t i = count; i < whole; ++i) scores[i] = -std::numeric_limits<float>::infinity();
  auto most = V::load(scores);
  for (std::size_t i = V::kLanes; i < whole; i += V::kLanes) most = V::max(V::load(scores + i), most);
  const float largest = reduced<V>(most, [](float a, float b) { return a < b ? b : a; });
  const auto factor = V::all(scale);
  const auto offset = V::all(-largest * scale);
  auto total = V::zero();
  for (std::size_t i = 0; i < whole; i += V::kLanes) {
    const auto scaled = V::fma(V::load(scores + i), factor, offset);
    const auto value = V::kCoarse ? coarse_exponential<V>(scaled) : exponential<V>(scaled).value();
    V::store(scores + i, value);
    total = V::add(total, value);
  }
  // What fills the last vector adds exp(-87) each: nothing.
  const auto share = V::all(1.0F / reduced<V>(total, [](float a, float b) { return a + b; }));
  for (std::size_t i = 0; i < whole; i += V::kLanes) V::store(shares + i, V::multiply(V::load(scores + i), share));
}

// `S` multiplies queries with keys into float32, `P` shares with values.
template <typename S, typename P>
void attention(const Attention& a) {
  using E = typename P::Element;
  using V = typename P::Vector;
  constexpr std::size_t kPair = 4 / sizeof(E);
  const AttentionRoom room(a, sizeof(E));
  auto* keys = reinterpret_cast<E*>(a.scratch + room.keys);
  auto* values = reinterpret_cast<E*>(a.scratch + room.values);
  auto* shares = reinterpret_cast<E*>(a.scratch + room.shares);
  float* scores = a.scratch + room.scores;
  const float* zeros = a.scratch + room.zeros;
  std::fill_n(a.scratch + room.zeros, room.zero_count, 0.0F);
  pack_tokens<E, false>(static_cast<const E*>(a.keys), a.key_stride, a.key_count, a.width, S::kPanel, keys);
  pack_tokens<E, true>(static_cast<const E*>(a.values), a.value_stride, a.width, a.key_count, P::kPanel, values);
  for (std::size_t first = 0; first < a.query_count; first += kAttentionRows) {
    const std::size_t rows = std::min(kAttentionRows, a.query_count - first);
    Product product;
    product.scratch = a.scratch;
    product.bias = zeros;
    product.row_count = rows;
    product.rows = static_cast<const E*>(a.queries) + first * a.query_stride;
    product.row_stride = a.query_stride;
    product.depth = a.width;
    product.weights = keys;
    product.columns = product.last_column = a.key_count;
    product.out = scores;
    product.out_stride = room.row;
    kernels::product<S>(product);
    for (std::size_t i = 0; i < rows; ++i) {
      softmax<V>(scores + i * room.row, a.key_count, a.scale, shares + i * room.row);
    }
    product.rows = shares;
    product.row_stride = room.row;
    product.depth = (a.key_count + kPair - 1) / kPair * kPair;
    product.weights = values;
    product.columns = product.last_column = a.width;
    product.out = static_cast<E*>(a.out) + first * a.out_stride;
    product.out_stride = a.out_stride;
    kernels::product<P>(product);
  }
}

}  // namespace
}  // namespace ptrun::kernels
