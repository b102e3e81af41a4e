#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "job/source/natural_order.h"
#include "ptrun/error.h"
#include "ptrun/job.h"
#include "support/scratch.h"

namespace ptrun {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class SourcesTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = test::scratch_path("sources");
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string path(const std::string& name) const { return root_.string() + "/" + name; }
  std::string list_of(const std::string& name) const { return std::string("@").append(path(name)); }
  void touch(const std::string& name) const {
    fs::create_directories(fs::path(path(name)).parent_path());
    std::ofstream(path(name)) << "x";
  }
  // The listed paths below root_.
  std::vector<std::string> list(SourceOptions options) {
    last_ = list_inputs(options);
    std::vector<std::string> names;
    for (const std::string& full : last_.paths) {
      const bool below = full.rfind(root_.string() + "/", 0) == 0;
      names.push_back(below ? full.substr(root_.string().size() + 1) : full);
    }
    return names;
  }
  std::vector<std::string> list(const std::string& source) {
    SourceOptions options;
    options.sources = {source};
    return list(options);
  }
  std::size_t skipped(const std::string& what) const {
    for (const SkippedNames& names : last_.skipped) {
      if (names.what == what) return names.count;
    }
    return 0;
  }
  std::string message_of(const SourceOptions& options) {
    try {
      list_inputs(options);
    } catch (const Error& error) {
      return std::string(to_string(error.code())) + " " + error.what();
    }
    return "no error";
  }
  std::string message_of(const std::string& source) {
    SourceOptions options;
    options.sources = {source};
    return message_of(options);
  }

  fs::path root_;
  InputList last_;
};

TEST(NaturalOrderTest, EveryPairInOrder) {
  const std::pair<const char*, const char*> pairs[] = {
      {"img2.jpg", "img10.jpg"},
      {"img2.jpg", "IMG10.jpg"},
      {"a", "b"},
      {"A", "b"},
      {"a", "B"},
      {"a9", "a10"},
      {"9", "10"},
      {"x1y2", "x1y10"},
      {"a", "ab"},
      {"1", "a"},
      {"01", "1"},
      {"007", "8"},
      {"99999999999999999999", "100000000000000000000"},
      {"A", "a"},
      {"a.jpg", "a1.jpg"},
  };
  for (const auto& [before, after] : pairs) {
    EXPECT_TRUE(job::natural_less(before, after)) << before << " < " << after;
    EXPECT_FALSE(job::natural_less(after, before)) << after << " < " << before;
    EXPECT_FALSE(job::natural_less(before, before)) << before;
  }
}

TEST(NaturalOrderTest, IsAStrictOrder) {
  const std::vector<std::string> names = {"",    "0",   "00",  "1",   "01", "a",   "A", "a1",
                                          "a01", "a1b", "A1B", "a10", "-",  "a-1", "b"};
  for (const auto& x : names) {
    for (const auto& y : names) {
      EXPECT_EQ(x == y, !job::natural_less(x, y) && !job::natural_less(y, x)) << x << " " << y;
      for (const auto& z : names) {
        if (job::natural_less(x, y) && job::natural_less(y, z)) {
          EXPECT_TRUE(job::natural_less(x, z)) << x << " " << y << " " << z;
        }
      }
    }
  }
}

TEST_F(SourcesTest, AFolderIsRecursiveAndInNaturalOrder) {
  for (const char* name : {"img10.jpg", "img2.jpg", "IMG1.JPG", "b/x.png", "a/2/y.jpeg", "a/10/z.webp", "c.txt"})
    touch(name);
  EXPECT_THAT(list(root_.string()),
              ElementsAre("a/2/y.jpeg", "a/10/z.webp", "b/x.png", "IMG1.JPG", "img2.jpg", "img10.jpg"));
  EXPECT_EQ(last_.skipped_count(), 1U);
  EXPECT_EQ(skipped(".txt"), 1U);
}

TEST_F(SourcesTest, ATrailingSlashIsKeptOnce) {
  touch("a.jpg");
  EXPECT_THAT(list(root_.string() + "/"), ElementsAre("a.jpg"));
}

