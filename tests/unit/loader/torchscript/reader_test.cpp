#include "loader/torchscript/reader.h"

#include <caffe2/serialize/inline_container.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ptrun/error.h"

namespace ptrun::torchscript {
namespace {

using testing::Contains;
using testing::Each;
using testing::Not;
using testing::StartsWith;

const std::string kFolder = PTRUN_TEST_DATA "/";

ScriptArchive open(const std::string& file) {
  return read_script_archive(archive::open_file(kFolder + file), 1ULL << 30U);
}

TEST(ScriptReader, IsAnArchiveOfTheCheckedRecordsAlone) {
  const ScriptArchive archive = open("torchscript/extra_ptrun.pt");
  caffe2::serialize::PyTorchStreamReader reader(std::make_shared<ScriptReader>(archive));
  const std::vector<std::string> records = reader.getAllRecords();
  EXPECT_THAT(records, Contains("data.pkl"));
  EXPECT_THAT(records, Contains("code/__torch__.py"));
  EXPECT_THAT(records, Each(Not(StartsWith("extra/"))));
  for (const CodeFile& file : archive.code) {
    const auto [data, size] = reader.getRecord(file.record);
    EXPECT_EQ(std::string(static_cast<const char*>(data.get()), size), file.text);
  }
  for (const archive::ZipEntry& entry : archive.zip->entries()) {
    const std::string name(archive.zip->short_name(entry));
    if (name.rfind("data", 0) != 0) continue;
    const auto [data, size] = reader.getRecord(name);
    EXPECT_EQ(std::string(static_cast<const char*>(data.get()), size), archive.zip->read(entry, 1 << 20)) << name;
  }
}

TEST(ScriptReader, ReadsInAnyPiecesAndNeverBeyondTheEnd) {
  const ScriptArchive archive = open("torchscript/scripted.pt");
  const ScriptReader reader(archive);
  std::string whole(reader.size(), '\0');
  ASSERT_EQ(reader.read(0, whole.data(), whole.size(), ""), whole.size());
  for (const std::size_t step : {1U, 7U, 64U, 1000U}) {
    std::string pieces;
    std::string buffer(step, '\0');
    for (std::size_t at = 0; at < whole.size(); at += step) {
      pieces.append(buffer, 0, reader.read(at, buffer.data(), step, ""));
    }
    EXPECT_EQ(pieces, whole);
  }
  char byte = 'x';
  EXPECT_EQ(reader.read(reader.size(), &byte, 1, ""), 0U);
  EXPECT_EQ(reader.read(~0ULL, &byte, 1, ""), 0U);
  std::string tail(100, 'x');
  EXPECT_EQ(reader.read(reader.size() - 10, tail.data(), tail.size(), ""), 10U);
  EXPECT_EQ(tail.substr(10), std::string(90, 'x'));
}

// A record over 16 KiB is read when LibTorch asks; a byte that was changed is noticed then, whole or in pieces.
TEST(ScriptReader, ChecksLargeRecordsWhileTheyAreRead) {
  const std::string name = "torchscript/large_record.pt";
  const ScriptArchive good = open(name);
  const ScriptReader good_reader(good);
  EXPECT_NO_THROW(good_reader.verify_rest());

  const auto source = archive::open_file(kFolder + name);
  std::string bytes = source->read_string(0, source->size());
  std::size_t place = 0;
  for (const archive::ZipEntry& entry : good.zip->entries()) {
    if (entry.size > 16384) place = entry.data_offset + entry.size / 2;
  }
  ASSERT_NE(place, 0U);
  bytes[place] = static_cast<char>(bytes[place] ^ 1);
  const ScriptArchive damaged = read_script_archive(archive::from_memory("damaged.pt", bytes), 1ULL << 30U);
  const ScriptReader pieces(damaged);
  EXPECT_THROW(pieces.verify_rest(), Error);
  const ScriptReader whole(damaged);
  std::string buffer(whole.size(), '\0');
  EXPECT_EQ(whole.read(0, buffer.data(), buffer.size(), ""), 0U);
  EXPECT_THROW(whole.rethrow_failure(), Error);
}

TEST(ScriptArchive, ReadsWhatTheFileSays) {
  const ScriptArchive traced = open("torchscript/traced_batch_4.pt");
  ASSERT_EQ(traced.traced_inputs.size(), 1U);
  EXPECT_EQ(traced.traced_inputs[0], (std::vector<std::int64_t>{4, 3, 16, 20}));
  EXPECT_TRUE(open("torchscript/scripted.pt").traced_inputs.empty());
}

TEST(ScriptArchive, RefusesMoreThanTheMemoryLimit) {
  const auto source = archive::open_file(kFolder + "torchscript/scripted.pt");
  EXPECT_THROW(read_script_archive(source, 100), Error);
}

TEST(ScriptArchive, ListsOperatorsWithoutRunningAnything) {
  EXPECT_THAT(list_operators(archive::open_file(kFolder + "torchscript/scripted.pt")), Contains("aten::conv2d"));
  EXPECT_THAT(list_operators(archive::open_file(kFolder + "torchscript_evil/file_writer.pt")),
              Contains("aten::from_file"));
}

}  // namespace
}  // namespace ptrun::torchscript
