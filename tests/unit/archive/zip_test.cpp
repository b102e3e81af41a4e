#include "archive/zip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/pt_bytes.h"

namespace ptrun::archive {
namespace {

using test::expect_error;
using test::ZipRecord;

std::shared_ptr<const ZipArchive> open(const std::vector<ZipRecord>& records, const test::ZipShape& shape = {}) {
  return ZipArchive::open(from_memory("model.pt", test::zip_bytes(records, shape)));
}

ZipRecord record(std::string name, std::string data) {
  ZipRecord made;
  made.name = std::move(name);
  made.data = std::move(data);
  return made;
}

TEST(Zip, ReadsStoredAndDeflatedRecords) {
  const std::string text(100'000, 'x');
  for (const bool zip64 : {false, true}) {
    for (const bool descriptor : {false, true}) {
      ZipRecord stored = record("top/a", "hello");
      ZipRecord packed = record("top/b/c", text);
      packed.method = 8;
      for (ZipRecord* one : {&stored, &packed}) {
        one->zip64 = zip64;
        one->descriptor = descriptor;
      }
      const auto zip = open({stored, packed}, {.zip64 = zip64, .comment = "a comment"});
      ASSERT_EQ(zip->entries().size(), 2U);
      EXPECT_EQ(zip->top_folder(), "top");
      EXPECT_EQ(zip->read(zip->require("a"), 100), "hello");
      EXPECT_EQ(zip->read(zip->require("b/c"), text.size()), text);
      EXPECT_EQ(zip->short_name(zip->require("b/c")), "b/c");
      EXPECT_TRUE(zip->has_prefix("b/"));
      EXPECT_FALSE(zip->has_prefix("c"));
      EXPECT_EQ(zip->find("c"), nullptr);
    }
  }
}

// Longer than the pieces in which records are read, with and without much to unpack from one piece.
TEST(Zip, InflatesRecordsOfManyPieces) {
  std::string noise;
  std::uint32_t state = 1;
  for (int i = 0; i < 1'500'000; ++i) {
    state = state * 1664525U + 1013904223U;
    noise.push_back(static_cast<char>(state >> 24U));
  }
  std::string runs;
  for (int i = 0; i < 2000; ++i) runs += std::string(700, static_cast<char>(i % 50)) + noise.substr(0, 20);
  for (const std::string& data : {noise, runs}) {
    for (const std::uint16_t method : std::vector<std::uint16_t>{0, 8}) {
      ZipRecord packed = record("top/a", data);
      packed.method = method;
      const auto zip = open({packed});
      EXPECT_TRUE(zip->read(zip->require("a"), data.size()) == data);
      EXPECT_NO_THROW(zip->verify(zip->require("a")));
    }
  }
}

TEST(Zip, HasNoTopFolderWhenNamesShareNone) {
  const auto zip = open({record("a/x", "1"), record("b", "2")});
  EXPECT_EQ(zip->top_folder(), "");
  EXPECT_EQ(zip->read(zip->require("a/x"), 1), "1");
}

TEST(Zip, LeavesFolderEntriesOut) {
  const auto zip = open({record("top/", ""), record("top/data/", ""), record("top/data/0", "abc")});
  ASSERT_EQ(zip->entries().size(), 1U);
  EXPECT_EQ(zip->read(zip->require("data/0"), 3), "abc");
}

TEST(Zip, ChecksTheCrcWhenThereIsOne) {
  ZipRecord wrong = record("top/a", "hello");
  wrong.crc = 0x12345678;
  const auto bad = open({wrong});
  expect_error(ErrorCode::bad_model, "record 'top/a' has CRC-32", [&] { bad->read(bad->require("a"), 5); });
  expect_error(ErrorCode::bad_model, "expected 12345678", [&] { bad->verify(bad->require("a")); });
  ZipRecord none = record("top/a", "hello");
  none.crc = 0;
  const auto unchecked = open({none});
  EXPECT_EQ(unchecked->read(unchecked->require("a"), 5), "hello");
}

TEST(Zip, ComparesSizesWithTheLimitBeforeReading) {
  const auto zip = open({record("top/a", "hello")});
  expect_error(ErrorCode::limit_exceeded, "has 5 bytes, the limit is 4", [&] { zip->read(zip->require("a"), 4); });
}

TEST(Zip, NamesAMissingRecord) {
  const auto zip = open({record("top/a", "hello")});
  expect_error(ErrorCode::bad_model, "record 'data.pkl' is missing", [&] { zip->require("data.pkl"); });
}

}  // namespace
}  // namespace ptrun::archive
