// The scan and the transform by vector instructions, once for all widths: a register is kLanes parts of 128 bits, each
// of which has a block of its own. For kernel_*.cpp only, which define before
//   PTRUN_VECTOR  the target attribute of all functions here
//   Vector        the instructions, by the names used below; `Type` is the register
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "image/jpeg_baseline/kernel.h"
#include "image/jpeg_baseline/scan.h"

namespace ptrun::image {
namespace {

using V = Vector::Type;
constexpr std::size_t kLanes = Vector::kLanes;
constexpr std::size_t kRow = kLanes * 8;  // coefficients of a row of all lanes' blocks

// Blocks whose last coefficient is at most here have none outside the first four rows and columns.
constexpr int kQuarter = 9;

// Two factors for the two numbers of a pair.
PTRUN_VECTOR inline V factors(int first, int second) {
  return Vector::set32(static_cast<int>(static_cast<unsigned>(first & 0xFFFF) | static_cast<unsigned>(second) << 16U));
}

// The last step of a pass: sums and differences of the halves, which have the rounding, as eight rows of 32 bits.
template <int kShift>
PTRUN_VECTOR inline void combine(const V (&even)[4], const V (&odd)[4], V (&out)[8]) {
  for (int i = 0; i < 4; ++i) {
    out[i] = Vector::template shift_right32<kShift>(Vector::add32(even[i], odd[i]));
    out[7 - i] = Vector::template shift_right32<kShift>(Vector::sub32(even[i], odd[i]));
  }
}

// A half of the columns; pairs of inputs side by side.
template <int kShift>
PTRUN_VECTOR inline void transform_pairs(V in04, V in26, V in13, V in57, V rounding, V (&out)[8]) {
  constexpr int kOne = 1 << dct::kBits;
  const V sum = Vector::add32(Vector::madd(in04, factors(kOne, kOne)), rounding);
  const V difference = Vector::add32(Vector::madd(in04, factors(kOne, -kOne)), rounding);
  const V outer = Vector::madd(in26, factors(dct::kEven[0][0], dct::kEven[0][1]));
  const V inner = Vector::madd(in26, factors(dct::kEven[1][0], dct::kEven[1][1]));
  const V even[4] = {Vector::add32(sum, outer), Vector::add32(difference, inner), Vector::sub32(difference, inner),
                     Vector::sub32(sum, outer)};
  V odd[4];
  for (int i = 0; i < 4; ++i) {
    odd[i] = Vector::add32(Vector::madd(in13, factors(dct::kOdd[i][0], dct::kOdd[i][1])),
                           Vector::madd(in57, factors(dct::kOdd[i][2], dct::kOdd[i][3])));
  }
  combine<kShift>(even, odd, out);
}

// The same where the inputs 4 to 7 are 0.
template <int kShift>
PTRUN_VECTOR inline void transform_pairs(V in02, V in13, V rounding, V (&out)[8]) {
  constexpr int kOne = 1 << dct::kBits;
  V even[4];
  V odd[4];
  for (int i = 0; i < 4; ++i) {
    const int sign = i < 2 ? 1 : -1;
    const int factor = dct::kEven[i == 0 || i == 3 ? 0 : 1][0];
    even[i] = Vector::add32(Vector::madd(in02, factors(kOne, sign * factor)), rounding);
    odd[i] = Vector::madd(in13, factors(dct::kOdd[i][0], dct::kOdd[i][1]));
  }
  combine<kShift>(even, odd, out);
}

constexpr int rounding_of(int shift) { return 1 << (shift - 1); }

template <int kShift>
PTRUN_VECTOR inline void pass(V (&rows)[8], int rounding) {
  const V half = Vector::set32(rounding);
  V low[8];
  V high[8];
  transform_pairs<kShift>(Vector::unpack_low16(rows[0], rows[4]), Vector::unpack_low16(rows[2], rows[6]),
                          Vector::unpack_low16(rows[1], rows[3]), Vector::unpack_low16(rows[5], rows[7]), half, low);
  transform_pairs<kShift>(Vector::unpack_high16(rows[0], rows[4]), Vector::unpack_high16(rows[2], rows[6]),
                          Vector::unpack_high16(rows[1], rows[3]), Vector::unpack_high16(rows[5], rows[7]), half, high);
  for (int i = 0; i < 8; ++i) rows[i] = Vector::pack32(low[i], high[i]);
}

PTRUN_VECTOR inline void transpose(V (&rows)[8]) {
  V pairs[8];
  for (int i = 0; i < 4; ++i) {
    pairs[i] = Vector::unpack_low16(rows[2 * i], rows[2 * i + 1]);
    pairs[4 + i] = Vector::unpack_high16(rows[2 * i], rows[2 * i + 1]);
  }
  for (int half = 0; half < 2; ++half) {
    const V* from = pairs + half * 4;
    const V low = Vector::unpack_low32(from[0], from[1]);
    const V low_end = Vector::unpack_low32(from[2], from[3]);
    const V high = Vector::unpack_high32(from[0], from[1]);
    const V high_end = Vector::unpack_high32(from[2], from[3]);
    rows[half * 4] = Vector::unpack_low64(low, low_end);
    rows[half * 4 + 1] = Vector::unpack_high64(low, low_end);
    rows[half * 4 + 2] = Vector::unpack_low64(high, high_end);
    rows[half * 4 + 3] = Vector::unpack_high64(high, high_end);
  }
}

// The first pass and the turn for the first four rows and columns.
PTRUN_VECTOR inline void pass_quarter(V (&rows)[8]) {
  V out[8];
  transform_pairs<dct::kShift1>(Vector::unpack_low16(rows[0], rows[2]), Vector::unpack_low16(rows[1], rows[3]),
                                Vector::set32(rounding_of(dct::kShift1)), out);
  V pairs[4];
  for (int i = 0; i < 2; ++i) {
    const V first = Vector::pack32(out[2 * i], out[2 * i + 4]);
    const V second = Vector::pack32(out[2 * i + 1], out[2 * i + 5]);
    pairs[i] = Vector::unpack_low16(first, second);
    pairs[2 + i] = Vector::unpack_high16(first, second);
  }
  const V low = Vector::unpack_low32(pairs[0], pairs[1]);
  const V low_end = Vector::unpack_low32(pairs[2], pairs[3]);
  const V high = Vector::unpack_high32(pairs[0], pairs[1]);
  const V high_end = Vector::unpack_high32(pairs[2], pairs[3]);
  rows[0] = Vector::unpack_low64(low, low_end);
  rows[1] = Vector::unpack_high64(low, low_end);
  rows[2] = Vector::unpack_low64(high, high_end);
  rows[3] = Vector::unpack_high64(high, high_end);
}

template <int kShift>
PTRUN_VECTOR inline void pass_from_quarter(V (&rows)[8], int rounding) {
  const V half = Vector::set32(rounding);
  V low[8];
  V high[8];
  transform_pairs<kShift>(Vector::unpack_low16(rows[0], rows[2]), Vector::unpack_low16(rows[1], rows[3]), half, low);
  transform_pairs<kShift>(Vector::unpack_high16(rows[0], rows[2]), Vector::unpack_high16(rows[1], rows[3]), half, high);
  for (int i = 0; i < 8; ++i) rows[i] = Vector::pack32(low[i], high[i]);
}

template <std::size_t kLane>
PTRUN_VECTOR inline void store_block(const V (&rows)[4], std::uint8_t* out, std::size_t stride) {
  for (std::size_t i = 0; i < 4; ++i) {
    const __m128i two = Vector::template lane<kLane>(rows[i]);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out + 2 * i * stride), two);
    _mm_storeh_pd(reinterpret_cast<double*>(out + (2 * i + 1) * stride), _mm_castsi128_pd(two));
  }
}

