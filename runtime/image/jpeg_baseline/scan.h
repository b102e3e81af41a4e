// The entropy-coded data of a baseline JPEG's only scan.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "image/jpeg_baseline/huffman.h"

namespace ptrun::image {

constexpr std::size_t kBlockSize = 64;  // coefficients
constexpr std::size_t kGroup = 4;       // MCUs that are transformed together
constexpr std::size_t kMaxBlocks = 4;   // of a component in an MCU
constexpr std::size_t kMaxComponents = 3;

// The next bits, the first one on top. Those behind `count` are 0 or the ones that will follow.
struct ScanBits {
  std::uint64_t buffer = 0;
  unsigned count = 0;
  const std::uint8_t* next = nullptr;
};

// What stands in an MCU.
struct ScanPlan {
  std::size_t components = 0;
  std::array<std::size_t, kMaxComponents> blocks{};  // of each component, 1 to kMaxBlocks
  std::array<const HuffmanTable*, kMaxComponents> dc{};
  std::array<const HuffmanTable*, kMaxComponents> ac{};
};

// Coefficients as they are coded. A kernel that works on N blocks at a time has row 0 of N blocks, row 1 of N blocks,
// ... (JpegKernel::lanes). All 0 between one group and the next.
struct ScanGroup {
  alignas(64) std::array<std::array<std::int16_t, kGroup * kMaxBlocks * kBlockSize>, kMaxComponents> coefficients;
  // The position of a block's last coefficient in zigzag order.
  std::array<std::array<std::uint8_t, kGroup * kMaxBlocks>, kMaxComponents> last;
};

// Gives the bytes of a scan without the stuffing, a window at a time, and sees that nothing is irregular.
class ScanReader {
 public:
  // The longest MCU: 6 blocks of a DC code with its value and 63 AC codes with theirs, and what is read ahead.
  static constexpr std::size_t kMcuBytes = (6 * (16 + 11 + 63 * (16 + 10)) + 7) / 8 + 16;

  // Begins with the first bytes behind the scan's header, which must stay.
  void begin(std::string_view bytes);
  // More bytes; false: there are none, and an MCU that needs them is not regular.
  bool more();
  // Bits were used that the segment does not have.
  bool overrun() const { return complete_ && left() < 0; }
  // Behind the last MCU: all bits but a byte's padding were used, and the end marker follows.
  bool at_end() { return used_up() && marker_ == 0xD9; }
  // Between MCUs: the same, and the restart marker that must follow; begins with the segment behind it.
  bool restart();

  ScanBits bits;
  std::array<std::int32_t, kMaxComponents> predicted{};  // DC
  // MCUs may begin up to here: behind it more() must be asked.
  const std::uint8_t* limit = nullptr;

 private:
  static constexpr std::size_t kWindow = std::size_t{16} << 10U;

  void begin_segment();
  bool used_up();
  std::ptrdiff_t left() const { return (window_end_ - bits.next) * 8 + static_cast<std::ptrdiff_t>(bits.count); }

  const std::uint8_t* from_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  const std::uint8_t* window_end_ = nullptr;  // of the bytes there are
  bool complete_ = false;                     // the segment's last byte is in the window
  unsigned marker_ = 0;                       // behind the segment; 0: not known yet, or none
  unsigned restarts_ = 0;
  std::vector<std::uint8_t> window_;
};

// Where the coefficient at each position of zigzag order goes, for `kLanes` blocks at a time. Positions behind the
// block are those of its end, which store a 0, and of errors.
template <std::size_t kLanes>
constexpr std::array<std::uint8_t, 256> zigzag_places() {
  std::array<std::uint8_t, 256> places{};
  std::size_t row = 0;
  std::size_t column = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    places[i] = static_cast<std::uint8_t>(row * 8 * kLanes + column);
    if (i >= kBlockSize - 1) continue;
    const bool up = (row + column) % 2 == 0;
    if (up ? column == 7 : column == 0 && row < 7) {
      ++row;
    } else if (up ? row == 0 : row == 7) {
      ++column;
    } else {
      row += up ? std::size_t{0} - 1 : 1;
      column += up ? 1 : std::size_t{0} - 1;
    }
  }
  return places;
}

#define PTRUN_INLINE inline __attribute__((always_inline))

// At least 56 bits.
PTRUN_INLINE void refill(ScanBits& bits) {
  std::uint64_t word = 0;
  std::memcpy(&word, bits.next, sizeof(word));
  bits.buffer |= __builtin_bswap64(word) >> bits.count;
  bits.next += (63U - bits.count) >> 3U;
  bits.count |= 56U;
}

