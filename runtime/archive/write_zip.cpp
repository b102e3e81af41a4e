#include "archive/write_zip.h"

#include <zlib.h>

#include <algorithm>
#include <utility>

#include "archive/fail.h"
#include "archive/zip_format.h"

namespace ptrun::archive {
namespace {

using namespace zip_format;

constexpr std::uint16_t kFlagUtf8 = 0x0800;
constexpr std::uint16_t kVersion = 20;
constexpr std::uint16_t kVersion64 = 45;
constexpr std::uint16_t kDate = 0x0021;          // 1980-01-01, so that the same model gives the same bytes
constexpr std::uint16_t kPaddingExtra = 0x4246;  // PyTorch's "FB"
constexpr std::size_t kExtraHeader = 4;
constexpr std::size_t kMaxName = 0xFFFF;
constexpr std::uint64_t kCountIn64 = 0xFFFF;

class Fields {
 public:
  template <typename Number>
  Fields& put(Number value) {
    for (std::size_t i = 0; i < sizeof(Number); ++i) {
      bytes_.push_back(static_cast<char>(static_cast<std::uint64_t>(value) >> (8U * i)));
    }
    return *this;
  }
  Fields& u16(std::uint64_t value) { return put(static_cast<std::uint16_t>(value)); }
  Fields& u32(std::uint64_t value) { return put(static_cast<std::uint32_t>(value)); }
  Fields& u64(std::uint64_t value) { return put(value); }
  Fields& text(std::string_view value) {
    bytes_ += value;
    return *this;
  }
  std::size_t size() const { return bytes_.size(); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

bool is_wide(std::uint64_t value) { return value >= kIn64; }
std::uint64_t narrow(std::uint64_t value) { return std::min<std::uint64_t>(value, kIn64); }

std::uint32_t crc_of(std::uint32_t crc, std::string_view bytes) {
  constexpr std::size_t kPiece = std::size_t{1} << 30U;  // zlib counts in unsigned int
  for (std::size_t at = 0; at < bytes.size(); at += kPiece) {
    const std::string_view piece = bytes.substr(at, kPiece);
    crc = static_cast<std::uint32_t>(
        ::crc32(crc, reinterpret_cast<const Bytef*>(piece.data()), static_cast<uInt>(piece.size())));
  }
  return crc;
}

}  // namespace

ZipWriter::ZipWriter(ByteSink sink, std::size_t alignment, bool check_sums)
    : sink_(std::move(sink)), alignment_(std::max<std::size_t>(alignment, 1)), check_sums_(check_sums) {}

void ZipWriter::put(std::string_view bytes) {
  sink_(bytes);
  offset_ += bytes.size();
}

// Sizes and CRC of a streamed record stand behind its data; its header holds zeros then, as PyTorch writes it.
void ZipWriter::put_header(const Entry& entry) {
  if (open_) fail(ErrorCode::internal, entry.name, "a zip record is begun inside another one");
  if (entry.name.empty() || entry.name.size() > kMaxName) {
    fail(ErrorCode::internal, printable(entry.name), "a zip record's name has ", entry.name.size(), " bytes");
  }
  const bool wide = is_wide(entry.size);
  Fields extra;
  if (wide) extra.u16(kZip64Extra).u16(16).u64(entry.size).u64(entry.size);
  if (alignment_ > 1) {
    const std::uint64_t data = offset_ + kLocalBytes + entry.name.size() + extra.size() + kExtraHeader;
    const std::uint64_t padding = (alignment_ - data % alignment_) % alignment_;
    extra.u16(kPaddingExtra).u16(padding).text(std::string(static_cast<std::size_t>(padding), 'Z'));
  }
  const std::uint64_t size = entry.streamed && !wide ? 0 : narrow(entry.size);
  Fields header;
  header.u32(kLocalSignature).u16(wide ? kVersion64 : kVersion);
  header.u16(kFlagUtf8 | (entry.streamed ? kFlagDescriptor : 0)).u16(kStored).u16(0).u16(kDate);
  header.u32(entry.streamed ? 0 : entry.crc32).u32(size).u32(size);
  header.u16(entry.name.size()).u16(extra.size()).text(entry.name).text(extra.bytes());
  put(header.bytes());
}

void ZipWriter::add(std::string_view name, std::string_view bytes) {
  Entry entry{.name = std::string(name), .header_offset = offset_, .size = bytes.size()};
  if (check_sums_) entry.crc32 = crc_of(0, bytes);
  put_header(entry);
  put(bytes);
  entries_.push_back(std::move(entry));
}

void ZipWriter::begin(std::string_view name, std::uint64_t size) {
  entries_.push_back({.name = std::string(name), .header_offset = offset_, .size = size, .streamed = true});
  put_header(entries_.back());
  written_ = 0;
  open_ = true;
}

void ZipWriter::write(std::string_view bytes) {
  Entry& entry = entries_.back();
  if (!open_ || bytes.size() > entry.size - written_) {
    fail(ErrorCode::internal, entry.name, "more bytes than the ", entry.size, " of its zip record are written");
  }
  written_ += bytes.size();
  if (check_sums_) entry.crc32 = crc_of(entry.crc32, bytes);
  put(bytes);
}

void ZipWriter::end() {
  const Entry& entry = entries_.back();
  if (!open_ || written_ != entry.size) {
    fail(ErrorCode::internal, entry.name, written_, " bytes are written to its zip record, expected ", entry.size);
  }
  open_ = false;
  Fields descriptor;
  descriptor.u32(kDescriptorSignature).u32(entry.crc32);
  if (is_wide(entry.size)) {
    descriptor.u64(entry.size).u64(entry.size);
  } else {
    descriptor.u32(entry.size).u32(entry.size);
  }
  put(descriptor.bytes());
}

void ZipWriter::finish() {
  const std::uint64_t directory = offset_;
  for (const Entry& entry : entries_) {
    Fields wide;
    if (is_wide(entry.size)) wide.u64(entry.size).u64(entry.size);
    if (is_wide(entry.header_offset)) wide.u64(entry.header_offset);
    const std::size_t extra = wide.size() == 0 ? 0 : kExtraHeader + wide.size();
    const std::uint16_t version = wide.size() == 0 ? kVersion : kVersion64;
    Fields header;
    header.u32(kCentralSignature).u16(version).u16(version);
    header.u16(kFlagUtf8 | (entry.streamed ? kFlagDescriptor : 0)).u16(kStored).u16(0).u16(kDate);
    header.u32(entry.crc32).u32(narrow(entry.size)).u32(narrow(entry.size));
    header.u16(entry.name.size()).u16(extra).u16(0).u16(0).u16(0).u32(0).u32(narrow(entry.header_offset));
    header.text(entry.name);
    if (extra != 0) header.u16(kZip64Extra).u16(wide.size()).text(wide.bytes());
    put(header.bytes());
  }
  const std::uint64_t bytes = offset_ - directory;
  const std::uint64_t count = entries_.size();
  Fields end;
  if (count >= kCountIn64 || is_wide(bytes) || is_wide(directory)) {
    end.u32(kEnd64Signature).u64(kEnd64Bytes - 12).u16(kVersion64).u16(kVersion64).u32(0).u32(0);
    end.u64(count).u64(count).u64(bytes).u64(directory);
    end.u32(kLocator64Signature).u32(0).u64(offset_).u32(1);
  }
  const std::uint64_t short_count = std::min(count, kCountIn64);
  end.u32(kEndSignature)
      .u16(0)
      .u16(0)
      .u16(short_count)
      .u16(short_count)
      .u32(narrow(bytes))
      .u32(narrow(directory))
      .u16(0);
  put(end.bytes());
}

}  // namespace ptrun::archive
