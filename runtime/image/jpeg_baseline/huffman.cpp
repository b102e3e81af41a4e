#include "image/jpeg_baseline/huffman.h"

#include <algorithm>
#include <cstring>

namespace ptrun::image {
namespace {

constexpr unsigned kLongest = 16;
constexpr unsigned kDcValueBits = 11;
constexpr unsigned kAcValueBits = 10;

HuffmanEntry entry_of(unsigned symbol, unsigned length, bool is_dc) {
  const unsigned run = symbol >> 4U;
  const unsigned size = symbol & 15U;
  unsigned moves = 0;
  if (is_dc)
    moves = symbol <= kDcValueBits ? 0 : kNoCode;
  else if (size > 0)
    moves = size <= kAcValueBits ? run + 1 : kNoCode;
  else
    moves = run == 0 ? kEndOfBlock : run == 15 ? 16 : kNoCode;
  const unsigned used = moves == kNoCode ? 0 : size;
  const HuffmanEntry all = length + used;
  const HuffmanEntry moved = moves;
  return all | length << 8U | (63U - used) << 16U | moved << 24U | moved << 32U | all << 40U;
}

}  // namespace

bool HuffmanTable::make(const std::uint8_t (&counts)[17], const std::uint8_t (&symbols)[256], bool is_dc) {
  if (made_ && is_dc == is_dc_ && std::memcmp(counts_.data() + 1, counts + 1, kLongest) == 0 &&
      std::memcmp(symbols_.data(), symbols, symbols_.size()) == 0)
    return true;
  made_ = false;
  std::copy(std::begin(counts), std::end(counts), counts_.begin());
  std::copy(std::begin(symbols), std::end(symbols), symbols_.begin());
  is_dc_ = is_dc;
  lookup_.fill(0);
  limits_.fill(0);
  offsets_.fill(0);
  std::uint32_t code = 0;
  std::size_t index = 0;
  for (unsigned length = 1; length <= kLongest; ++length, code <<= 1U) {
    const std::uint32_t count = counts_[length];
    // No code is all ones, and there are no more of them than a tree has leaves.
    if (index + count > symbols_.size() || (count > 0 && code + count >= 1U << length)) return false;
    offsets_[length] = static_cast<std::int32_t>(index) - static_cast<std::int32_t>(code);
    for (std::uint32_t i = 0; i < count; ++i, ++code, ++index) {
      const unsigned symbol = symbols_[index];
      if (is_dc && symbol > 15) return false;
      if (length > kBits) continue;
      const unsigned free = kBits - length;
      std::fill_n(lookup_.begin() + static_cast<std::ptrdiff_t>(code << free), std::size_t{1} << free,
                  entry_of(symbol, length, is_dc));
    }
    limits_[length] = code << (kLongest - length);
  }
  if (!is_dc) add_second_codes();
  made_ = true;
  return true;
}

// A third of all steps through the scans of photographs.
void HuffmanTable::add_second_codes() {
  const auto single = lookup_;
  for (std::size_t bits = 0; bits < lookup_.size(); ++bits) {
    const HuffmanEntry first = single[bits];
    const auto used = static_cast<unsigned>(first & 63U);
    if (first == 0 || used >= kBits || (first >> 24U & 255U) >= kEndOfBlock) continue;
    const std::size_t rest = bits << used & (single.size() - 1);
    const HuffmanEntry second = single[rest];
    const auto all = used + static_cast<unsigned>(second & 63U);
    const HuffmanEntry moves = second >> 24U & 255U;
    if (second == 0 || all > kBits || moves == kNoCode) continue;
    const auto size = static_cast<unsigned>(63U - (second >> 16U & 63U));
    auto value = static_cast<int>(bits >> (kBits - all) & ((1U << size) - 1));
    if (size > 0 && value >> (size - 1) == 0) value -= (1 << size) - 1;
    lookup_[bits] = (first & ~(HuffmanEntry{255} | HuffmanEntry{255} << 32U)) | all |
                    ((first >> 24U & 255U) + moves) << 32U | HuffmanEntry{static_cast<std::uint16_t>(value)} << 48U;
  }
}

HuffmanEntry HuffmanTable::find_long(std::uint64_t buffer) const {
  const auto bits = static_cast<std::uint32_t>(buffer >> 48U);
  for (unsigned length = kBits + 1; length <= kLongest; ++length) {
    if (bits >= limits_[length]) continue;
    const auto code = static_cast<std::int32_t>(bits >> (kLongest - length));
    // Codes of a length begin where those of the one before end, so the index is one of a symbol that was counted.
    return entry_of(symbols_[static_cast<std::size_t>(code + offsets_[length]) & 255U], length, is_dc_);
  }
  return HuffmanEntry{1U | 1U << 8U | 63U << 16U | kNoCode << 24U} | HuffmanEntry{kNoCode} << 32U |
         HuffmanEntry{1} << 40U;
}

}  // namespace ptrun::image