// The value behind the code that `entry` belongs to: a number whose first bit is 1, or the complement of a negative
// one's. Without a branch, because nothing could foretell it.
PTRUN_INLINE std::int32_t value_of(const ScanBits& bits, HuffmanEntry entry) {
  const std::uint64_t top = bits.buffer << (entry >> 8U & 63U);
  const auto flip = ~static_cast<std::uint64_t>(static_cast<std::int64_t>(top) >> 63);
  const std::uint64_t size = (top ^ flip) >> 1U >> (entry >> 16U & 63U);
  return static_cast<std::int32_t>(static_cast<std::int64_t>((size ^ flip) - flip));
}

PTRUN_INLINE void consume(ScanBits& bits, HuffmanEntry entry) {
  bits.buffer <<= entry & 63U;
  bits.count -= static_cast<unsigned>(entry & 63U);
}

// One block. `kStore` false: read only, for its DC. Gives the position of the last coefficient, or -1.
//
// Each code is looked up before the refill and shifted out behind it, so that the refill is ready while the look-up is
// on its way. A refill gives 56 bits, of which a DC code with its value takes 27 and an AC code with its 26 at most, so
// that the next code is there.
template <std::size_t kLanes, bool kStore>
PTRUN_INLINE int decode_block(ScanBits& bits, const HuffmanTable& dc, const HuffmanTable& ac, std::int32_t& predicted,
                              std::int16_t* to) {
  static constexpr std::array<std::uint8_t, 256> kPlaces = zigzag_places<kLanes>();
  constexpr std::int32_t kLargest = 1 << 14;
  HuffmanEntry entry = dc.find(bits.buffer);
  refill(bits);
  predicted += value_of(bits, entry);
  consume(bits, entry);
  if ((entry >> 24U & 255U) != 0 || predicted < -kLargest || predicted >= kLargest) return -1;
  if (kStore) to[0] = static_cast<std::int16_t>(predicted);

  constexpr unsigned kEnd = kBlockSize - 1;
  unsigned at = 0;
  unsigned first = 0;
  std::uint64_t before = 0;
  do {
    entry = ac.find(bits.buffer);
    refill(bits);
    before = bits.buffer;
    first = at + static_cast<unsigned>(entry >> 24U & 255U);
    at += static_cast<unsigned>(entry >> 32U & 255U);
    if (kStore) {
      // Where there is no second code, the first one's value goes over it.
      to[kPlaces[at]] = static_cast<std::int16_t>(entry >> 48U);
      to[kPlaces[first]] = static_cast<std::int16_t>(value_of(bits, entry));
    }
    consume(bits, entry);
  } while (at < kEnd);
  if (first >= kEnd && at != first) {
    // The block ends without saying so, and the second code is that of the next one.
    const auto used = static_cast<unsigned>(entry >> 40U & 63U);
    bits.count += static_cast<unsigned>(entry & 63U) - used;
    bits.buffer = before << used;
    at = first;
  }
  if (at == kEnd) return kEnd;
  return at >= kEndOfBlock && at < kEndOfBlock + kBlockSize ? static_cast<int>(at - kEndOfBlock) : -1;
}

// Decodes up to `count` MCUs; the first is number `first` of `group`. Gives how many, fewer where more() must be asked,
// or -1 where the data are not regular.
template <std::size_t kLanes, bool kStore>
PTRUN_INLINE std::ptrdiff_t decode_mcus(const ScanPlan& plan, ScanReader& reader, std::size_t count, ScanGroup& group,
                                        std::size_t first) {
  ScanBits bits = reader.bits;
  std::size_t done = 0;
  for (; done < count && bits.next <= reader.limit; ++done) {
    refill(bits);
    for (std::size_t c = 0; c < plan.components; ++c) {
      const HuffmanTable& dc = *plan.dc[c];
      const HuffmanTable& ac = *plan.ac[c];
      const std::size_t blocks = plan.blocks[c];
      for (std::size_t i = 0; i < blocks; ++i) {
        const std::size_t block = (first + done) * blocks + i;
        std::int16_t* const to =
            group.coefficients[c].data() + block / kLanes * kLanes * kBlockSize + block % kLanes * 8;
        const int last = decode_block<kLanes, kStore>(bits, dc, ac, reader.predicted[c], to);
        if (last < 0) return -1;
        if (kStore) group.last[c][block] = static_cast<std::uint8_t>(last);
      }
    }
  }
  reader.bits = bits;
  return static_cast<std::ptrdiff_t>(done);
}

}  // namespace ptrun::image
