#include "archive/zip.h"

#include <algorithm>
#include <utility>

#include "archive/fail.h"
#include "archive/zip_format.h"

namespace ptrun::archive {
namespace {

using namespace zip_format;

constexpr const char* kDamaged = "; the file is damaged, download or save it again";
constexpr const char* kHostile = "; no PyTorch version writes this, refuse the file or ask who made it";

struct Directory {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::uint64_t count = 0;
};

// Position of the end record in `tail` whose comment reaches to the end, searched from the end; npos when none.
std::size_t find_end(std::string_view tail) {
  if (tail.size() < kEndBytes) return std::string_view::npos;
  for (std::size_t at = tail.size() - kEndBytes + 1; at-- > 0;) {
    if (u32(tail, at) == kEndSignature && at + kEndBytes + u16(tail, at + 20) == tail.size()) return at;
  }
  return std::string_view::npos;
}

std::string read_tail(const ByteSource& source) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(source.size(), kEndBytes + kMaxComment));
  return source.read_string(source.size() - count, count);
}

[[noreturn]] void refuse_missing_end(const ByteSource& source, std::string_view tail) {
  const std::string signature{'P', 'K', '\5', '\6'};
  const std::size_t at = tail.rfind(signature);
  if (at != std::string_view::npos && tail.size() - at >= kEndBytes) {
    fail_bad(source.name(), "other bytes follow the end of the zip archive, expected none", kHostile);
  }
  fail_bad(source.name(), "begins as a zip archive but its directory at the end is missing, the file of ",
           source.size(), " bytes is truncated; download or save it again");
}

Directory read_directory64(const ByteSource& source, std::uint64_t end_at, std::uint64_t& end64_at) {
  const std::string locator = source.read_string(end_at - kLocator64Bytes, kLocator64Bytes);
  end64_at = u64(locator, 8);
  if (u32(locator, 16) > 1) fail_bad(source.name(), "the zip archive is one part of several, expected a whole one");
  const std::uint64_t locator_at = end_at - kLocator64Bytes;
  if (end64_at > locator_at || locator_at - end64_at < kEnd64Bytes) {
    fail_bad(source.name(), "the zip64 end record is at byte ", end64_at, ", expected before byte ", locator_at,
             kDamaged);
  }
  const std::string record = source.read_string(end64_at, kEnd64Bytes);
  std::uint64_t record_end = 0;
  const bool there =
      u32(record, 0) == kEnd64Signature && add(end64_at + 12, u64(record, 4), record_end) && record_end == locator_at;
  if (!there) {
    const std::uint64_t usual_at = locator_at < kEnd64Bytes ? 0 : locator_at - kEnd64Bytes;
    if (usual_at > end64_at && u32(source.read_string(usual_at, 4), 0) == kEnd64Signature) {
      fail_bad(source.name(), usual_at - end64_at, " bytes stand in front of the zip archive, expected none", kHostile);
    }
    fail_bad(source.name(), "no zip64 end record at byte ", end64_at, " where the archive says it is", kDamaged);
  }
  if (u32(record, 16) != 0 || u32(record, 20) != 0 || u64(record, 24) != u64(record, 32)) {
    fail_bad(source.name(), "the zip archive is one part of several, expected a whole one");
  }
  return {.offset = u64(record, 48), .bytes = u64(record, 40), .count = u64(record, 32)};
}