TEST_F(SourcesTest, SkippedNamesAreCountedByWhatTheyAre) {
  for (const char* name : {"a.jpg", "b.txt", "c.TXT", "README", ".hidden.jpg", ".git/x.jpg", "d.json"}) touch(name);
  ASSERT_EQ(mkfifo(path("pipe.jpg").c_str(), 0600), 0);
  EXPECT_THAT(list(root_.string()), ElementsAre("a.jpg"));
  EXPECT_EQ(skipped(".txt"), 2U);
  EXPECT_EQ(skipped(".json"), 1U);
  EXPECT_EQ(skipped("no extension"), 1U);
  EXPECT_EQ(skipped("hidden"), 2U);
  EXPECT_EQ(skipped("no file"), 1U);
  EXPECT_EQ(last_.skipped.front().count, 2U);
}

TEST_F(SourcesTest, AllFilesTakesEveryExtensionButNothingHidden) {
  for (const char* name : {"a.jpg", "b.txt", "README", ".hidden"}) touch(name);
  SourceOptions options;
  options.sources = {root_.string()};
  options.all_files = true;
  EXPECT_THAT(list(options), ElementsAre("a.jpg", "b.txt", "README"));
}

TEST_F(SourcesTest, AnExplicitFileIsAlwaysAnInput) {
  touch("notes.txt");
  touch(".hidden");
  fs::create_symlink("nowhere", path("broken.jpg"));
  SourceOptions options;
  options.sources = {path("notes.txt"), path(".hidden"), path("broken.jpg"), path("notes.txt")};
  EXPECT_THAT(list(options), ElementsAre("notes.txt", ".hidden", "broken.jpg", "notes.txt"));
}

TEST_F(SourcesTest, AMissingPathIsNamed) {
  EXPECT_EQ(message_of(path("no.jpg")),
            "not_found " + path("no.jpg") +
                ": no such file or folder; give an image, a folder, a quoted glob, @list.txt or -");
  EXPECT_THAT(message_of(""), HasSubstr("no such file or folder"));
}

TEST_F(SourcesTest, LinksAreFollowedAndLoopsEnd) {
  touch("real/a.jpg");
  fs::create_directory_symlink("real", path("alias"));
  fs::create_directory_symlink("..", path("real/up"));
  fs::create_directory_symlink(".", path("real/self"));
  fs::create_symlink("a.jpg", path("real/b.jpg"));
  fs::create_symlink("gone.jpg", path("real/c.jpg"));
  EXPECT_THAT(list(root_.string()),
              ElementsAre("alias/a.jpg", "alias/b.jpg", "alias/c.jpg", "real/a.jpg", "real/b.jpg", "real/c.jpg"));
  EXPECT_EQ(skipped("folder loop"), 4U);
}

TEST_F(SourcesTest, LoopsUnderAGlobEnd) {
  touch("real/deep/a.jpg");
  fs::create_directory_symlink("..", path("real/deep/up"));
  fs::create_directory_symlink("..", path("real/deep/too"));
  EXPECT_THAT(list(path("**/*.jpg")), ElementsAre("real/deep/a.jpg"));
  EXPECT_GE(skipped("folder loop"), 2U);
  EXPECT_THAT(list(path("real/**/**/*.jpg")), testing::Contains("real/deep/a.jpg"));
}

TEST_F(SourcesTest, NamesOfAnyBytes) {
  const std::string longest = std::string(251, 'n') + ".jpg";
  const std::vector<std::string> names = {"new\nline.jpg", "caf\xE9.jpg",     "two  spaces.jpg",
                                          "-dash.jpg",     "comma,semi;.jpg", "quote\"'.jpg",
                                          "[glob]*?.jpg",  "@at.jpg",         longest};
  for (const std::string& name : names) touch(name);
  EXPECT_THAT(list(root_.string()), testing::UnorderedElementsAreArray(names));
  // What exists is no glob.
  EXPECT_THAT(list(path("[glob]*?.jpg")), ElementsAre("[glob]*?.jpg"));
}

TEST_F(SourcesTest, AFolderThatCannotBeReadBecomesAnInput) {
  if (geteuid() == 0) {
    // The super-user reads every folder; a folder that is a file in disguise stands in: a link that loops.
    fs::create_directory_symlink("loop", path("loop"));
    touch("a.jpg");
    EXPECT_THAT(list(root_.string()), ElementsAre("a.jpg"));
    EXPECT_EQ(skipped("no extension"), 1U);
    return;
  }
  touch("locked/a.jpg");
  fs::permissions(path("locked"), fs::perms::none);
  EXPECT_THAT(list(root_.string()), ElementsAre("locked"));
  fs::permissions(path("locked"), fs::perms::owner_all);
}

