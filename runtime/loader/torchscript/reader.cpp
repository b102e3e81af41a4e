#include "loader/torchscript/reader.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "archive/fail.h"

namespace ptrun::torchscript {
namespace {

constexpr std::string_view kTop = "archive/";
constexpr std::uint64_t kInMemory = 16 * 1024;       // records up to this size are kept; larger ones stay in the file
constexpr std::uint64_t kMaxInflated = 1ULL << 40U;  // the archive's own limits are tighter
// "See the zip64 field" (APPNOTE 6.3, 4.5.3): every size is written there, so that no record needs a case of its own.
constexpr std::uint32_t kIn64 = 0xFFFFFFFFU;

template <typename Integer>
void put(std::string& bytes, Integer value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    bytes.push_back(static_cast<char>((static_cast<std::uint64_t>(value) >> (8U * i)) & 0xFFU));
  }
}

std::uint32_t crc_of(const void* data, std::size_t count) {
  return static_cast<std::uint32_t>(crc32_z(0, static_cast<const unsigned char*>(data), count));
}

// Records that torch::jit::load reads. Everything else, named in any way, stays behind.
bool is_needed(std::string_view name) {
  const auto begins = [&](std::string_view prefix) { return name.substr(0, prefix.size()) == prefix; };
  const bool code = begins("code/") && name.size() > 3 && name.substr(name.size() - 3) == ".py";
  return code || name == "data.pkl" || name == "constants.pkl" || name == "version" || name == ".data/version" ||
         begins("data/") || begins("constants/");
}

}  // namespace

ScriptReader::ScriptReader(const ScriptArchive& archive) : zip_(archive.zip) {
  for (const archive::ZipEntry& entry : zip_->entries()) {
    const std::string_view name = zip_->short_name(entry);
    if (!is_needed(name)) continue;
    const bool keep = entry.deflated || entry.size <= kInMemory;
    std::string bytes;
    // The very text that was checked.
    const auto code = std::find_if(archive.code.begin(), archive.code.end(),
                                   [&](const CodeFile& file) { return file.record == name; });
    if (code != archive.code.end()) {
      bytes = code->text;
    } else if (keep) {
      bytes = zip_->read(entry, kMaxInflated);
    }
    add_record(std::string(kTop).append(name), &entry, std::move(bytes));
  }
  add_directory();
}

void ScriptReader::add_bytes(std::string bytes) {
  Piece piece;
  piece.begin = size_;
  piece.size = bytes.size();
  piece.bytes = std::move(bytes);
  piece.verified = true;
  size_ += piece.size;
  if (piece.size != 0) pieces_.push_back(std::move(piece));
}

// Local header, then the bytes as they are.
void ScriptReader::add_record(const std::string& name, const archive::ZipEntry* entry, std::string bytes) {
  const bool kept = entry->deflated || entry->size <= kInMemory || !bytes.empty();
  listed_.push_back({name, entry->size, entry->crc32, size_});
  std::string header("PK\x03\x04", 4);
  put<std::uint16_t>(header, 45);  // version needed: zip64
  put<std::uint16_t>(header, 0);
  put<std::uint16_t>(header, 0);  // stored
  put<std::uint32_t>(header, 0);  // time
  put<std::uint32_t>(header, entry->crc32);
  put<std::uint32_t>(header, kIn64);
  put<std::uint32_t>(header, kIn64);
  put<std::uint16_t>(header, static_cast<std::uint16_t>(name.size()));
  put<std::uint16_t>(header, 20);
  header += name;
  put<std::uint16_t>(header, 1);  // zip64: size, stored size
  put<std::uint16_t>(header, 16);
  put<std::uint64_t>(header, entry->size);
  put<std::uint64_t>(header, entry->size);
  add_bytes(std::move(header));
  if (kept) {
    add_bytes(std::move(bytes));
    return;
  }
  Piece piece;
  piece.begin = size_;
  piece.size = entry->size;
  piece.entry = entry;
  size_ += piece.size;
  pieces_.push_back(std::move(piece));
}

