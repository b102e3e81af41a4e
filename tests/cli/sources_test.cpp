// Where images come from, through the tool.
#include "cli/cli_test.h"

namespace ptrun::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SourcesCliTest : public CliTest {};

TEST_F(SourcesCliTest, AFolderInNaturalOrderWithItsSkippedNames) {
  for (const char* name : {"in/img10.jpg", "in/img2.jpg", "in/sub/a.JPG"}) copy_photo("shuttle.jpg", name);
  write("in/notes.txt", "x");
  write("in/.hidden.jpg", "x");
  const Finished finished = predict_here({"in"});
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(paths(finished.out), ElementsAre("in/img2.jpg", "in/img10.jpg", "in/sub/a.JPG"));
  EXPECT_THAT(finished.err, HasSubstr("2 names in folders and globs skipped (1 .txt, 1 hidden)"));
  const Finished all = predict_here({"in", "--all-files"});
  EXPECT_EQ(all.code, 1);
  EXPECT_EQ(rows(all.out).size(), 4U);
}

TEST_F(SourcesCliTest, AGlobThatTheShellDidNotExpand) {
  for (const char* name : {"a/x1.jpg", "a/b/x2.jpg", "a/y.jpg"}) copy_photo("shuttle.jpg", name);
  EXPECT_THAT(paths(predict_here({"a/**/x*.jpg"}).out), ElementsAre("a/x1.jpg", "a/b/x2.jpg"));
  expect_refused(predict_here({"a/*.png"}), 2, "a/*.png: the glob matches no file");
}

TEST_F(SourcesCliTest, AListHasARowForEveryLineAlsoForMissingFiles) {
  copy_photo("shuttle.jpg", "x.jpg");
  write("list.txt", "x.jpg\nmissing.jpg\nx.jpg\n");
  const Finished finished = predict_here({"@list.txt"});
  EXPECT_EQ(finished.code, 1);
  const auto found = rows(finished.out);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0]["predictions"], found[2]["predictions"]);
  EXPECT_EQ(found[1]["stage"], "read");
  EXPECT_EQ(found[1]["error"], "missing.jpg: no such file");
}

TEST_F(SourcesCliTest, StandardInputByLinesAndByNul) {
  copy_photo("shuttle.jpg", "x.jpg");
  copy_photo("shuttle.jpg", "new\nline.jpg");
  ProcessOptions lines;
  lines.input = "x.jpg\nx.jpg\n";
  EXPECT_THAT(paths(predict_here({"-"}, lines).out), ElementsAre("x.jpg", "x.jpg"));
  ProcessOptions nul;
  nul.input = std::string("new\nline.jpg\0x.jpg\0", 19);
  EXPECT_THAT(paths(predict_here({"-", "-0"}, nul).out), ElementsAre("new\nline.jpg", "x.jpg"));
  expect_refused(predict_here({"-"}), 2, "no images were found");
}

TEST_F(SourcesCliTest, AMissingPathIsSaidBeforeTheModelIsLoaded) {
  expect_refused(run({"predict", path("no_model.pt"), path("no_image.jpg")}), 2,
                 "no_image.jpg: no such file or folder");
  expect_refused(predict({kPhotos + "/cat.jpg", path("gone.jpg")}), 2, "gone.jpg: no such file or folder");
}

TEST_F(SourcesCliTest, NoImagesIsWrongUsage) {
  write("in/a.txt", "x");
  fs::create_directories(path("in"));
  write("in/a.txt", "x");
  expect_refused(predict_here({"in"}), 2, "no images were found; 1 name skipped: 1 .txt; --all-files");
}

TEST_F(SourcesCliTest, NamesOfAnyBytesHaveTheirRow) {
  const std::vector<std::string> names = {"new\nline.jpg",   "caf\xE9.jpg", "\xE7\x8C\xAB.jpg",
                                          "esc\x1b[31m.jpg", "q\"uote.jpg", std::string(251, 'n') + ".jpg"};
  for (const std::string& name : names) copy_photo("shuttle.jpg", "in/" + name);
  const Finished finished = predict_here({"in"});
  EXPECT_EQ(finished.code, 0) << finished.err;
  const auto found = rows(finished.out);
  ASSERT_EQ(found.size(), names.size());
  std::set<std::string> seen;
  for (const auto& row : found) seen.insert(row["path"].get<std::string>());
  EXPECT_EQ(seen.count("in/new\nline.jpg"), 1U);
  EXPECT_EQ(seen.count("in/caf\xEF\xBF\xBD.jpg"), 1U);
  EXPECT_THAT(finished.out, HasSubstr("\"path_b64\":\"aW4vY2Fm6S5qcGc=\""));
  // A name cannot steer the terminal through messages either.
  EXPECT_THAT(predict_here({"in/\x1b[31m.jpg"}).err, testing::Not(HasSubstr("\x1b[31m")));
}

}  // namespace
}  // namespace ptrun::test
