// ptrun calibrate and --precision int8, as a user runs them.
#include <unistd.h>

#include "cli/cli_test.h"

namespace ptrun::test {
namespace {

using testing::HasSubstr;

// Of the model file NAME.
std::string ranges_of(const std::string& name) { return name + ".ptrun.int8.json"; }

class CalibrateTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    if (!__builtin_cpu_supports("avx512vnni")) GTEST_SKIP() << "this processor has no AVX512_VNNI";
    fs::create_symlink(fs::absolute(kWeights), path("mobilenet_v2-b0353104.pth"));
    model_ = path("mobilenet_v2-b0353104.pth");
  }
  Finished calibrate(std::vector<std::string> words) const {
    words.insert(words.begin(), {"calibrate", model_});
    return run(std::move(words));
  }
  std::string model_;
};

TEST_F(CalibrateTest, TheCatIsStillACatInInt8) {
  const Finished done = calibrate({kPhotos, "--json", "-q"});
  ASSERT_EQ(done.code, 0) << done.err;
  const auto report = nlohmann::json::parse(done.out);
  EXPECT_EQ(report.at("v"), 1);
  EXPECT_EQ(report.at("file"), ranges_of(model_));
  EXPECT_EQ(report.at("images"), 6);
  EXPECT_EQ(report.at("compared"), 1);
  EXPECT_EQ(report.at("same_top1"), 1);
  EXPECT_LT(report.at("largest_probability_difference"), 0.2);
  EXPECT_GT(report.at("images_per_second").at("int8"), 0);
  EXPECT_THAT(report.at("plan").get<std::string>(), testing::StartsWith("cpu_int8"));

  const Finished int8 = run({"predict", model_, kPhotos + "/cat.jpg", "--precision", "int8", "--format", "jsonl"});
  ASSERT_EQ(int8.code, 0) << int8.err;
  const auto found = rows(int8.out).front().at("predictions").at(0);
  EXPECT_THAT(found.at("label").get<std::string>(), HasSubstr("cat"));
  // The numbers are int8's, not fp32's.
  const Finished fp32 = run({"predict", model_, kPhotos + "/cat.jpg", "--format", "jsonl"});
  const double apart = std::abs(rows(fp32.out).front().at("predictions").at(0).at("score").get<double>() -
                                found.at("score").get<double>());
  EXPECT_GT(apart, 1e-4);
  EXPECT_LT(apart, 0.25);

  const Finished benchmark = run(
      {"benchmark", model_, "--precision", "int8", "--json", "-q", "--num-bench-iter", "2", "--num-warm-iter", "0"});
  ASSERT_EQ(benchmark.code, 0) << benchmark.err;
  const auto timed = nlohmann::json::parse(benchmark.out);
  EXPECT_EQ(timed.at("precision"), "int8");
  EXPECT_THAT(timed.at("plan").get<std::string>(), testing::StartsWith("cpu_int8"));
}

TEST_F(CalibrateTest, TheSamePhotosAndSeedGiveTheSameFile) {
  ASSERT_EQ(calibrate({kPhotos, "-q"}).code, 0);
  const std::string first = text_of(ranges_of(model_));
  expect_refused(calibrate({kPhotos, "-q"}), 2, "the ranges exist already; use --force to replace them");
  ASSERT_EQ(calibrate({kPhotos, "-q", "--force"}).code, 0);
  EXPECT_EQ(text_of(ranges_of(model_)), first);
  ASSERT_EQ(calibrate({kPhotos, "-q", "--force", "--ranges", "minmax"}).code, 0);
  EXPECT_NE(text_of(ranges_of(model_)), first);
}

TEST_F(CalibrateTest, ABrokenPhotoIsLeftOutWithAWarning) {
  for (const char* photo : {"cat.jpg", "espresso.jpg", "officer.jpg"}) copy_photo(photo, std::string("in/") + photo);
  write("in/broken.jpg", text_of(kPhotos + "/cat.jpg").substr(0, 3000));
  write("in/empty.jpg", "");
  const Finished done = calibrate({path("in"), "--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.err, HasSubstr("broken.jpg"));
  const auto report = nlohmann::json::parse(done.out);
  EXPECT_EQ(report.at("failed"), 2);
  EXPECT_EQ(report.at("images").get<int>() + report.at("compared").get<int>(), 3);
}

TEST_F(CalibrateTest, WithoutRangesInt8NamesTheCommand) {
  expect_refused(run({"predict", model_, kPhotos + "/cat.jpg", "--precision", "int8"}), 3,
                 "make them with: ptrun calibrate " + model_ + " FOLDER");
}

TEST_F(CalibrateTest, RangesOfAnotherModelAreRefused) {
  ASSERT_EQ(calibrate({kPhotos, "-q"}).code, 0);
  std::string text = text_of(ranges_of(model_));
  const std::size_t at = text.find("\"model\": \"") + 10;
  text[at] = text[at] == '0' ? '1' : '0';
  write("mobilenet_v2-b0353104.pth.ptrun.int8.json", text);
  expect_refused(run({"predict", model_, kPhotos + "/cat.jpg", "--precision", "int8"}), 3,
                 "holds the ranges of another model");
  write("mobilenet_v2-b0353104.pth.ptrun.int8.json", "{}");
  expect_refused(run({"predict", model_, kPhotos + "/cat.jpg", "--precision", "int8"}), 3, "is of version null");
}

TEST_F(CalibrateTest, WhatCannotBeCalibratedSaysWhy) {
  expect_refused(calibrate({kPhotos + "/cat.jpg"}), 2, "1 were given, expected at least 2");
  expect_refused(calibrate({}), 2, "no image was given; usage: ptrun calibrate");
  expect_refused(calibrate({kPhotos, "--ranges", "minmix"}), 2, "did you mean minmax?");
  fs::create_directories(root_ / "in");
  write("in/a.jpg", "");
  write("in/b.jpg", "");
  const Finished none = calibrate({path("in")});
  EXPECT_EQ(none.code, 3) << none.err;
  EXPECT_THAT(none.err, HasSubstr("of 1 images to calibrate with could be read"));
  EXPECT_FALSE(fs::exists(ranges_of(model_)));
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), {}), 2) << "left-overs";
}

TEST_F(CalibrateTest, AFolderThatCannotBeWrittenIsToldBeforeTheWork) {
  if (::geteuid() == 0) {
    // Root writes everywhere; a folder stands where the file should.
    fs::create_directories(ranges_of(model_));
    EXPECT_EQ(calibrate({kPhotos, "-q", "--force"}).code, 4);
    return;
  }
  fs::permissions(root_, fs::perms::owner_read | fs::perms::owner_exec);
  const Finished done = calibrate({kPhotos, "-q"});
  fs::permissions(root_, fs::perms::owner_all);
  expect_refused(done, 4, "cannot be written");
}

}  // namespace
}  // namespace ptrun::test
