#include "ptrun/job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <thread>

#include "job/reorder.h"
#include "ptrun/error.h"
#include "support/pictures.h"
#include "support/scratch.h"
#include "support/tiny_model.h"

namespace ptrun {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(ReorderTest, AnswersLeaveInOrder) {
  job::Reorder reorder;
  std::thread putter([&] {
    for (const std::size_t sequence : {3U, 1U, 0U, 2U}) {
      Outcome outcome;
      outcome.failure.message = std::to_string(sequence);
      reorder.put(sequence, std::move(outcome));
    }
  });
  for (std::size_t i = 0; i < 4; ++i) {
    std::optional<Outcome> outcome;
    while (!outcome) outcome = reorder.take(i, reorder.arrived(), std::chrono::milliseconds(20));
    EXPECT_EQ(outcome->failure.message, std::to_string(i));
  }
  putter.join();
  EXPECT_EQ(reorder.arrived(), 4U);
  EXPECT_FALSE(reorder.take(4, 4, std::chrono::milliseconds(1)));
  // Another answer than the wanted one ends the wait early.
  EXPECT_FALSE(reorder.take(4, 3, std::chrono::hours(1)));
}

class JobTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = test::scratch_path("job");
    fs::create_directories(root_ / "in");
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string path(const std::string& name) const { return (root_ / name).string(); }

  // `count` pictures, those in `broken` no pictures; sizes differ much, so that answers come out of order.
  InputList pictures(int count, const std::set<int>& broken = {}) const {
    InputList inputs;
    for (int i = 0; i < count; ++i) {
      const std::string name = path("in/" + std::to_string(i) + ".bmp");
      const std::uint32_t size = i % 7 == 0 ? 800 : 8;
      const auto level = static_cast<std::uint8_t>(i);
      test::write_file(name, broken.count(i) != 0 ? "no picture" : test::bmp(size, size, level, level, level));
      inputs.paths.push_back(name);
    }
    return inputs;
  }

  static std::vector<nlohmann::json> rows(const std::string& file) {
    std::vector<nlohmann::json> found;
    std::ifstream stream(file);
    for (std::string line; std::getline(stream, line);) found.push_back(nlohmann::json::parse(line));
    return found;
  }
  static std::string text(const std::string& file) {
    std::ifstream stream(file);
    std::ostringstream all;
    all << stream.rdbuf();
    return all.str();
  }
  static JobOptions to_file(const std::string& name) {
    JobOptions options;
    options.outputs = {name};
    options.predict.workers = 3;
    return options;
  }
  std::string message_of(const JobOptions& options, std::optional<Task> task = std::nullopt) const {
    try {
      check_outputs(options, task);
    } catch (const Error& error) {
      return std::string(to_string(error.code())) + " " + error.what();
    }
    return "no error";
  }

  fs::path root_;
  const Model model_ = test::mean_colour_model();
};

TEST_F(JobTest, EveryInputHasOneRowInOrder) {
  InputList inputs = pictures(200, {17, 150});
  inputs.paths.insert(inputs.paths.begin() + 60, path("in/missing.bmp"));
  inputs.paths.push_back(inputs.paths.front());
  const JobSummary summary = run_job(model_, inputs, to_file(path("out.jsonl")));
  EXPECT_EQ(summary.total, 202U);
  EXPECT_EQ(summary.succeeded, 199U);
  EXPECT_EQ(summary.failed, 3U);
  EXPECT_EQ(summary.workers, 3);
  const auto found = rows(path("out.jsonl"));
  ASSERT_EQ(found.size(), inputs.paths.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i]["path"], inputs.paths[i]);
    const bool bad = i == 17 || i == 60 || i == 151;
    EXPECT_EQ(found[i]["status"], bad ? "error" : "ok") << found[i];
  }
  EXPECT_EQ(found[60]["stage"], "read");
  EXPECT_EQ(found[17]["stage"], "decode");
}

TEST_F(JobTest, ARowIsWrittenAsSoonAsItIsFinished) {
  // One worker, so that no more than its queue and its batch can be finished before the first row is out.
  const InputList inputs = pictures(300);
  std::size_t written_first = 0;
  JobOptions options;
  options.predict.workers = 1;
  options.predict.batch_size = 1;
  options.stdout_format = "jsonl";
  std::atomic<bool> cancel{false};
  options.cancel = &cancel;
  options.write_stdout = [&](const std::string&) {
    ++written_first;
    cancel = true;
  };
  run_job(model_, inputs, options);
  EXPECT_GE(written_first, 1U);
  EXPECT_LE(written_first, 10U) << "rows waited until many were finished";
}

TEST_F(JobTest, TheSameJobGivesTheSameBytesWithAnyWorkers) {
  const InputList inputs = pictures(60, {5});
  std::string expected;
  for (const int workers : {1, 2, 5}) {
    JobOptions options = to_file(path("out.jsonl"));
    options.force = true;
    options.predict.workers = workers;
    run_job(model_, inputs, options);
    if (expected.empty()) expected = text(path("out.jsonl"));
    EXPECT_EQ(text(path("out.jsonl")), expected);
  }
}

TEST_F(JobTest, StopsAfterTheGivenNumberOfErrors) {
  const InputList inputs = pictures(100, {10, 20, 30});
  JobOptions options = to_file(path("out.jsonl"));
  options.stop_after_errors = 2;
  const JobSummary summary = run_job(model_, inputs, options);
  EXPECT_TRUE(summary.stopped_on_errors);
  EXPECT_EQ(summary.failed, 2U);
  EXPECT_EQ(rows(path("out.jsonl")).size(), 21U);
}

