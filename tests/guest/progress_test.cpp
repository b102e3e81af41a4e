// load_model tells how far it is, and stops when it is called off; labels of the caller's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "ptrun/error.h"
#include "ptrun/model.h"

namespace ptrun {
namespace {

using testing::HasSubstr;

const std::string kWeights = PTRUN_TEST_WEIGHTS;

// By the code of the Error that loading throws; -1 when it throws none.
Error error_of(const LoadOptions& options) {
  try {
    load_model(kWeights, options);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {ErrorCode::internal, "", ""};
}

TEST(ProgressTest, BytesGrowToTheSizeOfTheFile) {
  std::vector<LoadProgress> seen;
  LoadOptions options;
  options.progress = [&](const LoadProgress& progress) { seen.push_back(progress); };
  const Model model = load_model(kWeights, options);
  const std::uint64_t size = std::filesystem::file_size(kWeights);
  ASSERT_GT(seen.size(), 20U);
  EXPECT_LE(seen.size(), 202U);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].bytes_total, size);
    EXPECT_GE(seen[i].bytes_read, i == 0 ? 0 : seen[i - 1].bytes_read);
  }
  // The last but one says that nearly everything was really read, not only finish().
  EXPECT_GT(seen[seen.size() - 2].bytes_read, size * 9 / 10);
  EXPECT_EQ(seen.back().bytes_read, size);
  EXPECT_EQ(model.architecture(), "mobilenet_v2");
}

TEST(ProgressTest, CancellingStopsTheReading) {
  std::uint64_t last = 0;
  LoadOptions options;
  options.cancellation.emplace();
  options.progress = [&](const LoadProgress& progress) {
    last = progress.bytes_read;
    if (progress.bytes_read > progress.bytes_total / 4) options.cancellation->cancel();
  };
  const Error error = error_of(options);
  EXPECT_EQ(error.code(), ErrorCode::cancelled);
  EXPECT_THAT(error.what(), HasSubstr("mobilenet_v2"));
  EXPECT_LT(last, std::filesystem::file_size(kWeights) / 2);
}

TEST(ProgressTest, CancelledBeforeTheStartReadsNothing) {
  LoadOptions options;
  options.cancellation.emplace().cancel();
  options.progress = [](const LoadProgress&) { ADD_FAILURE() << "something was read"; };
  EXPECT_EQ(error_of(options).code(), ErrorCode::cancelled);
}

TEST(ProgressTest, LabelsOfTheCallerComeFirst) {
  LoadOptions options;
  for (int i = 0; i < 1000; ++i) options.labels.push_back("own " + std::to_string(i));
  options.labels_file = "no such file.txt";
  const Model model = load_model(kWeights, options);
  EXPECT_EQ(model.labels().names.at(7), "own 7");
  options.labels.pop_back();
  const Error error = error_of(options);
  EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
  EXPECT_STREQ(
      error.what(),
      "LoadOptions::labels: holds 999 labels, but the model has 1000 classes; give one label for each class, in "
      "the order of the outputs");
}

}  // namespace
}  // namespace ptrun
