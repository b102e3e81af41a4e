// Dense convolutions of stride 1 by AMX without copies of the pixels for each tap of the filter: in an image with its
// padding, pixels one behind the other, a tap's pixels for 16 results side by side are 16 pixels side by side. Sums at
// the end of a row, whose filter reaches around its edge, are made in vain. Include only inside the kernels room, where
// the target is set.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "kernels/amx_split.h"
#include "kernels/amx_tiles.h"
#include "kernels/avx512_vector.h"
#include "kernels/kernels.h"

namespace ptrun::kernels {
namespace {

// 32 channels of a pixel as parts: one of bfloat16, or those of float32.
template <std::size_t kParts>
inline void store_pixel(const float* from, std::size_t count, char* to, std::size_t part) {
  Parts parts(from, count);
  for (std::size_t i = 0; i < kParts; ++i) _mm512_storeu_si512(to + i * part, parts.next());
}
template <std::size_t kParts>
inline void store_pixel(const std::uint16_t* from, std::size_t count, char* to, std::size_t) {
  const auto mask = static_cast<__mmask32>(count < kTileDepth ? (1U << count) - 1 : ~0U);
  _mm512_storeu_si512(to, _mm512_maskz_loadu_epi16(mask, from));
}

// Some rows of one image, with what the filter sees of it: [steps, parts, rows of pixels and a few more, 32].
struct Band {
  std::size_t image, first, last;  // rows of results
  std::size_t offset;              // bytes from the beginning of the scratch
  std::size_t plane;               // bytes of a part of a step
};

template <typename E, std::size_t kParts>
class ConvolutionRun {
 public:
  ConvolutionRun(const DenseConvolution& c, float* scratch)
      : c_(c),
        steps_(steps_of(c.channels)),
        line_(c.width + 2 * c.padding),
        sums_(scratch),
        next_sums_(scratch + kPairSums),
        pixels_(reinterpret_cast<char*>(scratch + 2 * kPairSums)),
        finish_(Finisher<V, E>::choose(c.epilogue, c.other != nullptr)) {}

  // Pixels of a band beyond its rows, which the last tile reads: their sums go nowhere.
  static constexpr std::size_t kBeyond = kPairRows;
  static constexpr std::size_t kBandBytes = std::size_t{1024} * 1024;

  static std::size_t plane_of(const DenseConvolution& c, std::size_t rows) {
    const std::size_t pixels = (rows + c.kernel_height - 1) * (c.width + 2 * c.padding) + c.kernel_width + kBeyond;
    return (pixels | 1) * kTileRow;  // planes whole pages apart would share places of the first cache
  }
  static std::size_t bytes_of(const DenseConvolution& c, std::size_t rows) {
    return steps_of(c.channels) * kParts * plane_of(c, rows);
  }
  // Rows of results of a band.
  static std::size_t rows_of(const DenseConvolution& c) {
    std::size_t rows = c.out_height;
    while (rows > 1 && bytes_of(c, rows) > kBandBytes) rows = (rows + 1) / 2;
    return rows;
  }
  static std::size_t scratch_of(const DenseConvolution& c) {
    return 2 * kPairSums + std::max(kBandBytes, bytes_of(c, rows_of(c))) / sizeof(float);
  }

  // Rows of results of all images, one behind the other: as many bands at a time as have room share the weights.
  void run(std::size_t first, std::size_t last) {
    const std::size_t most = rows_of(c_);
    for (std::size_t row = first; row < last;) {
      std::size_t count = 0;
      std::size_t used = 0;
      while (row < last && count < bands_.size()) {
        const std::size_t image = row / c_.out_height;
        const std::size_t begin = row - image * c_.out_height;
        const std::size_t end = std::min({begin + most, c_.out_height, last - image * c_.out_height});
        const std::size_t bytes = bytes_of(c_, end - begin);
        if (count > 0 && used + bytes > kBandBytes) break;
        bands_[count] = {image, begin, end, used, plane_of(c_, end - begin)};
        fill(bands_[count++]);
        used += bytes;
        row += end - begin;
      }
      multiply(count);
    }
  }

 private:
  using V = std::conditional_t<sizeof(E) == 2, Coarse512, Avx512>;

