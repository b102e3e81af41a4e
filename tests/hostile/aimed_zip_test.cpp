// Zips of which exactly one thing is wrong: each is refused in words that name it.
#include "hostile/refuse.h"
#include "support/pt_bytes.h"

namespace ptrun::test {
namespace {

const std::string kSix(24, '\0');  // 6 floats

std::vector<ZipRecord> good_records() { return torch_records(good_pickle(), {{"0", kSix}}); }

// A sound archive after `change` to its records, which are data.pkl, byteorder, data/0, version.
template <typename Change>
std::string changed(Change&& change, const ZipShape& shape = {.zip64 = true}) {
  std::vector<ZipRecord> records = good_records();
  change(records);
  return zip_bytes(records, shape);
}

ZipRecord extra_record(std::string name, std::string data = "x") {
  ZipRecord record;
  record.name = std::move(name);
  record.data = std::move(data);
  return record;
}

std::string with_extra(const std::string& name) {
  return changed([&](std::vector<ZipRecord>& records) { records.push_back(extra_record(name)); });
}

TEST(AimedZip, TheUnchangedArchiveLoads) {
  EXPECT_NO_THROW(load(changed([](auto&) {})));
}

TEST(AimedZip, Names) {
  const auto bad = ErrorCode::bad_model;
  expect_refused(with_extra("archive/../../etc/x"), bad, "leads out of its folder with '..'");
  expect_refused(with_extra("archive/./x"), bad, "has a '.' component");
  expect_refused(with_extra("archive//x"), bad, "has an empty component");
  expect_refused(with_extra("/etc/passwd"), bad, "is absolute");
  expect_refused(with_extra("C:/x"), bad, "begins with a drive letter");
  expect_refused(with_extra("archive\\x"), bad, "holds a backslash");
  expect_refused(with_extra(std::string("archive/a\0b", 11)), bad, "holds a NUL byte");
  expect_refused(with_extra(""), bad, "is empty");
  expect_refused(with_extra("archive/" + std::string(300, 'n')), ErrorCode::limit_exceeded,
                 "has 308 bytes, the limit is 255");
  expect_refused(with_extra("archive/data.pkl"), bad, "record 'archive/data.pkl' is there twice");
  expect_refused(with_extra("other/x"), bad, "under two top folders, 'archive' and 'other'");
  expect_refused(changed([](auto& records) { records[2].local_name = "archive/data/9"; }), bad,
                 "names a record 'archive/data/0' but the record itself is 'archive/data/9'");
  expect_refused(changed([](auto& records) { records[2].local_name = "archive/data/00"; }), bad,
                 "but the record itself is");
  expect_refused(changed([](auto& records) { records.push_back(extra_record("archive/sub/", "x")); }), bad,
                 "folder 'archive/sub/' holds bytes");
}

TEST(AimedZip, Methods) {
  const auto encrypted = [](std::uint16_t flag) { return changed([&](auto& records) { records[2].flags = flag; }); };
  expect_refused(encrypted(1), ErrorCode::unsupported, "record 'archive/data/0' is encrypted");
  expect_refused(encrypted(0x40), ErrorCode::unsupported, "is encrypted");
  expect_refused(encrypted(0x20), ErrorCode::unsupported, "is marked as patch data");
  for (const std::uint16_t method : std::vector<std::uint16_t>{9, 12, 14, 93, 99}) {
    expect_refused(changed([&](auto& records) { records[2].method = method; }), ErrorCode::unsupported,
                   "is compressed with method " + std::to_string(method));
  }
  expect_refused(changed([](auto& records) { records[2].local_method = 8; }), ErrorCode::bad_model,
                 "has another compression or encryption than the directory says");
}

TEST(AimedZip, SizesAndOffsets) {
  const auto bad = ErrorCode::bad_model;
  expect_refused(changed([](auto& records) {
                   records[2].size = 1ULL << 40U;
                   records[2].stored_size = 1ULL << 40U;
                   records[2].zip64 = true;
                 }),
                 bad, "reaches past byte");
  expect_refused(changed([](auto& records) {
                   records[2].size = ~0ULL;
                   records[2].stored_size = ~0ULL;
                   records[2].zip64 = true;
                 }),
                 bad, "reaches past byte");
  expect_refused(changed([](auto& records) { records[2].size = 23; }), bad,
                 "is stored uncompressed but claims 23 bytes for 24 in the file");
  expect_refused(changed([](auto& records) { records[2].offset = 1U << 30U; }), bad, "reaches past byte");
  expect_refused(changed([](auto& records) {
                   records[2].offset = ~0ULL - 5;
                   records[2].zip64 = true;
                 }),
                 bad, "reaches past byte");
  expect_refused(changed([](auto& records) { records[2].offset = 7; }), bad, "no record begins at byte 7");
  expect_refused(changed([](auto& records) { records[2].extra_length = 0xFFFF; }), bad, "reaches past byte");
  // The whole record once more inside another one.
  expect_refused(changed([](auto& records) {
                   ZipRecord inner = extra_record("archive/inner", "yy");
                   const std::string whole = zip_bytes({inner});
                   const std::size_t local = 30 + inner.name.size() + 2;
                   records[3].data = whole.substr(0, local);
                   const std::string so_far = zip_bytes({records[0], records[1], records[2]});
                   std::size_t directory = 0;
                   for (int i = 0; i < 3; ++i) directory += 46 + records[static_cast<std::size_t>(i)].name.size();
                   inner.offset = so_far.size() - 22 - directory + 30 + records[3].name.size();
                   records.push_back(inner);
                 }),
                 bad, "share the same bytes");
  expect_refused(changed([](auto& records) {
                   records[2].descriptor = false;
                   records[2].crc = 1;
                   records[2].data[0] = 1;
                 }),
                 bad, "has CRC-32");
}

TEST(AimedZip, Compression) {
  const auto bad = ErrorCode::bad_model;
  const auto packed = [](auto change) {
    return changed([&](auto& records) {
      records[2].method = 8;
      change(records[2]);
    });
  };
  EXPECT_NO_THROW(load(packed([](ZipRecord&) {})));
  expect_refused(packed([](ZipRecord& record) { record.data.push_back('\0'), record.size = 24; }), bad,
                 "cannot be inflated: it holds more, expected 24 bytes");
  expect_refused(packed([](ZipRecord& record) { record.data.pop_back(), record.size = 24; }), bad,
                 "cannot be inflated: it holds less, expected 24 bytes");
  expect_refused(packed([](ZipRecord& record) { record.stored_size = 1; }), bad, "cannot be inflated");
  // 3 GB of zeros in 3 MB, as in the file that made LibTorch take 3 GB.
  expect_refused(changed([](auto& records) {
                   records[0].method = 8;
                   records[0].size = 3ULL << 30U;
                 }),
                 ErrorCode::limit_exceeded, "more than the limit of 200 to 1");
  expect_refused(changed([](auto& records) {
                   records[0].method = 8;
                   records[0].data = std::string(40U << 20U, '\0');
                 }),
                 ErrorCode::limit_exceeded, "more than the limit of 200 to 1");
}

TEST(AimedZip, EndRecords) {
  const auto bad = ErrorCode::bad_model;
  const auto none = [](auto&) {};
  expect_refused(changed(none, {.directory_size = 10}), bad, "bytes stand in front of the zip archive");
  expect_refused(changed(none, {.directory_size = 1U << 30U}), bad, "is outside the file");
  expect_refused(changed(none, {.directory_offset = 1U << 30U}), bad, "is outside the file");
  expect_refused(changed(none, {.zip64 = true, .directory_offset = ~0ULL}), bad, "is outside the file");
  expect_refused(changed(none, {.count = 3}), bad, "bytes more than its entries");
  expect_refused(changed(none, {.count = 5}), bad, "breaks off");
  expect_refused(changed(none, {.count = 60'000}), bad, "cannot hold the 60000 entries it claims");
  expect_refused(changed(none, {.zip64 = true, .count = 1ULL << 40U}), ErrorCode::limit_exceeded,
                 "the limit is 100000");
  expect_refused(changed(none, {.count = 0}), bad, "has no entries");
  expect_refused(changed(none, {.count = 0xFFFF}), bad, "the zip64 end record is missing");
  expect_refused(changed(none, {.suffix = "more"}), bad, "other bytes follow the end of the zip archive");
  expect_refused(changed(none, {.suffix = std::string(70'000, 's')}), bad, "its directory at the end is missing");
  expect_refused("PK\x03\x04" + changed(none), bad, "bytes stand in front of");
  std::string counts = changed(none);
  counts[counts.size() - 22 + 8] = 7;  // the classic record only
  counts[counts.size() - 22 + 10] = 7;
  expect_refused(counts, bad, "the zip64 and the classic end record disagree");
  std::string locator = changed(none);
  locator[locator.size() - 22 - 20 + 8 + 3] = 1;  // the locator points elsewhere
  expect_refused(locator, bad, "zip64 end record");
  std::string parts = changed(none);
  parts[parts.size() - 22 - 20 + 16] = 2;
  expect_refused(parts, bad, "is one part of several");
}

TEST(AimedZip, Polyglots) {
  const auto bad = ErrorCode::bad_model;
  expect_refused(changed([](auto&) {}, {.prefix = "\x80\x02K\x01.", .prefix_shifts_offsets = true}), bad,
                 "is two things at once, a plain Python pickle");
  expect_refused(good_legacy() + changed([](auto&) {}), bad, "is two things at once");
  expect_refused(good_safetensors() + changed([](auto&) {}), bad, "is two things at once, a safetensors file");
  expect_refused("<html>" + changed([](auto&) {}), bad, "is two things at once, no known kind of model");
  // A sound zip in front of another one.
  expect_refused(changed([](auto&) {}) + changed([](auto&) {}), bad, "in front of");
  const auto also = [](const std::string& name) {
    return changed([&](auto& records) { records.push_back(extra_record("archive/" + name)); });
  };
  expect_refused(also("model.json"), bad,
                 "a TorchScript archive of PyTorch 1.0 to 1.2 and a file written by torch.save");
  expect_refused(also(".data/extern_modules"), bad, "a torch.package archive");
  expect_refused(also("MAR-INF/MANIFEST.json"), bad, "a TorchServe model archive");
  expect_refused(also("serialized_exported_program.json"), bad, "a torch.export archive of PyTorch 2.1 to 2.7");
  expect_refused(also("constants.pkl"), bad, "has the record constants.pkl of a TorchScript archive but no code/");
  std::string tar = changed(
      [](auto& records) { records.insert(records.begin(), extra_record("archive/pad", std::string(300, '\0'))); });
  tar.replace(257, 5, "ustar");
  expect_refused(tar, bad, "is two things at once, a tar archive");
}

TEST(AimedZip, FactsOfTorchSave) {
  const auto bad = ErrorCode::bad_model;
  expect_refused(changed([](auto& records) { records.pop_back(); }), bad, "record 'version' is missing");
  expect_refused(changed([](auto& records) { records[3].data = "99\n"; }), ErrorCode::unsupported,
                 "format version 99 is newer than 10");
  expect_refused(changed([](auto& records) { records[3].data = "x\n"; }), bad, "format version 'x' is not a number");
  expect_refused(changed([](auto& records) { records[3].data = std::string(5000, '1'); }), ErrorCode::limit_exceeded,
                 "has 5000 bytes, the limit is 4096");
  expect_refused(changed([](auto& records) { records[1].data = "middle"; }), bad, "byte order 'middle'");
  expect_refused(changed([](auto& records) { records.erase(records.begin() + 2); }), bad, "record 'data/0' is missing");
  expect_refused(zip_bytes({extra_record("archive/data.pkl", "")}), bad, "record 'version' is missing");
}

}  // namespace
}  // namespace ptrun::test
