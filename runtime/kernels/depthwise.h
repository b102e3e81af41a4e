// Depthwise convolution, mean and scaling on vectors. Include only inside the kernels room, where the target is set.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "kernels/activation.h"
#include "kernels/kernels.h"

namespace ptrun::kernels {
namespace {

// kPixels neighbours of a row of results, one vector of channels, from `x` on. `rows` are those of the source from the
// first one inside the image, `weights` the filter's of them; with kEdge columns may be outside of it.
template <typename V, typename E, std::size_t kKernel, std::size_t kStride, std::size_t kPixels, bool kEdge>
void window(const Depthwise& layer, const E* in, std::size_t rows, const float* weights, const float* bias,
            std::ptrdiff_t x, E* out) {
  const std::size_t channels = layer.channels;
  typename V::Floats sums[kPixels];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kPixels; ++i) sums[i] = V::load(bias);
  const std::ptrdiff_t left = x * static_cast<std::ptrdiff_t>(kStride) - static_cast<std::ptrdiff_t>(layer.padding);
  in += left * static_cast<std::ptrdiff_t>(channels);
  for (std::size_t j = 0; j < rows; ++j, in += layer.width * channels, weights += kKernel * channels) {
    typename V::Floats w[kKernel];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kKernel; ++i) w[i] = V::load(weights + i * channels);
#pragma GCC unroll 24
    for (std::size_t column = 0; column < (kPixels - 1) * kStride + kKernel; ++column) {
      if (kEdge && static_cast<std::size_t>(left) + column >= layer.width) continue;
      const auto value = V::load(in + column * channels);
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kKernel; ++i) {
        const std::size_t pixel = (column - i) / kStride;
        if (column >= i && (column - i) % kStride == 0 && pixel < kPixels) {
          sums[pixel] = V::fma(value, w[i], sums[pixel]);
        }
      }
    }
  }
  const Epilogue& e = layer.epilogue;
  if (e.activation == Activation::clamp) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kPixels; ++i) V::store(out + i * channels, clamped<V>(sums[i], e.low, e.high));
  } else if (e.activation == Activation::hardswish) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kPixels; ++i)
      V::store(out + i * channels, activated<V, Activation::hardswish>(sums[i], e));
  } else if (e.activation == Activation::silu) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kPixels; ++i) V::store(out + i * channels, activated<V, Activation::silu>(sums[i], e));
  } else {
    float stored[kPixels * V::kLanes];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kPixels; ++i) V::store(stored + i * V::kLanes, sums[i]);
    Finish<V, E>{stored, kPixels, V::kLanes, V::kLanes, nullptr, out, channels, e}.run();
  }
}

template <typename V, typename H, typename E, std::size_t kKernel, std::size_t kStride, std::size_t kPixels, bool kEdge>
void window_group(const Depthwise& layer, const E* in, std::size_t rows, const float* weights, std::ptrdiff_t x,
                  E* out) {
  std::size_t c = 0;
  for (; c + V::kLanes <= layer.channels; c += V::kLanes) {
    window<V, E, kKernel, kStride, kPixels, kEdge>(layer, in + c, rows, weights + c, layer.bias + c, x, out + c);
  }
  if (H::kLanes < V::kLanes && c + H::kLanes <= layer.channels) {
    window<H, E, kKernel, kStride, kPixels, kEdge>(layer, in + c, rows, weights + c, layer.bias + c, x, out + c);
    c += H::kLanes;
  }
  if (c == layer.channels) return;
  // What is left fills no vector: the same on one of its own.
  for (std::size_t pixel = 0; pixel < kPixels; ++pixel) {
    const std::ptrdiff_t left = (x + static_cast<std::ptrdiff_t>(pixel)) * static_cast<std::ptrdiff_t>(kStride) -
                                static_cast<std::ptrdiff_t>(layer.padding);
    for (std::size_t channel = c; channel < layer.channels; ++channel) {
      float sum = layer.bias[channel];
      for (std::size_t j = 0; j < rows; ++j) {
        for (std::size_t i = 0; i < kKernel; ++i) {
          const std::size_t column = static_cast<std::size_t>(left) + i;  // wraps left of the image
          if (column >= layer.width) continue;
          sum += widen(in[(j * layer.width + column) * layer.channels + channel]) *
                 weights[(j * kKernel + i) * layer.channels + channel];
        }
      }
      Finish<H, E>{&sum, 1, 1, 1, nullptr, out + pixel * layer.channels + channel, layer.channels, layer.epilogue}
          .run();
    }
  }
}

