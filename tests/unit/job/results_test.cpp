#include "ptrun/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "ptrun/error.h"
#include "ptrun/job.h"
#include "support/pictures.h"
#include "support/scratch.h"
#include "support/tiny_model.h"

namespace ptrun {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class ResultFileTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = test::scratch_path("results");
    fs::create_directories(root_);
    for (const int level : {10, 200}) {
      inputs_.paths.push_back(path(std::to_string(level) + ".bmp"));
      const auto value = static_cast<std::uint8_t>(level);
      test::write_file(inputs_.paths.back(), test::bmp(8, 8, value, value, value));
    }
    inputs_.paths.push_back(path("broken.bmp"));
    test::write_file(inputs_.paths.back(), "no picture");
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string path(const std::string& name) const { return (root_ / name).string(); }
  static std::string text(const std::string& file) {
    std::ifstream stream(file);
    std::ostringstream all;
    all << stream.rdbuf();
    return all.str();
  }

  fs::path root_;
  InputList inputs_;
  const Model model_ = test::mean_colour_model();
};

TEST_F(ResultFileTest, HoldsTheBytesThatAJobWrites) {
  JobOptions job;
  job.outputs = {path("job.jsonl"), path("job.csv")};
  run_job(model_, inputs_, job);
  Predictor predictor(model_);
  for (const std::string ending : {".jsonl", ".csv"}) {
    ResultFileOptions options;
    options.topk = 3;
    ResultFile file(path("own" + ending), options);
    for (const std::string& image : inputs_.paths) {
      Input input;
      input.path = image;
      file.write(image, predictor.predict(input));
    }
    EXPECT_FALSE(fs::exists(path("own" + ending))) << "the name comes with the last row";
    file.finish();
    EXPECT_EQ(text(path("own" + ending)), text(path("job" + ending)));
    EXPECT_THAT(text(path("own" + ending)), HasSubstr("broken.bmp"));
  }
}

TEST_F(ResultFileTest, LeavesNothingUnlessFinished) {
  test::write_file(path("old.csv"), "old\n");
  {
    ResultFileOptions options;
    options.replace = true;
    ResultFile file(path("old.csv"), options);
    file.write("a", {});
  }
  EXPECT_EQ(text(path("old.csv")), "old\n");
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), fs::directory_iterator()), 4);
}

TEST_F(ResultFileTest, RefusesWhatAJobRefuses) {
  const auto message = [&](const std::string& name, Task task = Task::classify) {
    ResultFileOptions options;
    options.task = task;
    try {
      const ResultFile file(path(name), options);
    } catch (const Error& error) {
      return std::string(to_string(error.code())) + " " + error.what();
    }
    return std::string("no error");
  };
  EXPECT_THAT(message("10.bmp.jsonl"), "no error");
  test::write_file(path("there.csv"), "old\n");
  EXPECT_THAT(message("there.csv"), HasSubstr("exists already"));
  EXPECT_THAT(message("x.txt"), HasSubstr("the ending .txt was found"));
  EXPECT_THAT(message("no/x.csv"), HasSubstr("does not exist; make it first"));
  EXPECT_THAT(message("x.csv", Task::embed), HasSubstr("csv cannot hold the results of the task embed"));
}

}  // namespace
}  // namespace ptrun