Directory read_directory(const ByteSource& source, const Limits& limits) {
  const std::string tail = read_tail(source);
  const std::size_t at = find_end(tail);
  if (at == std::string::npos) refuse_missing_end(source, tail);
  const std::uint64_t end_at = source.size() - tail.size() + at;
  const std::string_view end = std::string_view(tail).substr(at, kEndBytes);
  if (u16(end, 4) != u16(end, 6) || u16(end, 8) != u16(end, 10)) {
    fail_bad(source.name(), "the zip archive is one part of several, expected a whole one");
  }
  Directory directory{.offset = u32(end, 16), .bytes = u32(end, 12), .count = u16(end, 10)};
  std::uint64_t directory_end = end_at;
  const bool wants64 = u16(end, 10) == 0xFFFF || u32(end, 12) == kIn64 || u32(end, 16) == kIn64;
  const bool has64 =
      end_at >= kLocator64Bytes && u32(source.read_string(end_at - kLocator64Bytes, 4), 0) == kLocator64Signature;
  if (has64) {
    const Directory wide = read_directory64(source, end_at, directory_end);
    const auto differs = [](std::uint64_t narrow, std::uint64_t narrow_max, std::uint64_t full) {
      return narrow != narrow_max && narrow != full;
    };
    if (differs(directory.count, 0xFFFF, wide.count) || differs(directory.bytes, kIn64, wide.bytes) ||
        differs(directory.offset, kIn64, wide.offset)) {
      fail_bad(source.name(), "the zip64 and the classic end record disagree", kHostile);
    }
    directory = wide;
  } else if (wants64) {
    fail_bad(source.name(), "the zip64 end record is missing", kDamaged);
  }
  if (directory.count == 0) fail_bad(source.name(), "the zip archive has no entries, expected a model");
  if (directory.count > limits.zip_entries) {
    fail_limit(source.name(), "the zip archive has ", directory.count, " entries, the limit is ", limits.zip_entries);
  }
  std::uint64_t sum = 0;
  if (!add(directory.offset, directory.bytes, sum) || sum > directory_end) {
    fail_bad(source.name(), "the zip directory (", directory.bytes, " bytes at byte ", directory.offset,
             ") is outside the file, it has to end at byte ", directory_end, kDamaged);
  }
  if (sum < directory_end) {
    fail_bad(source.name(), directory_end - sum, " bytes stand in front of the zip archive, expected none", kHostile);
  }
  if (directory.bytes / kCentralBytes < directory.count) {
    fail_bad(source.name(), "the zip directory of ", directory.bytes, " bytes cannot hold the ", directory.count,
             " entries it claims", kDamaged);
  }
  return directory;
}

void check_name(const ByteSource& source, const std::string& name, const Limits& limits) {
  const auto refuse = [&](const char* what) {
    fail_bad(source.name(), "record name ", in_quotes(name), " ", what, ", expected a plain relative path", kHostile);
  };
  if (name.empty()) refuse("is empty");
  if (name.size() > limits.entry_name_bytes) {
    fail_limit(source.name(), "record name ", in_quotes(name), " has ", name.size(), " bytes, the limit is ",
               limits.entry_name_bytes);
  }
  if (name.find('\0') != std::string::npos) refuse("holds a NUL byte");
  if (name.find('\\') != std::string::npos) refuse("holds a backslash");
  if (name.front() == '/') refuse("is absolute");
  if (name.size() > 1 && name[1] == ':') refuse("begins with a drive letter");
  std::size_t begin = 0;
  while (begin <= name.size()) {
    const std::size_t slash = std::min(name.find('/', begin), name.size());
    const std::string_view part = std::string_view(name).substr(begin, slash - begin);
    if (part == "..") refuse("leads out of its folder with '..'");
    if (part == ".") refuse("has a '.' component");
    if (part.empty() && slash != name.size()) refuse("has an empty component");
    begin = slash + 1;
  }
}

// Fills the fields whose 32-bit form says "see the zip64 extra". Order in the extra: size, stored size, offset.
void apply_zip64(const ByteSource& source, std::string_view extra, ZipEntry& entry) {
  const bool wide_size = entry.size == kIn64;
  const bool wide_stored = entry.stored_size == kIn64;
  const bool wide_offset = entry.header_offset == kIn64;
  std::size_t at = 0;
  while (extra.size() - at >= 4) {
    const std::uint16_t id = u16(extra, at);
    const std::size_t length = u16(extra, at + 2);
    at += 4;
    if (length > extra.size() - at) break;  // some writers pad the extra field with odd bytes
    if (id == kZip64Extra) {
      std::string_view field = extra.substr(at, length);
      const auto take = [&](std::uint64_t& value) {
        if (field.size() < 8) {
          fail_bad(source.name(), "record ", in_quotes(entry.name), " has a zip64 field that is too short", kDamaged);
        }
        value = u64(field, 0);
        field.remove_prefix(8);
      };
      if (wide_size) take(entry.size);
      if (wide_stored) take(entry.stored_size);
      if (wide_offset) take(entry.header_offset);
      return;
    }
    at += length;
  }
  if (wide_size || wide_stored || wide_offset) {
    fail_bad(source.name(), "record ", in_quotes(entry.name), " refers to a zip64 field that it lacks", kDamaged);
  }
}

struct RawEntry {
  ZipEntry entry;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
};