template <typename V, typename H, typename E, std::size_t kKernel, std::size_t kStride>
void depthwise_rows(const Depthwise& layer, std::size_t first, std::size_t last) {
  constexpr std::size_t kGroup = 7;
  constexpr auto kTaps = static_cast<std::ptrdiff_t>(kKernel);
  constexpr auto kReach = static_cast<std::ptrdiff_t>(kKernel + (kGroup - 1) * kStride);
  const auto width = static_cast<std::ptrdiff_t>(layer.out_width);
  const auto inside = static_cast<std::ptrdiff_t>(layer.width) - kReach;
  for (std::size_t y = first; y < last; ++y) {
    const auto top = static_cast<std::ptrdiff_t>(y * kStride) - static_cast<std::ptrdiff_t>(layer.padding);
    const auto above = static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(-top, 0, kTaps));
    const auto below =
        static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(layer.height) - top, 0, kTaps));
    const std::size_t rows = below > above ? below - above : 0;
    const E* in = static_cast<const E*>(layer.in);
    if (rows > 0) in += (static_cast<std::size_t>(top) + above - layer.first_in) * layer.width * layer.channels;
    const float* weights = layer.weights + above * kKernel * layer.channels;
    E* out = static_cast<E*>(layer.out) + (y - layer.first_out) * layer.out_width * layer.channels;
    if (layer.out_width < kGroup) {
      for (std::size_t x = 0; x < layer.out_width; ++x) {
        window_group<V, H, E, kKernel, kStride, 1, true>(layer, in, rows, weights, static_cast<std::ptrdiff_t>(x),
                                                         out + x * layer.channels);
      }
      continue;
    }
    for (std::ptrdiff_t x = 0; x < width;) {
      constexpr auto kStep = static_cast<std::ptrdiff_t>(kGroup);
      x = std::min(x, width - kStep);  // the last group overlaps the one before
      const std::ptrdiff_t left = x * static_cast<std::ptrdiff_t>(kStride) - static_cast<std::ptrdiff_t>(layer.padding);
      E* to = out + static_cast<std::size_t>(x) * layer.channels;
      if (left >= 0 && left <= inside) {
        window_group<V, H, E, kKernel, kStride, kGroup, false>(layer, in, rows, weights, x, to);
      } else {
        window_group<V, H, E, kKernel, kStride, kGroup, true>(layer, in, rows, weights, x, to);
      }
      x += kStep;
    }
  }
}

template <typename V, typename H, typename E>
void depthwise(const Depthwise& layer, std::size_t first, std::size_t last) {
  if (layer.kernel == 3 && layer.stride == 1) return depthwise_rows<V, H, E, 3, 1>(layer, first, last);
  if (layer.kernel == 3) return depthwise_rows<V, H, E, 3, 2>(layer, first, last);
  if (layer.kernel == 5 && layer.stride == 1) return depthwise_rows<V, H, E, 5, 1>(layer, first, last);
  if (layer.kernel == 5) return depthwise_rows<V, H, E, 5, 2>(layer, first, last);
  if (layer.stride == 1) return depthwise_rows<V, H, E, 7, 1>(layer, first, last);
  depthwise_rows<V, H, E, 7, 2>(layer, first, last);
}

template <typename V, typename E>
void mean(const void* in, std::size_t pixels, std::size_t stride, std::size_t channels, float* sums, void* out) {
  const auto* from = static_cast<const E*>(in);
  std::size_t c = 0;
  for (; c + 4 * V::kLanes <= channels; c += 4 * V::kLanes) {
    typename V::Floats total[4] = {V::zero(), V::zero(), V::zero(), V::zero()};
    for (std::size_t i = 0; i < pixels; ++i) {
      for (std::size_t v = 0; v < 4; ++v) total[v] = V::add(total[v], V::load(from + i * stride + c + v * V::kLanes));
    }
    for (std::size_t v = 0; v < 4; ++v) V::store(sums + c + v * V::kLanes, total[v]);
  }
  for (; c + V::kLanes <= channels; c += V::kLanes) {
    auto total = V::zero();
    for (std::size_t i = 0; i < pixels; ++i) total = V::add(total, V::load(from + i * stride + c));
    V::store(sums + c, total);
  }
  for (; c < channels; ++c) {
    sums[c] = 0;
    for (std::size_t i = 0; i < pixels; ++i) sums[c] += widen(from[i * stride + c]);
  }
  const float count = static_cast<float>(pixels);
  for (std::size_t i = 0; i < channels; ++i) narrow(sums[i] / count, static_cast<E*>(out)[i]);
}

template <typename V, typename E>
void scale(const void* in, const void* gate, std::size_t pixels, std::size_t channels, void* out) {
  const auto* factor = static_cast<const E*>(gate);
  for (std::size_t i = 0; i < pixels; ++i) {
    const E* from = static_cast<const E*>(in) + i * channels;
    E* to = static_cast<E*>(out) + i * channels;
    std::size_t c = 0;
    for (; c + V::kLanes <= channels; c += V::kLanes)
      V::store(to + c, V::multiply(V::load(from + c), V::load(factor + c)));
    for (; c < channels; ++c) narrow(widen(from[c]) * widen(factor[c]), to[c]);
  }
}

}  // namespace
}  // namespace ptrun::kernels
