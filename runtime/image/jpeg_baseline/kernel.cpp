#include "image/jpeg_baseline/kernel.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "image/image.h"
#include "image/jpeg_baseline/scan.h"

namespace ptrun::image {
namespace {

constexpr std::int32_t kLargest = 1 << 14;  // beyond, sums of two 16-bit numbers could wrap around

// One line of 8 inputs to `kSide` outputs, each `step` apart; 8 outputs may be written.
template <std::size_t kSide, int kShift>
void transform_line(const std::int32_t* in, std::size_t step, std::int32_t* out) {
  constexpr std::int32_t kHalf = 1 << (kShift - 1);
  const auto input = [&](std::size_t i) { return in[i * step]; };
  const auto odd = [&](const int(&factors)[4]) {
    return input(1) * factors[0] + input(3) * factors[1] + input(5) * factors[2] + input(7) * factors[3];
  };
  const auto put = [&](std::size_t i, std::int32_t even_sum, std::int32_t odd_sum) {
    out[i * step] = (even_sum + odd_sum + kHalf) >> kShift;
    out[(kSide - 1 - i) * step] = (even_sum - odd_sum + kHalf) >> kShift;
  };
  if constexpr (kSide == 8) {
    const std::int32_t sum = (input(0) + input(4)) * (1 << dct::kBits);
    const std::int32_t difference = (input(0) - input(4)) * (1 << dct::kBits);
    const std::int32_t outer = input(2) * dct::kEven[0][0] + input(6) * dct::kEven[0][1];
    const std::int32_t inner = input(2) * dct::kEven[1][0] + input(6) * dct::kEven[1][1];
    const std::int32_t even[4] = {sum + outer, difference + inner, difference - inner, sum - outer};
    for (std::size_t i = 0; i < 4; ++i) put(i, even[i], odd(dct::kOdd[i]));
  } else if constexpr (kSide == 4) {
    const std::int32_t mean = input(0) * (1 << (dct::kBits + 1));
    const std::int32_t even = input(2) * dct::kHalfEven[0] + input(6) * dct::kHalfEven[1];
    put(0, mean + even, odd(dct::kHalfOdd[0]));
    put(1, mean - even, odd(dct::kHalfOdd[1]));
  } else {
    put(0, input(0) * (1 << (dct::kBits + 2)), odd(dct::kQuarterOdd));
  }
}

std::uint8_t clip8(std::int32_t value) { return static_cast<std::uint8_t>(std::clamp(value, 0, 255)); }

// The coefficients themselves to samples.
template <std::size_t kSide>
bool transform_values(const std::int32_t* block, std::uint8_t* out, std::size_t stride) {
  constexpr int kMore = kSide == 8 ? 0 : kSide == 4 ? 1 : 2;
  std::int32_t columns[kBlockSize];
  std::int32_t row[8];
  for (std::size_t x = 0; x < 8; ++x) transform_line<kSide, dct::kShift1 + kMore>(block + x, 8, columns + x);
  bool fits = true;
  for (std::size_t i = 0; i < kSide * 8; ++i) fits = fits && columns[i] >= -kLargest && columns[i] < kLargest;
  if (!fits) return false;
  for (std::size_t y = 0; y < kSide; ++y) {
    transform_line<kSide, dct::kShift2 + kMore>(columns + y * 8, 1, row);
    for (std::size_t x = 0; x < kSide; ++x) {
      fits = fits && row[x] >= -512 && row[x] < 512;
      out[y * stride + x] = clip8(row[x] + 128);
    }
  }
  return fits;
}

bool transform(ScanGroup& group, std::size_t c, std::size_t count, const Quantisation& quantisation, std::size_t side,
               std::uint8_t* const* out, std::size_t stride) {
  for (std::size_t i = 0; i < count; ++i) {
    std::int16_t* block = group.coefficients[c].data() + i * kBlockSize;
    if (!transform_block(block, quantisation, side, out[i], stride)) return false;
    std::fill_n(block, kBlockSize, std::int16_t{0});
  }
  return true;
}

void to_rgb(int luma, int blue, int red, std::uint8_t* rgb) {
  constexpr int kHalf = 1 << 15;
  blue -= 128;
  red -= 128;
  rgb[0] = clip8(luma + red + ((red * colour::kRedByRed + kHalf) >> 16));
  rgb[1] = clip8(luma - red + ((blue * colour::kGreenByBlue + red * colour::kGreenByRed + kHalf) >> 16));
  rgb[2] = clip8(luma + 2 * blue + ((blue * colour::kBlueByBlue + kHalf) >> 16));
}

void grey_row(const std::uint8_t* luma, const SampleRows& /*blue*/, const SampleRows& /*red*/, std::size_t count,
              std::uint8_t* rgb) {
  for (std::size_t i = 0; i < count; ++i) rgb[i * 3] = rgb[i * 3 + 1] = rgb[i * 3 + 2] = luma[i];
}

void full_row(const std::uint8_t* luma, const SampleRows& blue, const SampleRows& red, std::size_t count,
              std::uint8_t* rgb) {
  for (std::size_t i = 0; i < count; ++i) to_rgb(luma[i], blue.near[i], red.near[i], rgb + i * 3);
}

// The triangle filter: three parts of the nearer sample, one of the further one; a half is rounded up and down in turn.
void half_width_row(const std::uint8_t* luma, const SampleRows& blue, const SampleRows& red, std::size_t count,
                    std::uint8_t* rgb) {
  const auto sample = [](const SampleRows& rows, std::size_t i) {
    const std::uint8_t* at = rows.near + i / 2;
    return i % 2 == 0 ? (at[0] * 3 + at[-1] + 1) >> 2 : (at[0] * 3 + at[1] + 2) >> 2;
  };
  for (std::size_t i = 0; i < count; ++i) to_rgb(luma[i], sample(blue, i), sample(red, i), rgb + i * 3);
}

void half_both_row(const std::uint8_t* luma, const SampleRows& blue, const SampleRows& red, std::size_t count,
                   std::uint8_t* rgb) {
  const auto sum = [](const SampleRows& rows, std::ptrdiff_t i) { return rows.near[i] * 3 + rows.far[i]; };
  const auto sample = [&](const SampleRows& rows, std::size_t i) {
    const auto at = static_cast<std::ptrdiff_t>(i / 2);
    return i % 2 == 0 ? (sum(rows, at) * 3 + sum(rows, at - 1) + 8) >> 4
                      : (sum(rows, at) * 3 + sum(rows, at + 1) + 7) >> 4;
  };
  for (std::size_t i = 0; i < count; ++i) to_rgb(luma[i], sample(blue, i), sample(red, i), rgb + i * 3);
}

std::ptrdiff_t decode(const ScanPlan& plan, ScanReader& reader, std::size_t count, ScanGroup& group,
                      std::size_t first) {
  return decode_mcus<1, true>(plan, reader, count, group, first);
}

std::ptrdiff_t skip(const ScanPlan& plan, ScanReader& reader, std::size_t count, ScanGroup& group) {
  return decode_mcus<1, false>(plan, reader, count, group, 0);
}

}  // namespace

bool Quantisation::set(const std::uint16_t (&table)[64]) {
  constexpr double kGain = 1.3871;  // of a coefficient in one direction, the constant one excepted
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (table[i] > kLargest) return false;
    if (values[i] == table[i] && weights[i] != 0) continue;
    values[i] = static_cast<std::int16_t>(table[i]);
    weights[i] =
        static_cast<std::int16_t>(std::ceil(table[i] * 8 * (i % 8 == 0 ? 1.0 : kGain) * (i / 8 == 0 ? 1.0 : kGain)));
  }
  return true;
}