// Columns of 16-bit samples -> rows of bytes, two rows in each lane, -> memory.
PTRUN_VECTOR inline void store_columns(const V (&columns)[8], std::size_t count, std::uint8_t* const* out,
                                       std::size_t stride) {
  V pairs[4];
  for (int i = 0; i < 4; ++i) pairs[i] = Vector::pack16(columns[i], columns[i + 4]);
  const V low02 = Vector::unpack_low8(pairs[0], pairs[2]);
  const V low13 = Vector::unpack_low8(pairs[1], pairs[3]);
  const V high02 = Vector::unpack_high8(pairs[0], pairs[2]);
  const V high13 = Vector::unpack_high8(pairs[1], pairs[3]);
  const V left_top = Vector::unpack_low8(low02, low13);
  const V left_bottom = Vector::unpack_high8(low02, low13);
  const V right_top = Vector::unpack_low8(high02, high13);
  const V right_bottom = Vector::unpack_high8(high02, high13);
  const V rows[4] = {Vector::unpack_low32(left_top, right_top), Vector::unpack_high32(left_top, right_top),
                     Vector::unpack_low32(left_bottom, right_bottom), Vector::unpack_high32(left_bottom, right_bottom)};
  store_block<0>(rows, out[0], stride);
  if (count > 1) store_block<1>(rows, out[1], stride);
  if constexpr (kLanes == 4) {
    if (count > 2) store_block<2>(rows, out[2], stride);
    if (count > 3) store_block<3>(rows, out[3], stride);
  }
}

