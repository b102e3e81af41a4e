// The loops for any processor, written as what they mean: the others are tested against these.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/elements.h"
#include "kernels/kernels.h"
#include "kernels/winograd_points.h"

namespace ptrun::kernels {
namespace {

constexpr std::size_t kPanel = 16;

float activated(float x, const Epilogue& epilogue) {
  switch (epilogue.activation) {
    case Activation::clamp: return std::isnan(x) ? x : std::clamp(x, epilogue.low, epilogue.high);
    case Activation::hardswish: return x * std::clamp(x + 3.0F, 0.0F, 6.0F) / 6.0F;
    case Activation::hardsigmoid: return std::clamp(x + 3.0F, 0.0F, 6.0F) / 6.0F;
    case Activation::sigmoid: return 1.0F / (1.0F + std::exp(-x));
    case Activation::silu: return x / (1.0F + std::exp(-x));
    case Activation::gelu: return 0.5F * x * (1.0F + std::erf(x * 0.70710678F));
    case Activation::gelu_tanh: return 0.5F * x * (1.0F + std::tanh(0.79788456F * (x + 0.044715F * x * x * x)));
  }
  return x;
}

float finished(float sum, const float* other, const Epilogue& epilogue) {
  if (other == nullptr) return activated(sum, epilogue);
  return epilogue.after_addition ? activated(sum + *other, epilogue) : activated(sum, epilogue) + *other;
}

template <typename E>
void product(const Product& p) {
  const auto* rows = static_cast<const E*>(p.rows);
  const auto* weights = static_cast<const E*>(p.weights);
  const auto* other = static_cast<const E*>(p.other);
  auto* out = static_cast<E*>(p.out);
  // Weights of two neighbours in depth stand together where elements have 16 bits.
  constexpr std::size_t kPair = 4 / sizeof(E);
  for (std::size_t row = 0; row < p.row_count; ++row) {
    for (std::size_t column = p.first_column; column < p.last_column; ++column) {
      const std::size_t first = column / kPanel * kPanel;
      const std::size_t width = panel_width(p.columns, first, kPanel);
      const E* panel = weights + first * p.depth;
      float sum = p.bias[column];
      for (std::size_t k = 0; k < p.depth; ++k) {
        sum += widen(rows[row * (p.row_stride == 0 ? p.depth : p.row_stride) + k]) *
               widen(panel[(k / kPair * width + column - first) * kPair + k % kPair]);
      }
      const std::size_t at = row * (p.out_stride == 0 ? p.columns : p.out_stride) + column;
      const float added = other == nullptr ? 0.0F : widen(other[at]);
      narrow(finished(sum, other == nullptr ? nullptr : &added, p.epilogue), out[at]);
    }
  }
}

template <typename E>
float window(const Depthwise& layer, std::size_t y, std::size_t x, std::size_t channel) {
  const auto* in = static_cast<const E*>(layer.in);
  float sum = layer.bias[channel];
  for (std::size_t j = 0; j < layer.kernel; ++j) {
    const std::size_t row = y * layer.stride + j - layer.padding;  // above the image it wraps to a large number
    if (row >= layer.height) continue;
    for (std::size_t i = 0; i < layer.kernel; ++i) {
      const std::size_t column = x * layer.stride + i - layer.padding;
      if (column >= layer.width) continue;
      sum += widen(in[((row - layer.first_in) * layer.width + column) * layer.channels + channel]) *
             layer.weights[(j * layer.kernel + i) * layer.channels + channel];
    }
  }
  return sum;
}

template <typename E>
void depthwise(const Depthwise& layer, std::size_t first, std::size_t last) {
  auto* out = static_cast<E*>(layer.out);
  for (std::size_t y = first; y < last; ++y) {
    for (std::size_t x = 0; x < layer.out_width; ++x) {
      for (std::size_t c = 0; c < layer.channels; ++c) {
        narrow(activated(window<E>(layer, y, x, c), layer.epilogue),
               out[((y - layer.first_out) * layer.out_width + x) * layer.channels + c]);
      }
    }
  }
}

template <typename E>
void mean(const void* in, std::size_t pixels, std::size_t stride, std::size_t channels, float* sums, void* out) {
  const auto* from = static_cast<const E*>(in);
  std::fill(sums, sums + channels, 0.0F);
  for (std::size_t i = 0; i < pixels; ++i)
    for (std::size_t c = 0; c < channels; ++c) sums[c] += widen(from[i * stride + c]);
  for (std::size_t c = 0; c < channels; ++c) narrow(sums[c] / static_cast<float>(pixels), static_cast<E*>(out)[c]);
}

template <typename E>
void scale(const void* in, const void* gate, std::size_t pixels, std::size_t channels, void* out) {
  const auto* from = static_cast<const E*>(in);
  const auto* factor = static_cast<const E*>(gate);
  for (std::size_t i = 0; i < pixels; ++i)
    for (std::size_t c = 0; c < channels; ++c)
      narrow(widen(from[i * channels + c]) * widen(factor[c]), static_cast<E*>(out)[i * channels + c]);
}

// Rows and weights of integers, the rest of floats.
void integer_product(const Product& p) {
  const auto* rows = static_cast<const std::int16_t*>(p.rows);
  const auto* weights = static_cast<const std::int16_t*>(p.weights);
  const auto* other = static_cast<const float*>(p.other);
  for (std::size_t row = 0; row < p.row_count; ++row) {
    for (std::size_t column = p.first_column; column < p.last_column; ++column) {
      const std::size_t first = column / kPanel * kPanel;
      const std::size_t width = panel_width(p.columns, first, kPanel);
      std::int32_t sum = 0;
      for (std::size_t k = 0; k < p.depth; ++k) {
        const std::size_t at = first * p.depth + (k / 2 * width + column - first) * 2 + k % 2;
        sum += static_cast<std::int32_t>(rows[row * (p.row_stride == 0 ? p.depth : p.row_stride) + k]) * weights[at];
      }
      const float value = static_cast<float>(sum) * p.column_scales[column] * p.row_scales[row] + p.bias[column];
      const std::size_t at = row * (p.out_stride == 0 ? p.columns : p.out_stride) + column;
      static_cast<float*>(p.out)[at] = finished(value, other == nullptr ? nullptr : other + at, p.epilogue);
    }
  }
}

void quantise(const float* rows, std::size_t row_count, std::size_t depth, void* integers, float* scales) {
  auto* to = static_cast<std::int16_t*>(integers);
  for (std::size_t row = 0; row < row_count; ++row, rows += depth, to += depth) {
    float largest = 0;
    float nothing = 0;  // a NaN where one is
    for (std::size_t k = 0; k < depth; ++k) {
      largest = std::max(largest, std::abs(rows[k]));
      nothing += rows[k] * 0.0F;
    }
    scales[row] = largest / kLargestInteger + nothing;
    const float factor = largest > 0 && std::isfinite(scales[row]) ? kLargestInteger / largest : 0.0F;
    for (std::size_t k = 0; k < depth; ++k) {
      to[k] = factor > 0 ? static_cast<std::int16_t>(std::lrint(rows[k] * factor)) : std::int16_t{0};
    }
  }
}

template <typename E>
void attention(const Attention& a) {
  const auto* queries = static_cast<const E*>(a.queries);
  const auto* keys = static_cast<const E*>(a.keys);
  const auto* values = static_cast<const E*>(a.values);
  for (std::size_t row = 0; row < a.query_count; ++row) {
    float* scores = a.scratch;
    float largest = -std::numeric_limits<float>::infinity();
    for (std::size_t key = 0; key < a.key_count; ++key) {
      scores[key] = 0;
      for (std::size_t i = 0; i < a.width; ++i)
        scores[key] += widen(queries[row * a.query_stride + i]) * widen(keys[key * a.key_stride + i]);
      largest = std::max(largest, scores[key]);
    }
    float total = 0;
    for (std::size_t key = 0; key < a.key_count; ++key) {
      scores[key] = std::exp((scores[key] - largest) * a.scale);
      total += scores[key];
    }
    for (std::size_t i = 0; i < a.width; ++i) {
      float sum = 0;
      for (std::size_t key = 0; key < a.key_count; ++key)
        sum += scores[key] / total * widen(values[key * a.value_stride + i]);
      narrow(sum, static_cast<E*>(a.out)[row * a.out_stride + i]);
    }
  }
}

void winograd_input(const Winograd& w, std::size_t first, std::size_t last, float* transformed) {
  const WinogradMatrices& m = winograd_matrices(w.edge);
  for (std::size_t tile = first; tile < last; ++tile, transformed += w.in_row) {
    const std::size_t image = tile / (w.tile_rows() * w.tile_columns());
    const std::size_t top = tile / w.tile_columns() % w.tile_rows() * w.edge;
    const std::size_t left = tile % w.tile_columns() * w.edge;
    for (std::size_t c = 0; c < w.channels; ++c) {
      double half[6][6] = {};  // input x pixels
      for (std::size_t k = 0; k < m.reach; ++k) {
        const std::size_t y = top + k - w.padding;  // above the image it wraps to a large number
        for (std::size_t j = 0; j < m.reach; ++j) {
          const std::size_t x = left + j - w.padding;
          if (y >= w.height || x >= w.width) continue;
          const double pixel = w.in[((image * w.height + y) * w.width + x) * w.channels + c];
          for (std::size_t i = 0; i < m.reach; ++i) {
            if (m.input[i][k] != 0) half[i][j] += m.input[i][k] * pixel;
          }
        }
      }
      for (std::size_t at = 0; at < w.positions(); ++at) {
        double sum = 0;
        for (std::size_t k = 0; k < m.reach; ++k) {
          const double factor = m.input[at % m.reach][k];
          if (factor != 0) sum += half[at / m.reach][k] * factor;
        }
        transformed[at * w.in_position + c] = static_cast<float>(sum);
      }
    }
  }
}

void winograd_output(const Winograd& w, std::size_t first, std::size_t last, std::size_t first_column,
                     std::size_t last_column, const float* products) {
  const WinogradMatrices& m = winograd_matrices(w.edge);
  for (std::size_t tile = first; tile < last; ++tile, products += w.out_row) {
    const std::size_t image = tile / (w.tile_rows() * w.tile_columns());
    const std::size_t top = tile / w.tile_columns() % w.tile_rows() * w.edge;
    const std::size_t left = tile % w.tile_columns() * w.edge;
    for (std::size_t c = first_column; c < last_column; ++c) {
      for (std::size_t y = top; y < std::min(top + w.edge, w.out_height); ++y) {
        for (std::size_t x = left; x < std::min(left + w.edge, w.out_width); ++x) {
          double sum = w.bias[c];
          for (std::size_t at = 0; at < w.positions(); ++at) {
            const double factor = m.output[y - top][at / m.reach] * m.output[x - left][at % m.reach];
            if (factor != 0) sum += factor * static_cast<double>(products[at * w.out_position + c - first_column]);
          }
          const std::size_t at = ((image * w.out_height + y) * w.out_width + x) * w.columns + c;
          w.out[at] = finished(static_cast<float>(sum), w.other == nullptr ? nullptr : w.other + at, w.epilogue);
        }
      }
    }
  }
}

}  // namespace

extern const Loops kPlainInt16;
const Loops kPlainInt16 = {Element::int16, kPanel, integer_product, nullptr, nullptr, nullptr, quantise};
extern const Loops kPlainFloat32;
extern const Loops kPlainBfloat16;
const Loops kPlainFloat32 = {Element::float32, kPanel,  product<float>,   depthwise<float>, mean<float>,
                             scale<float>,     nullptr, attention<float>, winograd_input,   winograd_output};
const Loops kPlainBfloat16 = {
    Element::bfloat16,    kPanel,  product<std::uint16_t>,  depthwise<std::uint16_t>, mean<std::uint16_t>,
    scale<std::uint16_t>, nullptr, attention<std::uint16_t>};

}  // namespace ptrun::kernels
