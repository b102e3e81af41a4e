// Huffman tables of a baseline JPEG, in the form that the scan decoder reads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace ptrun::image {

// What the next code says and, where both are short, the one behind it: shift counts that need no masking but that of a
// 64-bit shift, and bytes.
// bits 0..7    all of it: the codes and the bits of their values
// bits 8..15   the first code alone, without its value
// bits 16..23  63 - the bits of its value
// bits 24..31  how far it moves on in the block
// bits 32..39  how far both do
// bits 40..47  the first code and its value
// bits 48..63  the second value
using HuffmanEntry = std::uint64_t;
constexpr unsigned kEndOfBlock = 128;  // position + this: the block ends
constexpr unsigned kNoCode = 192;      // position + this: no such code, or one that baseline data does not have

struct HuffmanTable {
  static constexpr unsigned kBits = 10;  // a look-up; longer codes are searched

  // Makes the table of `counts` codes for each length 1..16 and their `symbols`, or keeps the one there is when it is
  // the same. False where libjpeg refuses it.
  bool make(const std::uint8_t (&counts)[17], const std::uint8_t (&symbols)[256], bool is_dc);

  // `buffer` has the next bits on top.
  HuffmanEntry find(std::uint64_t buffer) const {
    const HuffmanEntry entry = lookup_[buffer >> (64U - kBits)];
    return entry != 0 ? entry : find_long(buffer);
  }

 private:
  HuffmanEntry find_long(std::uint64_t buffer) const;
  void add_second_codes();

  std::array<HuffmanEntry, 1U << kBits> lookup_{};  // 0: longer
  std::array<std::uint32_t, 17> limits_{};          // one past the last code of a length, as the first of 16 bits
  std::array<std::int32_t, 17> offsets_{};          // code of a length + this: its symbol's index
  std::array<std::uint8_t, 17> counts_{};
  std::array<std::uint8_t, 256> symbols_{};
  bool is_dc_ = false;
  bool made_ = false;
};

}  // namespace ptrun::image