// Reads `kRows` rows of all lanes' blocks and clears them. False: a block is not Quantisation::kTame, and nothing was
// cleared.
template <int kRows>
PTRUN_VECTOR inline bool read_rows(std::int16_t* block, const Quantisation& quantisation, V (&rows)[8]) {
  V sum = Vector::zero();
  for (int i = 0; i < kRows; ++i) {
    const V stored = Vector::load(block + static_cast<std::size_t>(i) * kRow);
    const std::size_t at = static_cast<std::size_t>(i) * 8;
    sum =
        Vector::add32(sum, Vector::madd(Vector::absolute16(stored), Vector::repeat(quantisation.weights.data() + at)));
    rows[i] = Vector::multiply16(stored, Vector::repeat(quantisation.values.data() + at));
  }
  sum = Vector::add32(sum, Vector::template shuffle32<0x4E>(sum));
  sum = Vector::add32(sum, Vector::template shuffle32<0xB1>(sum));
  if (Vector::any_above32(sum, Vector::set32(Quantisation::kTame))) return false;
  for (int i = 0; i < kRows; ++i) Vector::store(block + static_cast<std::size_t>(i) * kRow, Vector::zero());
  return true;
}

// Blocks of which one is not tame, one after the other.
bool transform_wild(std::int16_t* blocks, std::size_t count, const Quantisation& quantisation, std::size_t side,
                    std::uint8_t* const* out, std::size_t stride) {
  for (std::size_t i = 0; i < count; ++i) {
    std::array<std::int16_t, kBlockSize> block;
    for (std::size_t k = 0; k < kBlockSize; ++k) block[k] = blocks[k / 8 * kRow + i * 8 + k % 8];
    if (!transform_block(block.data(), quantisation, side, out[i], stride)) return false;
  }
  std::fill_n(blocks, kLanes * kBlockSize, std::int16_t{0});
  return true;
}

// Blocks with nothing but their mean. False: one is not tame.
template <std::size_t kSide>
bool transform_flat(std::int16_t* blocks, std::size_t count, const Quantisation& quantisation, std::uint8_t* const* out,
                    std::size_t stride) {
  constexpr std::int32_t kTame = Quantisation::kTame / 8;
  std::array<std::int32_t, kLanes> values;
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = blocks[i * 8] * quantisation.values[0];
    if (values[i] < -kTame || values[i] > kTame) return false;
  }
  for (std::size_t i = 0; i < count; ++i) {
    blocks[i * 8] = 0;
    const auto sample = static_cast<std::uint64_t>(std::clamp(((values[i] + 4) >> 3) + 128, 0, 255));
    const std::uint64_t eight = sample * 0x0101010101010101U;
    for (std::size_t y = 0; y < kSide; ++y) std::memcpy(out[i] + y * stride, &eight, kSide);
  }
  return true;
}

// A half of the columns to four rows of 32 bits.
template <int kShift>
PTRUN_VECTOR inline void halve_pairs(V in02, V in64, V in13, V in57, V rounding, V (&out)[4]) {
  constexpr int kMean = 1 << (dct::kBits + 1);
  const V even[2] = {Vector::add32(Vector::add32(Vector::madd(in02, factors(kMean, dct::kHalfEven[0])), rounding),
                                   Vector::madd(in64, factors(dct::kHalfEven[1], 0))),
                     Vector::add32(Vector::add32(Vector::madd(in02, factors(kMean, -dct::kHalfEven[0])), rounding),
                                   Vector::madd(in64, factors(-dct::kHalfEven[1], 0)))};
  for (int i = 0; i < 2; ++i) {
    const V odd = Vector::add32(Vector::madd(in13, factors(dct::kHalfOdd[i][0], dct::kHalfOdd[i][1])),
                                Vector::madd(in57, factors(dct::kHalfOdd[i][2], dct::kHalfOdd[i][3])));
    out[i] = Vector::template shift_right32<kShift>(Vector::add32(even[i], odd));
    out[3 - i] = Vector::template shift_right32<kShift>(Vector::sub32(even[i], odd));
  }
}