bool transform_block(const std::int16_t* coefficients, const Quantisation& quantisation, std::size_t side,
                     std::uint8_t* out, std::size_t stride) {
  if (side == 1) {
    const std::int32_t mean = (coefficients[0] * quantisation.values[0] + 4) >> 3;
    out[0] = clip8(mean + 128);
    return mean >= -512 && mean < 512;
  }
  std::int32_t block[kBlockSize];
  bool fits = true;
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    block[i] = coefficients[i] * quantisation.values[i];
    fits = fits && block[i] >= -kLargest && block[i] < kLargest;
  }
  if (!fits) return false;
  if (side == 8) return transform_values<8>(block, out, stride);
  return side == 4 ? transform_values<4>(block, out, stride) : transform_values<2>(block, out, stride);
}

const std::vector<JpegKernel>& jpeg_kernels() {
  static const std::vector<JpegKernel> kKernels = {
#if defined(__x86_64__)
    kJpegAvx512,
    kJpegAvx2,
#endif
    {"scalar", [] { return true; }, 1, decode, skip, transform, {grey_row, full_row, half_width_row, half_both_row}},
  };
  return kKernels;
}

const JpegKernel* best_jpeg_kernel() {
  static const JpegKernel* const kBest = []() -> const JpegKernel* {
    // For measurements and for tests of the whole program; all sets give the same bytes.
    const char* wanted = std::getenv("PTRUN_KERNELS");
    for (const JpegKernel& row : jpeg_kernels())
      if (wanted != nullptr && row.name == wanted && row.usable()) return &row;
    const JpegKernel& best =
        *std::find_if(jpeg_kernels().begin(), jpeg_kernels().end(), [](const JpegKernel& row) { return row.usable(); });
    // libjpeg's own vector code is faster than the plain loops.
    return best.lanes > 1 ? &best : nullptr;
  }();
  return kBest;
}

}  // namespace ptrun::image
