#include "output/output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/output_file.h"
#include "ptrun/error.h"
#include "support/scratch.h"

namespace ptrun {
namespace {

namespace fs = std::filesystem;

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return std::string(to_string(error.code())) + " " + error.what();
  }
  return "no error";
}

TEST(OutputFormatTest, FollowsFromTheName) {
  EXPECT_EQ(output_format_for("a/b.jsonl").name, "jsonl");
  EXPECT_EQ(output_format_for("B.CSV").name, "csv");
  EXPECT_EQ(
      message_of([] { output_format_for("x.jsnl"); }),
      "invalid_argument x.jsnl: the ending .jsnl was found, expected one of .jsonl, .csv, .npz; did you mean .jsonl?");
  EXPECT_EQ(
      message_of([] { output_format_for("dir.csv/name"); }),
      "invalid_argument dir.csv/name: no ending was found, expected one of .jsonl, .csv, .npz; the format follows "
      "from the name");
  EXPECT_THAT(message_of([] { output_format_for("pictures/"); }),
              testing::HasSubstr("a folder was found, expected a file of results"));
  EXPECT_THAT(message_of([] { output_format_named("tabel"); }), testing::HasSubstr("did you mean table?"));
}

class OutputFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = test::scratch_path("output");
    fs::create_directory(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ / name; }
  std::string text(const std::string& name) const {
    std::ifstream file(path(name));
    std::ostringstream all;
    all << file.rdbuf();
    return all.str();
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder_)) found.push_back(entry.path().filename());
    return found;
  }

  fs::path folder_;
};

TEST_F(OutputFileTest, AnAtomicFileHasItsNameOnlyWhenComplete) {
  OutputFile file(path("a.csv"), true, false);
  file.write("one\n");
  EXPECT_FALSE(fs::exists(path("a.csv")));
  file.commit();
  EXPECT_EQ(text("a.csv"), "one\n");
  EXPECT_THAT(names(), testing::ElementsAre("a.csv"));
}

TEST_F(OutputFileTest, AnAtomicFileLeavesNothingWithoutCommit) {
  { OutputFile(path("a.csv"), true, false).write("one\n"); }
  EXPECT_THAT(names(), testing::IsEmpty());
}

TEST_F(OutputFileTest, AnIncompleteFileSaysSo) {
  std::ofstream(path("a.csv")) << "old";
  OutputFile file(path("a.csv"), true, true);
  file.write("part\n");
  file.commit(false);
  EXPECT_EQ(text("a.csv"), "old");
  EXPECT_EQ(text("a.csv.partial"), "part\n");
}

TEST_F(OutputFileTest, AnAppendedFileKeepsWhatWasWritten) {
  { OutputFile(path("a.jsonl"), false, false).write("one\n"); }
  EXPECT_EQ(text("a.jsonl"), "one\n");
}

TEST_F(OutputFileTest, AnExistingFileIsReplacedOnlyWhenAsked) {
  for (const bool atomic : {false, true}) {
    std::ofstream(path("a")) << "old and long";
    EXPECT_THAT(message_of([&] { OutputFile(path("a"), atomic, false); }), testing::StartsWith("output_failed"));
    EXPECT_EQ(text("a"), "old and long");
    OutputFile file(path("a"), atomic, true);
    file.write("new");
    file.commit();
    EXPECT_EQ(text("a"), "new");
  }
}

TEST_F(OutputFileTest, AFileMadeInTheMeantimeIsNotReplaced) {
  OutputFile file(path("a"), true, false);
  file.write("mine");
  std::ofstream(path("a")) << "theirs";
  EXPECT_THAT(message_of([&] { file.commit(); }), testing::HasSubstr("File exists"));
  EXPECT_EQ(text("a"), "theirs");
}

TEST_F(OutputFileTest, ALinkKeepsPointingToTheResults) {
  std::ofstream(path("real.csv")) << "old";
  fs::create_symlink("real.csv", path("link.csv"));
  OutputFile file(path("link.csv"), true, true);
  file.write("new");
  file.commit();
  EXPECT_TRUE(fs::is_symlink(path("link.csv")));
  EXPECT_EQ(text("real.csv"), "new");
}

TEST_F(OutputFileTest, AFullDiskIsNamed) {
  OutputFile file("/dev/full", true, true);
  EXPECT_EQ(message_of([&] { file.write("x"); }), "output_failed /dev/full: writing failed: No space left on device");
}

TEST_F(OutputFileTest, AWriteThatStopsHalfWayIsAnError) {
  // The limit on file sizes cuts the write as a full disk would.
  struct rlimit old {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small { 100, old.rlim_max };
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string message;
  {
    OutputFile file(path("a.jsonl"), false, false);
    message = message_of([&] { file.write(std::string(1000, 'x')); });
  }
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(message, testing::HasSubstr("File too large"));
}

TEST_F(OutputFileTest, AMissingFolderIsNamed) {
  EXPECT_THAT(message_of([&] { OutputFile(path("no/a.csv"), true, false); }),
              testing::AllOf(testing::HasSubstr("no/a.csv"), testing::HasSubstr("No such file or directory")));
}

}  // namespace
}  // namespace ptrun