// To two rows.
template <int kShift>
PTRUN_VECTOR inline void quarter_pairs(V in00, V in13, V in57, V rounding, V (&out)[2]) {
  constexpr int kMean = 1 << (dct::kBits + 1);  // twice
  const V mean = Vector::add32(Vector::madd(in00, factors(kMean, kMean)), rounding);
  const V odd = Vector::add32(Vector::madd(in13, factors(dct::kQuarterOdd[0], dct::kQuarterOdd[1])),
                              Vector::madd(in57, factors(dct::kQuarterOdd[2], dct::kQuarterOdd[3])));
  out[0] = Vector::template shift_right32<kShift>(Vector::add32(mean, odd));
  out[1] = Vector::template shift_right32<kShift>(Vector::sub32(mean, odd));
}

// Samples of every lane's block, column by column in the first kSide * kSide bytes of the lane.
template <std::size_t kSide>
PTRUN_VECTOR inline V reduce(V (&rows)[8]) {
  constexpr int kMore = kSide == 4 ? 1 : 2;
  constexpr int kShift1 = dct::kShift1 + kMore;
  constexpr int kShift2 = dct::kShift2 + kMore;
  const V half1 = Vector::set32(rounding_of(kShift1));
  const V half2 = Vector::set32(rounding_of(kShift2) + (128 << kShift2));
  const V low13 = Vector::unpack_low16(rows[1], rows[3]);
  const V low57 = Vector::unpack_low16(rows[5], rows[7]);
  const V high13 = Vector::unpack_high16(rows[1], rows[3]);
  const V high57 = Vector::unpack_high16(rows[5], rows[7]);
  V low[kSide];
  V high[kSide];
  if constexpr (kSide == 4) {
    halve_pairs<kShift1>(Vector::unpack_low16(rows[0], rows[2]), Vector::unpack_low16(rows[6], rows[4]), low13, low57,
                         half1, low);
    halve_pairs<kShift1>(Vector::unpack_high16(rows[0], rows[2]), Vector::unpack_high16(rows[6], rows[4]), high13,
                         high57, half1, high);
  } else {
    quarter_pairs<kShift1>(Vector::unpack_low16(rows[0], rows[0]), low13, low57, half1, low);
    quarter_pairs<kShift1>(Vector::unpack_high16(rows[0], rows[0]), high13, high57, half1, high);
  }
  for (std::size_t i = 0; i < 8; ++i) rows[i] = i < kSide ? Vector::pack32(low[i], high[i]) : Vector::zero();
  transpose(rows);
  const V in13 = Vector::unpack_low16(rows[1], rows[3]);
  const V in57 = Vector::unpack_low16(rows[5], rows[7]);
  if constexpr (kSide == 4) {
    halve_pairs<kShift2>(Vector::unpack_low16(rows[0], rows[2]), Vector::unpack_low16(rows[6], rows[4]), in13, in57,
                         half2, low);
    return Vector::pack16(Vector::pack32(low[0], low[1]), Vector::pack32(low[2], low[3]));
  } else {
    quarter_pairs<kShift2>(Vector::unpack_low16(rows[0], rows[0]), in13, in57, half2, low);
    const V both = Vector::pack32(Vector::unpack_low64(low[0], low[1]), low[0]);
    return Vector::pack16(both, both);
  }
}

template <std::size_t kSide, std::size_t kLane>
PTRUN_VECTOR inline void store_reduced(V columns, std::uint8_t* out, std::size_t stride) {
  alignas(16) std::array<std::uint8_t, 16> samples;
  _mm_store_si128(reinterpret_cast<__m128i*>(samples.data()), Vector::template lane<kLane>(columns));
  for (std::size_t y = 0; y < kSide; ++y) std::memcpy(out + y * stride, samples.data() + y * kSide, kSide);
}

// Columns -> rows.
template <std::size_t kSide>
constexpr std::array<std::uint8_t, 16> turned_places() {
  std::array<std::uint8_t, 16> places{};
  for (std::size_t y = 0; y < kSide; ++y)
    for (std::size_t x = 0; x < kSide; ++x)
      places[y * kSide + x] = static_cast<std::uint8_t>(kSide == 4 ? x * 4 + y : x * 2 + y);
  return places;
}