void check_entry(const ByteSource& source, const RawEntry& raw, const Limits& limits) {
  const ZipEntry& entry = raw.entry;
  if ((raw.flags & (kFlagEncrypted | kFlagStrongEncryption | kFlagHiddenHeaders)) != 0) {
    fail(ErrorCode::unsupported, source.name(), "record ", in_quotes(entry.name),
         " is encrypted, expected plain records; save the model without a password");
  }
  if ((raw.flags & kFlagPatch) != 0) {
    fail(ErrorCode::unsupported, source.name(), "record ", in_quotes(entry.name),
         " is marked as patch data (flag bit 5), which no PyTorch version writes; refuse the file or ask who made it");
  }
  if (raw.method != kStored && raw.method != kDeflated) {
    fail(ErrorCode::unsupported, source.name(), "record ", in_quotes(entry.name), " is compressed with method ",
         raw.method, ", expected 0 (stored) or 8 (deflate); save the model again with torch.save");
  }
  if (raw.method == kStored && entry.size != entry.stored_size) {
    fail_bad(source.name(), "record ", in_quotes(entry.name), " is stored uncompressed but claims ", entry.size,
             " bytes for ", entry.stored_size, " in the file", kDamaged);
  }
  constexpr std::uint64_t kRatioFrom = 1ULL << 20U;
  if (entry.size > kRatioFrom && entry.size / limits.inflate_ratio > entry.stored_size) {
    fail_limit(source.name(), "record ", in_quotes(entry.name), " inflates ", entry.stored_size, " bytes to ",
               entry.size, ", more than the limit of ", limits.inflate_ratio, " to 1");
  }
}

// The local header has to say what the directory says: readers that look at one or the other must agree.
void check_local(const ByteSource& source, const Directory& directory, RawEntry& raw) {
  ZipEntry& entry = raw.entry;
  const auto outside = [&] {
    fail_bad(source.name(), "record ", in_quotes(entry.name), " (", entry.stored_size, " bytes at byte ",
             entry.header_offset, ") reaches past byte ", directory.offset, " where the directory begins", kDamaged);
  };
  if (entry.header_offset > directory.offset || directory.offset - entry.header_offset < kLocalBytes) outside();
  // Header and name in one read; nearly every name fits.
  const auto chunk = static_cast<std::size_t>(
      std::min<std::uint64_t>(kLocalBytes + entry.name.size(), directory.offset - entry.header_offset));
  const std::string local = source.read_string(entry.header_offset, chunk);
  if (u32(local, 0) != kLocalSignature) {
    fail_bad(source.name(), "no record begins at byte ", entry.header_offset, " where the directory places ",
             in_quotes(entry.name), kDamaged);
  }
  const std::size_t name_bytes = u16(local, 26);
  const std::size_t extra_bytes = u16(local, 28);
  if (name_bytes != entry.name.size() || std::string_view(local).substr(kLocalBytes) != entry.name) {
    fail_bad(source.name(), "the directory names a record ", in_quotes(entry.name), " but the record itself is ",
             in_quotes(std::string_view(local).substr(kLocalBytes, name_bytes)), kHostile);
  }
  if (u16(local, 8) != raw.method || ((u16(local, 6) ^ raw.flags) & kFlagEncrypted) != 0) {
    fail_bad(source.name(), "record ", in_quotes(entry.name),
             " has another compression or encryption than the directory ", "says", kHostile);
  }
  if ((u16(local, 6) & kFlagDescriptor) == 0) {
    const auto differs = [](std::uint32_t field, std::uint64_t full) { return field != kIn64 && field != full; };
    if (u32(local, 14) != entry.crc32 || differs(u32(local, 18), entry.stored_size) ||
        differs(u32(local, 22), entry.size)) {
      fail_bad(source.name(), "record ", in_quotes(entry.name), " has another size or CRC than the directory says",
               kHostile);
    }
  }
  entry.data_offset = entry.header_offset + kLocalBytes + name_bytes + extra_bytes;
  if (entry.data_offset > directory.offset || entry.stored_size > directory.offset - entry.data_offset) outside();
}

