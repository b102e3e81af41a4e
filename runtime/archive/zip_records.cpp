// Finding and reading the records of an archive whose directory zip.cpp has checked.
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "archive/fail.h"
#include "archive/zip.h"

namespace ptrun::archive {
namespace {

constexpr std::size_t kChunk = 256U << 10U;  // bytes; stays in the second-level cache between read and CRC

struct InflateEnd {
  void operator()(z_stream* stream) const { inflateEnd(stream); }
};

std::string hex(std::uint32_t value) {
  std::string text(8, '0');
  for (std::size_t i = 8; i-- > 0; value >>= 4U) text[i] = "0123456789abcdef"[value & 15U];
  return text;
}

}  // namespace

std::string_view ZipArchive::short_name(const ZipEntry& entry) const {
  return top_folder_.empty() ? std::string_view(entry.name)
                             : std::string_view(entry.name).substr(top_folder_.size() + 1);
}

const ZipEntry* ZipArchive::find(std::string_view name) const {
  const auto found = index_.find(top_folder_.empty() ? std::string(name) : text_of(top_folder_, '/', name));
  return found == index_.end() ? nullptr : &entries_[found->second];
}

const ZipEntry& ZipArchive::require(std::string_view name) const {
  if (const ZipEntry* entry = find(name)) return *entry;
  fail_bad(source_->name(), "record ", in_quotes(name), " is missing; the file is damaged, save or download it again");
}

bool ZipArchive::has_prefix(std::string_view prefix) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const ZipEntry& entry) { return short_name(entry).substr(0, prefix.size()) == prefix; });
}

void ZipArchive::check_crc(const ZipEntry& entry, std::uint32_t crc) const {
  if (entry.crc32 == 0 || crc == entry.crc32) return;
  fail_bad(source_->name(), "record ", in_quotes(entry.name), " has CRC-32 ", hex(crc), ", expected ", hex(entry.crc32),
           "; the file is damaged, download or copy it again");
}

// Gives the record's bytes to sink(bytes, count) piece by piece, then compares length and CRC.
template <typename Sink>
void ZipArchive::stream(const ZipEntry& entry, Sink&& sink) const {
  uLong crc = crc32_z(0, nullptr, 0);
  const auto deliver = [&](const char* bytes, std::size_t count) {
    crc = crc32_z(crc, reinterpret_cast<const Bytef*>(bytes), count);
    sink(bytes, count);
  };
  const auto buffer_size = static_cast<std::size_t>(std::min<std::uint64_t>(entry.stored_size, kChunk));
  std::unique_ptr<char[]> input(new char[buffer_size + 1]);
  std::uint64_t at = entry.data_offset;
  std::uint64_t left = entry.stored_size;
  const auto next_input = [&] {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer_size));
    source_->read(at, input.get(), count);
    at += count;
    left -= count;
    return count;
  };
  if (!entry.deflated) {
    while (left > 0) deliver(input.get(), next_input());
  } else {
    const auto damaged = [&](const char* what) {
      fail_bad(source_->name(), "record ", in_quotes(entry.name), " cannot be inflated: ", what, ", expected ",
               entry.size, " bytes; the file is damaged, download it again");
    };
    z_stream state = {};
    // Raw deflate: the sizes and the CRC stand in the directory.
    if (inflateInit2(&state, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
    const std::unique_ptr<z_stream, InflateEnd> guard(&state);
    std::unique_ptr<char[]> output(new char[kChunk]);
    std::uint64_t total = 0;
    int result = Z_OK;
    while (result != Z_STREAM_END) {
      if (state.avail_in == 0 && left > 0) {
        state.avail_in = static_cast<uInt>(next_input());
        state.next_in = reinterpret_cast<Bytef*>(input.get());
      }
      state.next_out = reinterpret_cast<Bytef*>(output.get());
      state.avail_out = static_cast<uInt>(kChunk);
      result = inflate(&state, Z_NO_FLUSH);
      // No input is left and zlib holds no more output back.
      if (result == Z_BUF_ERROR) damaged("its data breaks off");
      if (result != Z_OK && result != Z_STREAM_END) damaged(state.msg != nullptr ? state.msg : "bad data");
      const std::size_t made = kChunk - state.avail_out;
      total += made;
      if (total > entry.size) damaged("it holds more");
      if (made > 0) deliver(output.get(), made);
    }
    if (total != entry.size) damaged("it holds less");
    if (left != 0 || state.avail_in != 0) damaged("bytes follow its data");
  }
  check_crc(entry, static_cast<std::uint32_t>(crc));
}

void ZipArchive::read_into(const ZipEntry& entry, void* to) const {
  auto* out = static_cast<char*>(to);
  if (entry.deflated) {
    stream(entry, [&](const char* bytes, std::size_t count) {
      std::memcpy(out, bytes, count);
      out += count;
    });
    return;
  }
  // Stored records are the weights: straight to their place, the CRC while a piece is in the cache.
  uLong crc = crc32_z(0, nullptr, 0);
  for (std::uint64_t done = 0; done < entry.size;) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(entry.size - done, kChunk));
    source_->read(entry.data_offset + done, out + done, count);
    if (entry.crc32 != 0) crc = crc32_z(crc, reinterpret_cast<const Bytef*>(out + done), count);
    done += count;
  }
  check_crc(entry, static_cast<std::uint32_t>(crc));
}

void ZipArchive::verify(const ZipEntry& entry) const {
  stream(entry, [](const char*, std::size_t) {});
}

std::string ZipArchive::read(const ZipEntry& entry, std::uint64_t limit) const {
  if (entry.size > limit) {
    fail_limit(source_->name(), "record ", in_quotes(entry.name), " has ", entry.size, " bytes, the limit is ", limit);
  }
  std::string bytes(static_cast<std::size_t>(entry.size), '\0');
  read_into(entry, bytes.data());
  return bytes;
}

}  // namespace ptrun::archive
