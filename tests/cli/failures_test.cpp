// What happens when something fails: rows, messages, exit codes.
#include <csignal>
#include <thread>

#include "cli/cli_test.h"

namespace ptrun::test {
namespace {

using testing::HasSubstr;

class FailuresTest : public CliTest {
 protected:
  // `count` names of photographs; every hundredth is broken: 1 % of the folder.
  void fill_folder(int count) const {
    fs::create_directories(path("in"));
    std::vector<std::string> photos;
    for (const auto& entry : fs::directory_iterator(kPhotos)) {
      if (entry.path().extension() == ".jpg") photos.push_back(entry.path());
    }
    for (int i = 0; i < count; ++i) {
      const std::string name = "in/" + std::to_string(i) + ".jpg";
      if (i % 100 == 50) {
        write(name, text_of(photos[0]).substr(0, i % 200 == 50 ? 4000 : 0));
      } else {
        fs::create_symlink(photos[static_cast<std::size_t>(i) % photos.size()], path(name));
      }
    }
  }
  // Lines of the file that has grown to at least `lines`.
  static void wait_for_lines(const std::string& file, std::ptrdiff_t lines) {
    for (int i = 0; i < 3000; ++i) {
      const std::string text = text_of(file);
      if (std::count(text.begin(), text.end(), '\n') >= lines) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << file << " did not grow to " << lines << " lines";
  }
};

TEST_F(FailuresTest, AFolderWithBrokenFilesHasOneRowForEachInput) {
  fill_folder(200);
  const Finished finished = predict_here({"in", "-o", "out.jsonl", "-o", "out.csv"});
  EXPECT_EQ(finished.code, 1);
  const auto found = rows(text_of(path("out.jsonl")));
  ASSERT_EQ(found.size(), 200U);
  for (int i = 0; i < 200; ++i) {
    const auto& row = found[static_cast<std::size_t>(i)];
    EXPECT_EQ(row["path"], "in/" + std::to_string(i) + ".jpg");
    EXPECT_EQ(row["status"], i % 100 == 50 ? "error" : "ok");
    if (i % 100 == 50) {
      EXPECT_THAT(row["error"].get<std::string>(), testing::StartsWith(row["path"].get<std::string>() + ": "));
    }
  }
  const std::string csv = text_of(path("out.csv"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 201);
  EXPECT_THAT(finished.err, HasSubstr("198 done, 2 failed"));
}

TEST_F(FailuresTest, OnErrorStopsTheRun) {
  fill_folder(200);
  const Finished stop = predict_here({"in", "--on-error", "stop"});
  EXPECT_EQ(stop.code, 1);
  EXPECT_EQ(rows(stop.out).size(), 51U);
  EXPECT_THAT(stop.err, HasSubstr("(stopped by --on-error)"));
  const Finished limit = predict_here({"in", "--on-error", "limit=2"});
  EXPECT_EQ(limit.code, 1);
  EXPECT_EQ(rows(limit.out).size(), 151U);
}

TEST_F(FailuresTest, AModelThatCannotBeLoaded) {
  const std::string cat = kPhotos + "/cat.jpg";
  expect_refused(run({"predict", path("missing.pt"), cat}), 3, "missing.pt: ");
  write("page.pt", "<!DOCTYPE html><html><body>404</body></html>");
  expect_refused(run({"predict", path("page.pt"), cat}), 3, "page.pt: ");
  write("cut.pth", text_of(kWeights).substr(0, 1000000));
  expect_refused(run({"predict", path("cut.pth"), cat}), 3, "cut.pth: ");
  expect_refused(run({"predict", cat, cat}), 3, "cat.jpg: ");
}

TEST_F(FailuresTest, AModelThatThrowsIsARowForEachImage) {
  // Its first linear layer fits no picture of this size.
  const Finished finished = run({"predict", PTRUN_TEST_DATA "/torchscript/large_record.pt", kPhotos + "/cat.jpg",
                                 kPhotos + "/rocket.jpg", "--input-size", "32", "--quiet"});
  EXPECT_EQ(finished.code, 1);
  const auto found = rows(finished.out);
  ASSERT_EQ(found.size(), 2U);
  for (const auto& row : found) {
    EXPECT_EQ(row["stage"], "model");
    EXPECT_THAT(row["error"].get<std::string>(), HasSubstr("shapes cannot be multiplied"));
  }
}

TEST_F(FailuresTest, WrongOptionsAreKnownBeforeTheFirstRow) {
  const std::string cat = kPhotos + "/cat.jpg";
  expect_refused(predict({cat, "--labels", path("gone.txt")}), 2, "gone.txt: ");
  expect_refused(predict({cat, "--resize-backend", "tensor"}), 2, "--resize-backend: ");
  // 64 images of 4096 x 4096 for each of two workers: 24 GiB of input tensors.
  std::vector<std::string> many(64, cat);
  many.insert(many.end(), {"--batch-size", "64", "--input-size", "4096", "--workers", "2"});
  expect_refused(predict(many), 2, "batch_size: ");
  // More places than images: one image needs one.
  EXPECT_EQ(predict({cat, "--batch-size", "4096", "--quiet"}).code, 0);
}

TEST_F(FailuresTest, AFullDiskIsExitCodeFour) {
  ProcessOptions full;
  full.output_file = "/dev/full";
  const Finished out = predict({kPhotos}, full);
  EXPECT_EQ(out.code, 4);
  EXPECT_THAT(out.err, HasSubstr("standard output: writing failed: No space left on device"));
  for (const char* name : {"full.jsonl", "full.csv"}) {
    fs::create_symlink("/dev/full", path(name));
    const Finished file = predict({kPhotos, "-o", path(name), "--force"});
    EXPECT_EQ(file.code, 4);
    EXPECT_THAT(file.err, HasSubstr(std::string(name) + ": writing failed: No space left on device"));
  }
}

TEST_F(FailuresTest, ADeviceThatIsNotThere) {
  expect_refused(predict({kPhotos, "--device", "cuda:63"}), 5, "cuda:63");
  expect_refused(predict({kPhotos, "--device", "tpu"}), 2, "tpu");
}

TEST_F(FailuresTest, AnInterruptFinishesTheRowsInProgress) {
  std::string list;
  for (int i = 0; i < 5000; ++i) list += kPhotos + "/shuttle.jpg\n";
  write("list.txt", list);
  Process process(
      {PTRUN_TOOL, "predict", kWeights, "@" + path("list.txt"), "-o", path("out.jsonl"), "-o", path("out.csv")}, {});
  wait_for_lines(path("out.jsonl"), 10);
  process.send(SIGINT);
  const Finished finished = process.wait();
  EXPECT_EQ(finished.code, 130) << finished.err;
  const std::string text = text_of(path("out.jsonl"));
  const auto found = rows(text);
  EXPECT_EQ(text.back(), '\n');
  EXPECT_GE(found.size(), 10U);
  EXPECT_LT(found.size(), 5000U);
  for (const auto& row : found) EXPECT_EQ(row["status"], "ok");
  EXPECT_THAT(finished.err, HasSubstr(std::to_string(found.size()) + " of 5000 images"));
  EXPECT_FALSE(fs::exists(path("out.csv")));
  EXPECT_TRUE(fs::exists(path("out.csv.partial")));
}

TEST_F(FailuresTest, ASecondInterruptEndsAtOnce) {
  std::string list;
  for (int i = 0; i < 5000; ++i) list += kPhotos + "/shuttle.jpg\n";
  write("list.txt", list);
  // A batch that takes long: the rows in progress are not waited for.
  Process process(
      {PTRUN_TOOL, "predict", kWeights, "@" + path("list.txt"), "-o", path("out.jsonl"), "-b", "64", "-j", "1"}, {});
  wait_for_lines(path("out.jsonl"), 1);
  // Between two batches there is nothing to wait for: well into the next one.
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  process.send(SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  process.send(SIGINT);
  const Finished finished = process.wait();
  EXPECT_EQ(finished.code, 130);
  EXPECT_THAT(finished.err, testing::Not(HasSubstr("of 5000 images"))) << "no summary: nothing was waited for";
}

TEST_F(FailuresTest, AReaderThatClosesThePipeIsNoNews) {
  const std::string command =
      std::string("\"$1\" predict \"$2\" \"$3\" \"$4\" -q 2>\"$5\" | head -n 1; echo ${PIPESTATUS[0]}");
  const Finished finished =
      run_process({"/bin/bash", "-c", command, "bash", PTRUN_TOOL, kWeights, kPhotos, kDerived, path("err.txt")});
  const std::size_t newline = finished.out.find('\n');
  EXPECT_EQ(rows(finished.out.substr(0, newline)).size(), 1U);
  EXPECT_EQ(finished.out.substr(newline + 1), "141\n");
  EXPECT_EQ(text_of(path("err.txt")), "");
}

}  // namespace
}  // namespace ptrun::test