RawEntry parse_entry(const ByteSource& source, std::string_view central, std::size_t& at, const Limits& limits) {
  if (central.size() - at < kCentralBytes || u32(central, at) != kCentralSignature) {
    fail_bad(source.name(), "the zip directory breaks off at its byte ", at, " of ", central.size(), kDamaged);
  }
  const std::string_view header = central.substr(at, kCentralBytes);
  const std::size_t name_bytes = u16(header, 28);
  const std::size_t extra_bytes = u16(header, 30);
  const std::size_t comment_bytes = u16(header, 32);
  at += kCentralBytes;
  if (name_bytes + extra_bytes + comment_bytes > central.size() - at) {
    fail_bad(source.name(), "the zip directory breaks off inside an entry", kDamaged);
  }
  RawEntry raw;
  raw.flags = u16(header, 8);
  raw.method = u16(header, 10);
  raw.entry.name = central.substr(at, name_bytes);
  raw.entry.crc32 = u32(header, 16);
  raw.entry.stored_size = u32(header, 20);
  raw.entry.size = u32(header, 24);
  raw.entry.header_offset = u32(header, 42);
  raw.entry.deflated = raw.method == kDeflated;
  check_name(source, raw.entry.name, limits);
  apply_zip64(source, central.substr(at + name_bytes, extra_bytes), raw.entry);
  at += name_bytes + extra_bytes + comment_bytes;
  check_entry(source, raw, limits);
  return raw;
}

// Records have to follow one another without sharing bytes, the first one at the first byte of the file.
void check_overlaps(const ByteSource& source, const std::vector<ZipEntry>& entries) {
  std::vector<const ZipEntry*> order;
  order.reserve(entries.size());
  for (const ZipEntry& entry : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(),
            [](const ZipEntry* a, const ZipEntry* b) { return a->header_offset < b->header_offset; });
  if (order.front()->header_offset != 0) {
    fail_bad(source.name(), order.front()->header_offset, " bytes stand in front of the first record, expected none",
             kHostile);
  }
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (order[i - 1]->data_offset + order[i - 1]->stored_size > order[i]->header_offset) {
      fail_bad(source.name(), "records ", in_quotes(order[i - 1]->name), " and ", in_quotes(order[i]->name),
               " share the same bytes", kHostile);
    }
  }
}

std::string common_folder(const std::vector<ZipEntry>& entries) {
  const std::size_t slash = entries.front().name.find('/');
  if (slash == std::string::npos) return {};
  const std::string folder = entries.front().name.substr(0, slash + 1);
  const bool shared = std::all_of(entries.begin(), entries.end(),
                                  [&](const ZipEntry& entry) { return entry.name.compare(0, slash + 1, folder) == 0; });
  return shared ? folder.substr(0, slash) : std::string();
}

}  // namespace

bool ends_as_zip(const ByteSource& source) { return find_end(read_tail(source)) != std::string::npos; }

std::shared_ptr<const ZipArchive> ZipArchive::open(std::shared_ptr<const ByteSource> source, const Limits& limits) {
  const Directory directory = read_directory(*source, limits);
  const std::string central = source->read_string(directory.offset, static_cast<std::size_t>(directory.bytes));
  std::shared_ptr<ZipArchive> archive(new ZipArchive);
  archive->limits_ = limits;
  std::vector<ZipEntry> all;
  all.reserve(static_cast<std::size_t>(directory.count));
  std::size_t at = 0;
  for (std::uint64_t i = 0; i < directory.count; ++i) {
    RawEntry raw = parse_entry(*source, central, at, limits);
    check_local(*source, directory, raw);
    all.push_back(std::move(raw.entry));
  }
  if (at != central.size()) {
    fail_bad(source->name(), "the zip directory has ", central.size() - at, " bytes more than its entries", kHostile);
  }
  check_overlaps(*source, all);
  for (ZipEntry& entry : all) {
    if (entry.name.back() == '/') {
      if (entry.size != 0) fail_bad(source->name(), "folder ", in_quotes(entry.name), " holds bytes", kHostile);
      continue;
    }
    const auto [known, fresh] = archive->index_.emplace(entry.name, archive->entries_.size());
    if (!fresh) {
      fail_bad(source->name(), "record ", in_quotes(entry.name),
               " is there twice and readers disagree which one counts, expected one", kHostile);
    }
    archive->entries_.push_back(std::move(entry));
  }
  if (archive->entries_.empty()) fail_bad(source->name(), "the zip archive holds only folders, expected a model");
  archive->top_folder_ = common_folder(archive->entries_);
  archive->source_ = std::move(source);
  return archive;
}

}  // namespace ptrun::archive