TEST_F(SourcesTest, Globs) {
  for (const char* name : {"a1.jpg", "a2.jpg", "a10.jpg", "b1.jpg", "x/a1.png", "x/y/a2.png", "a3.txt", ".h.jpg"})
    touch(name);
  EXPECT_THAT(list(path("a*.jpg")), ElementsAre("a1.jpg", "a2.jpg", "a10.jpg"));
  EXPECT_THAT(list(path("?1.jpg")), ElementsAre("a1.jpg", "b1.jpg"));
  EXPECT_THAT(list(path("[b-z]*.jpg")), ElementsAre("b1.jpg"));
  EXPECT_THAT(list(path("*/*.png")), ElementsAre("x/a1.png"));
  EXPECT_THAT(list(path("**/*.png")), ElementsAre("x/a1.png", "x/y/a2.png"));
  EXPECT_THAT(list(path("x/**")), ElementsAre("x/a1.png", "x/y/a2.png"));
  EXPECT_THAT(list(path("**/*")), ElementsAre("a1.jpg", "a2.jpg", "a10.jpg", "b1.jpg", "x/a1.png", "x/y/a2.png"));
  EXPECT_EQ(skipped(".txt"), 1U);
  // A matched folder is a folder source, as the shell would give it.
  EXPECT_THAT(list(path("x*")), ElementsAre("x/a1.png", "x/y/a2.png"));
  EXPECT_THAT(list(path("a3.*")), ElementsAre());
  EXPECT_THAT(list(path(".h*")), ElementsAre(".h.jpg"));
  EXPECT_EQ(message_of(path("*.bmp")), "not_found " + path("*.bmp") + ": the glob matches no file; check it with ls");
}

TEST_F(SourcesTest, AListGivesARowForEveryLine) {
  std::ofstream(path("list.txt")) << "\xEF\xBB\xBF"
                                  << "a.jpg\r\nmissing dir/b.jpg\n\n#c.jpg\na.jpg";
  EXPECT_THAT(list(list_of("list.txt")), ElementsAre("a.jpg", "missing dir/b.jpg", "#c.jpg", "a.jpg"));
  EXPECT_THAT(message_of(list_of("no.txt")),
              testing::AllOf(HasSubstr("not_found"), HasSubstr("no.txt: the list cannot be opened")));
  std::ofstream(path("blob.bin")) << std::string(100000, 'x');
  EXPECT_THAT(message_of(list_of("blob.bin")), HasSubstr("is this a list of paths?"));
  EXPECT_THAT(message_of(list_of("")), HasSubstr("cannot be read: Is a directory"));
}

class StandardInputTest : public SourcesTest {
 protected:
  std::vector<std::string> read(const std::string& bytes, bool nul) {
    std::ofstream(path("input")) << bytes;
    const int descriptor = ::open(path("input").c_str(), O_RDONLY);
    SourceOptions options;
    options.sources = {"-"};
    options.nul_separated = nul;
    options.input_descriptor = descriptor;
    auto paths = list(options);
    ::close(descriptor);
    return paths;
  }
};

TEST_F(StandardInputTest, LinesOrNulSeparated) {
  EXPECT_THAT(read("a.jpg\nb c.jpg\r\n", false), ElementsAre("a.jpg", "b c.jpg"));
  EXPECT_THAT(read(std::string("new\nline.jpg\0cr\r\0last.jpg", 25), true),
              ElementsAre("new\nline.jpg", "cr\r", "last.jpg"));
  EXPECT_THAT(read("", false), ElementsAre());
  // An image instead of its name.
  EXPECT_THROW(read(std::string("\xFF\xD8\xFF\xE0\0\x10JFIF\n", 11), false), Error);
}

TEST_F(StandardInputTest, OnlyOnce) {
  SourceOptions options;
  options.sources = {"-", "-"};
  EXPECT_THAT(message_of(options), HasSubstr("found twice"));
}

}  // namespace
}  // namespace ptrun