void ScriptReader::add_directory() {
  const std::uint64_t begin = size_;
  std::string directory;
  for (const Listed& record : listed_) {
    directory.append("PK\x01\x02", 4);
    put<std::uint16_t>(directory, 45);
    put<std::uint16_t>(directory, 45);
    put<std::uint16_t>(directory, 0);
    put<std::uint16_t>(directory, 0);
    put<std::uint32_t>(directory, 0);
    put<std::uint32_t>(directory, record.crc32);
    put<std::uint32_t>(directory, kIn64);
    put<std::uint32_t>(directory, kIn64);
    put<std::uint16_t>(directory, static_cast<std::uint16_t>(record.name.size()));
    put<std::uint16_t>(directory, 28);
    put<std::uint16_t>(directory, 0);
    put<std::uint16_t>(directory, 0);
    put<std::uint16_t>(directory, 0);
    put<std::uint32_t>(directory, 0);
    put<std::uint32_t>(directory, kIn64);
    directory += record.name;
    put<std::uint16_t>(directory, 1);  // zip64: size, stored size, offset
    put<std::uint16_t>(directory, 24);
    put<std::uint64_t>(directory, record.size);
    put<std::uint64_t>(directory, record.size);
    put<std::uint64_t>(directory, record.header_offset);
  }
  const std::uint64_t end64 = begin + directory.size();
  const std::uint64_t bytes = directory.size();
  directory.append("PK\x06\x06", 4);
  put<std::uint64_t>(directory, 44);
  put<std::uint16_t>(directory, 45);
  put<std::uint16_t>(directory, 45);
  put<std::uint32_t>(directory, 0);
  put<std::uint32_t>(directory, 0);
  put<std::uint64_t>(directory, listed_.size());
  put<std::uint64_t>(directory, listed_.size());
  put<std::uint64_t>(directory, bytes);
  put<std::uint64_t>(directory, begin);
  directory.append("PK\x06\x07", 4);
  put<std::uint32_t>(directory, 0);
  put<std::uint64_t>(directory, end64);
  put<std::uint32_t>(directory, 1);
  directory.append("PK\x05\x06", 4);
  put<std::uint32_t>(directory, 0);
  put<std::uint16_t>(directory, 0xFFFF);
  put<std::uint16_t>(directory, 0xFFFF);
  put<std::uint32_t>(directory, kIn64);
  put<std::uint32_t>(directory, kIn64);
  put<std::uint16_t>(directory, 0);
  add_bytes(std::move(directory));
}

void ScriptReader::read_piece(Piece& piece, std::uint64_t offset, char* to, std::size_t count) const {
  if (piece.entry == nullptr) {
    std::memcpy(to, piece.bytes.data() + offset, count);
    return;
  }
  const archive::ZipEntry& entry = *piece.entry;
  zip_->source().read(entry.data_offset + offset, to, count);
  if (count != piece.size) return;
  if (entry.crc32 != 0 && crc_of(to, count) != entry.crc32) {
    archive::fail_bad(zip_->source().name(), "record ", archive::in_quotes(zip_->short_name(entry)),
                      " does not match its CRC-32; the file is damaged, download or save it again");
  }
  piece.verified = true;
}

std::size_t ScriptReader::read(std::uint64_t position, void* buffer, std::size_t count, const char* /*what*/) const {
  if (failure_ != nullptr || position >= size_) return 0;
  count = static_cast<std::size_t>(std::min<std::uint64_t>(count, size_ - position));
  auto piece = std::upper_bound(pieces_.begin(), pieces_.end(), position,
                                [](std::uint64_t at, const Piece& other) { return at < other.begin; });
  --piece;
  std::size_t done = 0;
  try {
    for (; done < count; ++piece) {
      const std::uint64_t offset = position + done - piece->begin;
      const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(count - done, piece->size - offset));
      read_piece(*piece, offset, static_cast<char*>(buffer) + done, part);
      done += part;
    }
  } catch (...) {
    failure_ = std::current_exception();
    return 0;
  }
  return done;
}

void ScriptReader::rethrow_failure() const {
  if (failure_ != nullptr) std::rethrow_exception(failure_);
}

void ScriptReader::verify_rest() const {
  for (Piece& piece : pieces_) {
    if (!piece.verified) zip_->verify(*piece.entry);
    piece.verified = true;
  }
}

}  // namespace ptrun::torchscript
