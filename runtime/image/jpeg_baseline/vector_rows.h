// Samples -> rows of RGB by vector instructions, once for all widths; see vector_blocks.h.
#pragma once

#include <immintrin.h>

#include <array>
#include <cstring>

#include "image/jpeg_baseline/kernel.h"

namespace ptrun::image {
namespace {

constexpr std::size_t kPixels = Vector::kLanes * 16;  // of a step along a row
static_assert(kPixels <= kRowEnd / 2, "what a step reads too much");

// kPixels values of 16 bits: those of even pixels and those of odd ones.
struct Samples {
  V even;
  V odd;
};

PTRUN_VECTOR inline Samples samples_of(const std::uint8_t* row) {
  const V bytes = Vector::load(row);
  return {Vector::and_bits(bytes, Vector::set16(0xFF)), Vector::template shift_right16<8>(bytes)};
}

// For each of the three vectors of a lane's 16 pixels and each channel: where each byte comes from in a lane that has
// the eight even pixels before the eight odd ones.
constexpr std::array<std::array<std::array<std::uint8_t, 16>, 3>, 3> spread_places(bool even_first) {
  std::array<std::array<std::array<std::uint8_t, 16>, 3>, 3> places{};
  for (std::size_t i = 0; i < 48; ++i) {
    const std::size_t pixel = i / 3;
    const std::size_t at = even_first ? pixel / 2 + pixel % 2 * 8 : pixel;
    for (std::size_t channel = 0; channel < 3; ++channel)
      places[i / 16][channel][i % 16] = static_cast<std::uint8_t>(i % 3 == channel ? at : 0x80);
  }
  return places;
}

template <std::size_t kLane>
PTRUN_VECTOR inline void store_lane(const V (&parts)[3], std::uint8_t* rgb) {
  for (std::size_t k = 0; k < 3; ++k)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(rgb + kLane * 48 + k * 16), Vector::template lane<kLane>(parts[k]));
}

// Three vectors in which each lane has a third of its 16 pixels -> kPixels * 3 bytes.
PTRUN_VECTOR inline void store_lanes(const V (&parts)[3], std::uint8_t* rgb) {
  store_lane<0>(parts, rgb);
  store_lane<1>(parts, rgb);
  if constexpr (kLanes == 4) {
    store_lane<2>(parts, rgb);
    store_lane<3>(parts, rgb);
  }
}

struct Colours {
  V red;
  V green;
  V blue;
};

// value * factor / 2^16, rounded: twice the value, half the sum of the product's high part and 1.
PTRUN_VECTOR inline V scaled(V twice, int factor) {
  const V product = Vector::multiply_high16(twice, Vector::set16(factor));
  return Vector::template shift_right16_signed<1>(Vector::add16(product, Vector::set16(1)));
}

PTRUN_VECTOR inline Colours colours_of(V luma, V blue, V red) {
  const V middle = Vector::set16(128);
  blue = Vector::sub16(blue, middle);
  red = Vector::sub16(red, middle);
  const V twice_blue = Vector::add16(blue, blue);
  const V by_both = factors(colour::kGreenByBlue, colour::kGreenByRed);
  const V half = Vector::set32(1 << 15);
  const V low = Vector::add32(Vector::madd(Vector::unpack_low16(blue, red), by_both), half);
  const V high = Vector::add32(Vector::madd(Vector::unpack_high16(blue, red), by_both), half);
  const V green = Vector::pack32(Vector::template shift_right32<16>(low), Vector::template shift_right32<16>(high));
  return {Vector::add16(Vector::add16(luma, red), scaled(Vector::add16(red, red), colour::kRedByRed)),
          Vector::add16(Vector::sub16(luma, red), green),
          Vector::add16(Vector::add16(luma, twice_blue), scaled(twice_blue, colour::kBlueByBlue))};
}

PTRUN_VECTOR inline void store_pixels(const Samples& luma, const Samples& blue, const Samples& red, std::uint8_t* rgb) {
  static constexpr auto kPlaces = spread_places(true);
  const Colours even = colours_of(luma.even, blue.even, red.even);
  const Colours odd = colours_of(luma.odd, blue.odd, red.odd);
  const V channels[3] = {Vector::pack16(even.red, odd.red), Vector::pack16(even.green, odd.green),
                         Vector::pack16(even.blue, odd.blue)};
  V parts[3];
  for (std::size_t k = 0; k < 3; ++k) {
    parts[k] = Vector::or_bits(Vector::or_bits(Vector::shuffle8(channels[0], Vector::repeat(kPlaces[k][0].data())),
                                               Vector::shuffle8(channels[1], Vector::repeat(kPlaces[k][1].data()))),
                               Vector::shuffle8(channels[2], Vector::repeat(kPlaces[k][2].data())));
  }
  store_lanes(parts, rgb);
}

// 3 parts of a row, 1 of the further one.
PTRUN_VECTOR inline V column_sums(const SampleRows& rows, std::ptrdiff_t at) {
  const V near = Vector::words(rows.near + at);
  return Vector::add16(Vector::add16(Vector::add16(near, near), near), Vector::words(rows.far + at));
}

template <Sampling kSampling>
PTRUN_VECTOR inline Samples chroma(const SampleRows& rows, std::size_t pixel) {
  const auto at = static_cast<std::ptrdiff_t>(pixel / 2);
  if constexpr (kSampling == Sampling::full) return samples_of(rows.near + pixel);
  if constexpr (kSampling == Sampling::half_width) {
    const V here = Vector::words(rows.near + at);
    const V three = Vector::add16(Vector::add16(here, here), here);
    const V before = Vector::add16(Vector::words(rows.near + at - 1), Vector::set16(1));
    const V behind = Vector::add16(Vector::words(rows.near + at + 1), Vector::set16(2));
    return {Vector::template shift_right16<2>(Vector::add16(three, before)),
            Vector::template shift_right16<2>(Vector::add16(three, behind))};
  }
  const V here = column_sums(rows, at);
  const V three = Vector::add16(Vector::add16(here, here), here);
  const V before = Vector::add16(column_sums(rows, at - 1), Vector::set16(8));
  const V behind = Vector::add16(column_sums(rows, at + 1), Vector::set16(7));
  return {Vector::template shift_right16<4>(Vector::add16(three, before)),
          Vector::template shift_right16<4>(Vector::add16(three, behind))};
}

template <Sampling kSampling>
PTRUN_VECTOR void colour_row(const std::uint8_t* luma, const SampleRows& blue, const SampleRows& red, std::size_t count,
                             std::uint8_t* rgb) {
  const SampleRows blues = blue;  // a store of bytes could change the others as far as the compiler knows
  const SampleRows reds = red;
  std::size_t i = 0;
  for (; i + kPixels <= count; i += kPixels)
    store_pixels(samples_of(luma + i), chroma<kSampling>(blues, i), chroma<kSampling>(reds, i), rgb + i * 3);
  if (i == count) return;
  std::array<std::uint8_t, kPixels * 3> rest;
  store_pixels(samples_of(luma + i), chroma<kSampling>(blues, i), chroma<kSampling>(reds, i), rest.data());
  std::memcpy(rgb + i * 3, rest.data(), (count - i) * 3);
}

PTRUN_VECTOR inline void store_grey(const std::uint8_t* luma, std::uint8_t* rgb) {
  static constexpr auto kPlaces = spread_places(false);
  const V bytes = Vector::load(luma);
  V parts[3];
  for (std::size_t k = 0; k < 3; ++k) {
    const auto& from = kPlaces[k];
    parts[k] = Vector::or_bits(Vector::or_bits(Vector::shuffle8(bytes, Vector::repeat(from[0].data())),
                                               Vector::shuffle8(bytes, Vector::repeat(from[1].data()))),
                               Vector::shuffle8(bytes, Vector::repeat(from[2].data())));
  }
  store_lanes(parts, rgb);
}

PTRUN_VECTOR void grey_row(const std::uint8_t* luma, const SampleRows& /*blue*/, const SampleRows& /*red*/,
                           std::size_t count, std::uint8_t* rgb) {
  std::size_t i = 0;
  for (; i + kPixels <= count; i += kPixels) store_grey(luma + i, rgb + i * 3);
  if (i == count) return;
  std::array<std::uint8_t, kPixels * 3> rest;
  store_grey(luma + i, rest.data());
  std::memcpy(rgb + i * 3, rest.data(), (count - i) * 3);
}

}  // namespace
}  // namespace ptrun::image
