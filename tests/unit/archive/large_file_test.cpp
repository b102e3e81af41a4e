// Files over 4 GiB, with holes so that they cost no disk: zip64 records, and how little inspect reads of them.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "archive/inspect_archive.h"
#include "archive/write_zip.h"
#include "support/pt_bytes.h"
#include "support/scratch.h"

namespace ptrun::archive {
namespace {

constexpr std::uint64_t kElements = (1ULL << 30U) + 8;  // of float32: 32 bytes over 4 GiB

// Counts what is read of a file.
class CountingSource final : public ByteSource {
 public:
  explicit CountingSource(std::shared_ptr<const ByteSource> file) : file_(std::move(file)) {}
  const std::string& name() const noexcept override { return file_->name(); }
  std::uint64_t size() const noexcept override { return file_->size(); }
  void read(std::uint64_t offset, void* to, std::size_t count) const override {
    bytes_ += count;
    file_->read(offset, to, count);
  }
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<const ByteSource> file_;
  mutable std::uint64_t bytes_ = 0;
};

class LargeFile : public testing::Test {
 protected:
  void SetUp() override {
    path_ = test::scratch_path("large.pt");
    const int file = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ASSERT_GE(file, 0);
    bool ok = true;
    std::uint64_t at = 0;
    // Zeros become a hole.
    const std::string zeros(std::size_t{1} << 26U, '\0');
    ZipWriter zip(
        [&](std::string_view bytes) {
          if (bytes.data() != zeros.data()) {
            ok = ok && ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(at)) ==
                           static_cast<ssize_t>(bytes.size());
          }
          at += bytes.size();
        },
        64, false);
    test::PickleBytes pickle;
    pickle.raw("}").text("big").tensor("FloatStorage", "0", kElements, 0, {kElements}, {1}).raw("s");
    pickle.text("small").tensor("FloatStorage", "1", 2, 0, {2}, {1}).raw("s");
    zip.add("m/data.pkl", pickle.stop());
    zip.begin("m/data/0", kElements * 4);
    for (std::uint64_t left = kElements * 4; left > 0;) {
      const std::size_t piece = static_cast<std::size_t>(std::min<std::uint64_t>(left, zeros.size()));
      zip.write(std::string_view(zeros).substr(0, piece));
      left -= piece;
    }
    zip.end();
    zip.add("m/data/1", std::string("\0\0\x80\x3F\0\0\0\x40", 8));
    zip.add("m/version", "3\n");
    zip.finish();
    ok = ok && ::ftruncate(file, static_cast<off_t>(at)) == 0;
    ::close(file);
    ASSERT_TRUE(ok);
  }
  void TearDown() override { std::filesystem::remove(path_); }

  std::filesystem::path path_;
};

TEST_F(LargeFile, Zip64RecordsAreRead) {
  const auto source = open_file(path_.string());
  ASSERT_EQ(detect(*source), Kind::torch_save_zip);
  const auto file = TensorFile::open(source, Kind::torch_save_zip);
  ASSERT_EQ(file->storages().size(), 2U);
  EXPECT_EQ(file->storages()[0].bytes, kElements * 4);
  EXPECT_GT(file->storage_offset(1).value_or(0), 4ULL << 30U);
  float values[2] = {};
  file->read_storage(1, values);
  EXPECT_EQ(values[0], 1.0F);
  EXPECT_EQ(values[1], 2.0F);
}

TEST_F(LargeFile, InspectReadsHeadersOnly) {
  const auto source = std::make_shared<CountingSource>(open_file(path_.string()));
  const ArchiveInspection found = inspect_archive(source);
  EXPECT_EQ(found.word, "state_dict");
  EXPECT_EQ(found.parameters, static_cast<std::int64_t>(kElements) + 2);
  EXPECT_LT(source->bytes(), 300'000U);  // mostly the last 64 KiB, twice: where a zip's end record may stand
  RecordProperty("bytes_read", std::to_string(source->bytes()));
}

}  // namespace
}  // namespace ptrun::archive