TEST_F(JobTest, CancelWritesWhatIsFinishedAndNothingElse) {
  const InputList inputs = pictures(2000);
  std::atomic<bool> cancel{false};
  JobOptions options = to_file(path("out.jsonl"));
  options.outputs.push_back(path("out.csv"));
  options.cancel = &cancel;
  options.stdout_format = "jsonl";
  int written = 0;
  options.write_stdout = [&](const std::string&) {
    if (++written == 50) cancel = true;
  };
  const JobSummary summary = run_job(model_, inputs, options);
  EXPECT_TRUE(summary.cancelled);
  const auto found = rows(path("out.jsonl"));
  EXPECT_EQ(found.size(), static_cast<std::size_t>(written));
  EXPECT_EQ(summary.succeeded, found.size());
  EXPECT_GE(found.size(), 50U);
  EXPECT_LT(found.size(), 1000U) << "queued images were still run";
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i]["path"], inputs.paths[i]);
  EXPECT_FALSE(fs::exists(path("out.csv"))) << "an incomplete file must not pass for a complete one";
  EXPECT_TRUE(fs::exists(path("out.csv.partial")));
}

TEST_F(JobTest, ProgressGrowsToTheEnd) {
  const InputList inputs = pictures(50, {3});
  std::vector<Progress> seen;
  JobOptions options = to_file(path("out.jsonl"));
  options.progress = [&](const Progress& progress) { seen.push_back(progress); };
  run_job(model_, inputs, options);
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.back().done, 50U);
  EXPECT_EQ(seen.back().failed, 1U);
  EXPECT_EQ(seen.back().total, 50U);
  for (std::size_t i = 1; i < seen.size(); ++i) EXPECT_GE(seen[i].done, seen[i - 1].done);
}

TEST_F(JobTest, AnOutputThatThrowsEndsTheJobAndLeavesNoCsv) {
  const InputList inputs = pictures(100);
  JobOptions options = to_file(path("out.csv"));
  options.stdout_format = "jsonl";
  int written = 0;
  options.write_stdout = [&](const std::string&) {
    if (++written == 10) throw Error(ErrorCode::output_failed, "standard output", "full");
  };
  EXPECT_THROW(run_job(model_, inputs, options), Error);
  EXPECT_EQ(written, 10);
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(root_)) left.push_back(entry.path().filename());
  EXPECT_THAT(left, ElementsAre("in"));
}

TEST_F(JobTest, SeveralOutputsHoldTheSameRows) {
  const InputList inputs = pictures(5, {2});
  JobOptions options = to_file(path("out.jsonl"));
  options.outputs.push_back(path("out.csv"));
  run_job(model_, inputs, options);
  EXPECT_EQ(rows(path("out.jsonl")).size(), 5U);
  const std::string csv = text(path("out.csv"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 6);
  // Three classes exist, so five were not asked for columns.
  EXPECT_THAT(csv, testing::StartsWith("path,status,width,height,index_1,label_1,score_1,index_2,label_2,score_2,"
                                       "index_3,label_3,score_3,stage,error,path_b64\n"));
}

TEST_F(JobTest, OutputsAreCheckedBeforeAnyWork) {
  test::write_file(path("there.jsonl"), "old\n");
  EXPECT_THAT(message_of(to_file(path("there.jsonl"))), HasSubstr("the output exists already"));
  JobOptions force = to_file(path("there.jsonl"));
  force.force = true;
  EXPECT_EQ(message_of(force), "no error");
  EXPECT_THAT(message_of(to_file(path("no/x.csv"))), HasSubstr("does not exist; make it first"));
  EXPECT_THAT(message_of(to_file(path("there.jsonl/x.csv"))), HasSubstr("is no folder"));
  EXPECT_THAT(message_of(to_file(path("x.jsno"))), HasSubstr("the ending .jsno was found"));
  JobOptions twice = to_file(path("x.csv"));
  twice.outputs.push_back(path("x.csv"));
  EXPECT_THAT(message_of(twice), HasSubstr("named twice"));
  EXPECT_EQ(message_of(to_file(path("x.csv")), Task::classify), "no error");
  EXPECT_THAT(message_of(to_file(path("x.csv")), Task::embed),
              HasSubstr("csv cannot hold the results of the task embed, expected .jsonl"));
  EXPECT_THROW(run_job(model_, pictures(1), to_file(path("there.jsonl"))), Error);
  EXPECT_EQ(text(path("there.jsonl")), "old\n");
}

TEST_F(JobTest, AnOutputNeverReplacesWhatTheJobReads) {
  JobOptions twice = to_file(path("x.csv"));
  twice.outputs.push_back(path("./x.csv"));
  EXPECT_THAT(message_of(twice), HasSubstr("named twice"));
  std::filesystem::create_directory(path("folder.csv"));
  EXPECT_THAT(message_of(to_file(path("folder.csv"))), HasSubstr("is a folder"));
  std::filesystem::create_symlink("nothing", path("link.csv"));
  EXPECT_THAT(message_of(to_file(path("link.csv"))), HasSubstr("the output exists already"));

  test::write_file(path("photo.jsonl"), "a photo");
  InputList inputs;
  inputs.paths = {path("photo.jsonl")};
  JobOptions force = to_file(path("./photo.jsonl"));
  force.force = true;
  EXPECT_THROW(run_job(model_, inputs, force), Error);
  EXPECT_EQ(text(path("photo.jsonl")), "a photo");
}

}  // namespace
}  // namespace ptrun