  void fill(const Band& band) {
    const auto* image = static_cast<const E*>(c_.in) + band.image * c_.height * c_.width * c_.channels;
    const std::size_t rows = band.last - band.first + c_.kernel_height - 1;
    for (std::size_t step = 0; step < steps_; ++step) {
      const std::size_t count = std::min(c_.channels - step * kTileDepth, kTileDepth);
      char* to = pixels_ + band.offset + step * kParts * band.plane;
      for (std::size_t row = 0; row < rows; ++row) {
        const std::size_t y = band.first + row - c_.padding;  // above the image it wraps to a large number
        for (std::size_t i = 0; i < line_; ++i, to += kTileRow) {
          const std::size_t x = i - c_.padding;
          if (y < c_.height && x < c_.width) {
            store_pixel<kParts>(image + (y * c_.width + x) * c_.channels + step * kTileDepth, count, to, band.plane);
            continue;
          }
          for (std::size_t part = 0; part < kParts; ++part) {
            _mm512_storeu_si512(to + part * band.plane, _mm512_setzero_si512());
          }
        }
      }
    }
  }

  void multiply(std::size_t bands) {
    const std::size_t all_steps = c_.kernel_height * c_.kernel_width * steps_;
    const std::size_t rows_a_step = (kPairRows + all_steps - 1) / all_steps;
    const auto chore = [&] {
      if (done_ == waiting_) return;
      finish_(pending_[done_], rows_a_step);
      if (pending_[done_].rows == 0) ++done_;
    };
    const auto* weights = static_cast<const std::uint16_t*>(c_.weights);
    for (std::size_t column = 0; column < c_.columns; column += kAmxPanel) {
      const std::size_t width = panel_width(c_.columns, column, kAmxPanel);
      const auto* panel = reinterpret_cast<const char*>(weights + column * all_steps * kTileDepth * kParts);
      tiles_.shape(kTileSide, width);
      for (std::size_t b = 0; b < bands; ++b) {
        const Band& band = bands_[b];
        const std::size_t results = (band.last - band.first) * line_ - (c_.kernel_width - 1);
        for (std::size_t at = 0; at < results; at += kPairRows) {
          const std::size_t now = std::min(kPairRows, results - at);
          for_shape(now > kTileSide, width > kTileSide, [&](auto two_rows, auto two_columns) {
            constexpr bool kRows = decltype(two_rows)::value;
            constexpr bool kColumns = decltype(two_columns)::value;
            begin_sums<kRows, kColumns>(c_.bias + column);
            const char* tap_weights = panel;
            for (std::size_t j = 0; j < c_.kernel_height; ++j) {
              for (std::size_t i = 0; i < c_.kernel_width; ++i) {
                const char* first = pixels_ + band.offset + (at + j * line_ + i) * kTileRow;
                multiply_parts<kParts, kRows, kColumns>({{first, first + kTileBytes}, band.plane, kParts * band.plane},
                                                        tap_weights, width * 4, steps_, chore);
                tap_weights += steps_ * kParts * kTileSide * width * 4;
              }
            }
            while (done_ < waiting_) chore();
            end_sums<kRows, kColumns>(sums_);
          });
          wait(band, at, now, column, std::min(width, c_.columns - column));
          std::swap(sums_, next_sums_);
        }
      }
    }
    while (done_ < waiting_) chore();
  }

  // Sums [at, at + count) of a band wait to become results, those of one row of the image together.
  void wait(const Band& band, std::size_t at, std::size_t count, std::size_t column, std::size_t valid) {
    done_ = waiting_ = 0;
    for (std::size_t i = at; i < at + count;) {
      const std::size_t y = i / line_;
      const std::size_t x = i % line_;
      if (x >= c_.out_width) {
        i = (y + 1) * line_;
        continue;
      }
      const std::size_t run = std::min(c_.out_width - x, at + count - i);
      const std::size_t to = ((band.image * c_.out_height + band.first + y) * c_.out_width + x) * c_.columns + column;
      pending_[waiting_++] = {sums_ + (i - at) * kAmxPanel,
                              run,
                              valid,
                              c_.other == nullptr ? nullptr : static_cast<const E*>(c_.other) + to,
                              static_cast<E*>(c_.out) + to,
                              c_.columns,
                              &c_.epilogue};
      i += run;
    }
  }

  const DenseConvolution& c_;
  std::size_t steps_, line_;
  float* sums_;
  float* next_sums_;  // two blocks of sums take turns
  char* pixels_;
  typename Finisher<V, E>::Function finish_;
  Tiles tiles_;
  std::array<Band, 16> bands_{};
  std::array<Pending<E>, kPairRows> pending_{};
  std::size_t done_ = 0, waiting_ = 0;
};

template <typename E, std::size_t kParts>
void amx_convolution(const DenseConvolution& c, std::size_t first, std::size_t last, float* scratch) {
  ConvolutionRun<E, kParts>(c, scratch).run(first, last);
}

template <typename E, std::size_t kParts>
constexpr DenseLoops kDense = {kParts,
                               kTileDepth,
                               split_part,
                               ConvolutionRun<E, kParts>::scratch_of,
                               pack_split<kParts>,
                               amx_convolution<E, kParts>};

}  // namespace
}  // namespace ptrun::kernels
