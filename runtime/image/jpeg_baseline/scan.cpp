#include "image/jpeg_baseline/scan.h"

#include <algorithm>
#include <bit>

namespace ptrun::image {
namespace {

static_assert(std::endian::native == std::endian::little, "the first byte of a word is its lowest one");

constexpr std::size_t kWord = sizeof(std::uint64_t);

// The first byte that is FF, from the lowest one on; kWord: none.
std::size_t first_ff(std::uint64_t word) {
  const std::uint64_t zero = ~word;
  const std::uint64_t found = (zero - 0x0101010101010101U) & ~zero & 0x8080808080808080U;
  return found == 0 ? kWord : static_cast<std::size_t>(std::countr_zero(found)) / 8;
}

}  // namespace

void ScanReader::begin(std::string_view bytes) {
  // Behind the window, zeros that an MCU may read, so that no code need look where the bytes end.
  window_.resize(kWindow + kMcuBytes + 8 * kWord);
  from_ = reinterpret_cast<const std::uint8_t*>(bytes.data());
  end_ = from_ + bytes.size();
  restarts_ = 0;
  begin_segment();
}

void ScanReader::begin_segment() {
  bits = {};
  bits.next = window_end_ = window_.data();
  predicted.fill(0);
  complete_ = false;
  marker_ = 0;
  more();
}

bool ScanReader::more() {
  if (complete_ || bits.next > window_end_) return false;
  std::uint8_t* to = window_.data();
  const auto kept = static_cast<std::size_t>(window_end_ - bits.next);
  std::memmove(to, bits.next, kept);
  bits.next = to;
  to += kept;
  std::uint8_t* const full = window_.data() + kWindow;
  while (to < full) {
    if (static_cast<std::size_t>(end_ - from_) >= kWord) {
      std::uint64_t word = 0;
      std::memcpy(&word, from_, kWord);
      std::memcpy(to, &word, kWord);  // there is room for a word behind `full`
      const std::size_t plain = first_ff(word);
      from_ += plain;
      to += plain;
      if (plain == kWord) continue;
    } else if (from_ == end_) {
      complete_ = true;
      break;
    } else if (*from_ != 0xFF) {
      *to++ = *from_++;
      continue;
    }
    // FF: 00 follows, or a marker, before which there may be more of them.
    const std::uint8_t* code = from_ + 1;
    while (code < end_ && *code == 0xFF) ++code;
    const unsigned marker = code < end_ ? *code : 0U;
    if (marker != 0 || code > from_ + 1 || code == end_) {
      complete_ = true;
      marker_ = marker;
      from_ = code - 1;
      break;
    }
    *to++ = 0xFF;
    from_ += 2;
  }
  window_end_ = to;
  if (complete_) {
    std::memset(to, 0, static_cast<std::size_t>(window_.data() + window_.size() - to));
    limit = window_end_ + kWord;
  } else {
    limit = window_end_ - kMcuBytes;
  }
  return true;
}

bool ScanReader::used_up() {
  if (!complete_) more();
  return complete_ && left() >= 0 && left() < 8;
}

bool ScanReader::restart() {
  if (!used_up() || marker_ != 0xD0 + restarts_) return false;
  restarts_ = (restarts_ + 1) % 8;
  from_ += 2;
  begin_segment();
  return true;
}

}  // namespace ptrun::image
