#include "image/jpeg_baseline/kernel.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "image/image.h"
#include "image/jpeg_baseline/scan.h"

namespace ptrun::image {
namespace {

constexpr std::int32_t kLargest = 1 << 14;  // beyond, sums of two 16-bit numbers could wrap around

// One pass over inputs and outputs that are `step` apart.
template <int kShift, typename Out>
void transform_line(const std::int32_t* in, std::size_t step, Out* out) {
  const auto input = [&](std::size_t i) { return in[i * step]; };
  const std::int32_t sum = (input(0) + input(4)) * (1 << dct::kBits);
  const std::int32_t difference = (input(0) - input(4)) * (1 << dct::kBits);
  const std::int32_t outer = input(2) * dct::kEven[0][0] + input(6) * dct::kEven[0][1];
  const std::int32_t inner = input(2) * dct::kEven[1][0] + input(6) * dct::kEven[1][1];
  const std::int32_t even[4] = {sum + outer, difference + inner, difference - inner, sum - outer};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::int32_t odd = input(1) * dct::kOdd[i][0] + input(3) * dct::kOdd[i][1] + input(5) * dct::kOdd[i][2] +
                             input(7) * dct::kOdd[i][3];
    constexpr std::int32_t kHalf = 1 << (kShift - 1);
    out[i * step] = (even[i] + odd + kHalf) >> kShift;
    out[(7 - i) * step] = (even[i] - odd + kHalf) >> kShift;
  }
}

bool transform(ScanGroup& group, std::size_t c, std::size_t count, const Quantisation& quantisation,
               std::uint8_t* const* out, std::size_t stride) {
  for (std::size_t i = 0; i < count; ++i) {
    std::int16_t* block = group.coefficients[c].data() + i * kBlockSize;
    if (!transform_block(block, quantisation, out[i], stride)) return false;
    std::fill_n(block, kBlockSize, std::int16_t{0});
  }
  return true;
}

std::uint8_t clip8(std::int32_t value) { return static_cast<std::uint8_t>(std::clamp(value, 0, 255)); }

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

bool transform_block(const std::int16_t* coefficients, const Quantisation& quantisation, std::uint8_t* out,
                     std::size_t stride) {
  std::int32_t block[kBlockSize];
  std::int32_t columns[kBlockSize];
  bool fits = true;
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    block[i] = coefficients[i] * quantisation.values[i];
    fits = fits && block[i] >= -kLargest && block[i] < kLargest;
  }
  if (!fits) return false;
  for (std::size_t x = 0; x < 8; ++x) transform_line<dct::kShift1>(block + x, 8, columns + x);
  for (const std::int32_t value : columns) fits = fits && value >= -kLargest && value < kLargest;
  if (!fits) return false;
  for (std::size_t y = 0; y < 8; ++y) {
    transform_line<dct::kShift2>(columns + y * 8, 1, block + y * 8);
    for (std::size_t x = 0; x < 8; ++x) {
      const std::int32_t value = block[y * 8 + x];
      fits = fits && value >= -512 && value < 512;
      out[y * stride + x] = clip8(value + 128);
    }
  }
  return fits;
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
