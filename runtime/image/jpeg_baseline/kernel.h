// The inner loops of the baseline JPEG decoder, one set for each kind of processor. All give the same bytes, those of
// libjpeg: where its vector code and its plain code could differ, they say so instead.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace ptrun::image {

class ScanReader;
struct ScanGroup;
struct ScanPlan;

// How to get from the stored values of a component to coefficients; natural order.
struct Quantisation {
  // More makes no sense in 8 bits, and the sums below would not fit.
  static constexpr unsigned kLargest = 1000;
  // Where the sum of |stored value| * weight is at most this, nothing overflows on the way and no sample lies further
  // than 511 from the middle: there all of libjpeg's transforms agree.
  static constexpr std::int32_t kTame = 8 * 4080;

  // False: a value is too large.
  bool set(const std::uint16_t (&table)[64]);

  std::array<std::int16_t, 64> values{};
  std::array<std::int16_t, 64> weights{};  // value * the most that a coefficient of 1 adds, in 1/8
};

// Rows of a component around the one that is made.
struct SampleRows {
  const std::uint8_t* near = nullptr;
  const std::uint8_t* far = nullptr;  // the next nearest row, where there are half as many rows
};

// How much larger than its chroma a picture is.
enum class Sampling { grey, full, half_width, half_both };

// A row of the table.
struct JpegKernel {
  std::string_view name;
  bool (*usable)();   // on this processor
  std::size_t lanes;  // blocks at a time: the order in ScanGroup::coefficients

  // decode_mcus() of scan.h, with and without storing.
  std::ptrdiff_t (*decode)(const ScanPlan& plan, ScanReader& reader, std::size_t count, ScanGroup& group,
                           std::size_t first);
  std::ptrdiff_t (*skip)(const ScanPlan& plan, ScanReader& reader, std::size_t count, ScanGroup& group);

  // The samples of the first `count` blocks of component `c`, `side` (1, 2, 4 or 8) each way: block i goes to out[i],
  // rows `stride` bytes apart. Clears their coefficients. False: libjpeg's transforms might differ.
  bool (*transform)(ScanGroup& group, std::size_t c, std::size_t count, const Quantisation& quantisation,
                    std::size_t side, std::uint8_t* const* out, std::size_t stride);

  // `count` pixels of RGB from samples, whose first one belongs to an even pixel; for each Sampling. Chroma rows of
  // half the width are read from one sample before to one behind what is needed; all rows may be read kRowEnd bytes
  // beyond.
  using Row = void (*)(const std::uint8_t* luma, const SampleRows& blue, const SampleRows& red, std::size_t count,
                       std::uint8_t* rgb);
  std::array<Row, 4> rows;
};

constexpr std::size_t kRowBegin = 64;
constexpr std::size_t kRowEnd = 128;

// Every set of this build, the fastest first; the last one runs on every processor.
const std::vector<JpegKernel>& jpeg_kernels();

// The transform of one block in natural order, for every value that it can take with certainty; false for others.
bool transform_block(const std::int16_t* coefficients, const Quantisation& quantisation, std::size_t side,
                     std::uint8_t* out, std::size_t stride);

extern const JpegKernel kJpegAvx2;    // kernel_avx2.cpp; x86-64 only
extern const JpegKernel kJpegAvx512;  // kernel_avx512.cpp; x86-64 only

// The accurate integer inverse DCT that all decoders of the IJG's family agree on: C. Loeffler, A. Ligtenberg, G.
// Moschytz, "Practical Fast 1-D DCT Algorithms with 11 Multiplications", ICASSP 1989, in fixed point with 13 bits, 2
// more of which stay between the two passes (libjpeg, jidctint.c). Here with the sums of products multiplied out, which
// are the same integers.
namespace dct {
constexpr int kBits = 13;
constexpr int kKept = 2;
constexpr int kShift1 = kBits - kKept;
constexpr int kShift2 = kBits + kKept + 3;
constexpr int k0298 = 2446;
constexpr int k0390 = 3196;
constexpr int k0541 = 4433;
constexpr int k0765 = 6270;
constexpr int k0899 = 7373;
constexpr int k1175 = 9633;
constexpr int k1501 = 12299;
constexpr int k1847 = 15137;
constexpr int k1961 = 16069;
constexpr int k2053 = 16819;
constexpr int k2562 = 20995;
constexpr int k3072 = 25172;
// What the inputs 2 and 6 give to the even half's second pair of sums.
constexpr int kEven[2][2] = {{k0541 + k0765, k0541}, {k0541, k0541 - k1847}};
// What the inputs 1, 3, 5 and 7 give to the odd half: [output 0..3][input].
constexpr int kOdd[4][4] = {
    {k1175 - k0390 + k1501 - k0899, k1175, k1175 - k0390, k1175 - k0899},
    {k1175, k1175 - k1961 + k3072 - k2562, k1175 - k2562, k1175 - k1961},
    {k1175 - k0390, k1175 - k2562, k1175 - k0390 + k2053 - k2562, k1175},
    {k1175 - k0899, k1175 - k1961, k1175, k1175 - k1961 + k0298 - k0899},
};
// To 4 x 4 samples (libjpeg, jidctred.c): what the inputs 2 and 6 add to input 0 for the outer two outputs and take
// from it for the inner two; what 1, 3, 5 and 7 add for outputs 0 and 1 and take for 3 and 2.
constexpr int kHalfEven[2] = {15137, -6270};
constexpr int kHalfOdd[2][4] = {{20995, 7373, -4926, -4176}, {8697, -17799, 11893, -1730}};
// To 2 x 2 samples: what the inputs 1, 3, 5 and 7 add to input 0 and take from it.
constexpr int kQuarterOdd[4] = {29692, -10426, 6967, -5906};
}  // namespace dct

// YCbCr -> RGB as libjpeg has it (jdcolor.c): 16 bits behind the point, rounded. Factors less the whole numbers that
// are added apart, so that they fit 16 bits.
namespace colour {
constexpr int kRedByRed = 91881 - 65536;
constexpr int kBlueByBlue = 116130 - 131072;
constexpr int kGreenByBlue = -22554;
constexpr int kGreenByRed = 65536 - 46802;
}  // namespace colour

}  // namespace ptrun::image