template <std::size_t kSide>
PTRUN_VECTOR inline void reduce_and_store(V (&rows)[8], std::size_t count, std::uint8_t* const* out,
                                          std::size_t stride) {
  static constexpr auto kPlaces = turned_places<kSide>();
  const V samples = Vector::shuffle8(reduce<kSide>(rows), Vector::repeat(kPlaces.data()));
  store_reduced<kSide, 0>(samples, out[0], stride);
  if (count > 1) store_reduced<kSide, 1>(samples, out[1], stride);
  if constexpr (kLanes == 4) {
    if (count > 2) store_reduced<kSide, 2>(samples, out[2], stride);
    if (count > 3) store_reduced<kSide, 3>(samples, out[3], stride);
  }
}

// A register's blocks to 8 samples each way. False: one is not tame.
PTRUN_VECTOR inline bool transform_whole(std::int16_t* blocks, int reach, std::size_t count,
                                         const Quantisation& quantisation, std::uint8_t* const* out,
                                         std::size_t stride) {
  constexpr int kRounding2 = rounding_of(dct::kShift2) + (128 << dct::kShift2);  // samples stand around 128
  if (reach == 0) return transform_flat<8>(blocks, count, quantisation, out, stride);
  V rows[8];
  if (reach <= kQuarter) {
    if (!read_rows<4>(blocks, quantisation, rows)) return false;
    pass_quarter(rows);
    pass_from_quarter<dct::kShift2>(rows, kRounding2);
  } else {
    if (!read_rows<8>(blocks, quantisation, rows)) return false;
    pass<dct::kShift1>(rows, rounding_of(dct::kShift1));
    transpose(rows);
    pass<dct::kShift2>(rows, kRounding2);
  }
  store_columns(rows, count, out, stride);
  return true;
}

// To fewer.
template <std::size_t kSide>
PTRUN_VECTOR inline bool transform_reduced(std::int16_t* blocks, int reach, std::size_t count,
                                           const Quantisation& quantisation, std::uint8_t* const* out,
                                           std::size_t stride) {
  if (kSide == 1 || reach == 0) {
    if (!transform_flat<kSide>(blocks, count, quantisation, out, stride)) return false;
    if (reach > 0) std::fill_n(blocks, kLanes * kBlockSize, std::int16_t{0});
    return true;
  }
  if constexpr (kSide > 1) {
    V rows[8];
    if (!read_rows<8>(blocks, quantisation, rows)) return false;
    reduce_and_store<kSide>(rows, count, out, stride);
  }
  return true;
}

PTRUN_VECTOR bool transform(ScanGroup& group, std::size_t c, std::size_t count, const Quantisation& quantisation,
                            std::size_t side, std::uint8_t* const* out, std::size_t stride) {
  for (std::size_t first = 0; first < count; first += kLanes) {
    const std::size_t blocks = std::min(kLanes, count - first);
    std::int16_t* const from = group.coefficients[c].data() + first * kBlockSize;
    const std::uint8_t* const last = group.last[c].data() + first;
    std::uint8_t* const* const to = out + first;
    int reach = last[0];
    for (std::size_t i = 1; i < blocks; ++i) reach = std::max<int>(reach, last[i]);
    const bool done = side == 8   ? transform_whole(from, reach, blocks, quantisation, to, stride)
                      : side == 4 ? transform_reduced<4>(from, reach, blocks, quantisation, to, stride)
                      : side == 2 ? transform_reduced<2>(from, reach, blocks, quantisation, to, stride)
                                  : transform_reduced<1>(from, reach, blocks, quantisation, to, stride);
    if (!done && !transform_wild(from, blocks, quantisation, side, to, stride)) return false;
  }
  return true;
}

PTRUN_VECTOR std::ptrdiff_t decode(const ScanPlan& plan, ScanReader& reader, std::size_t count, ScanGroup& group,
                                   std::size_t first) {
  return decode_mcus<kLanes, true>(plan, reader, count, group, first);
}

PTRUN_VECTOR std::ptrdiff_t skip(const ScanPlan& plan, ScanReader& reader, std::size_t count, ScanGroup& group) {
  return decode_mcus<kLanes, false>(plan, reader, count, group, 0);
}

}  // namespace
}  // namespace ptrun::image
