// Every photograph and derived file, through the tool, against PyTorch with torchvision's own transforms.
#include <cmath>

#include "cli/cli_test.h"

namespace ptrun::test {
namespace {

class GoldenPredictionsTest : public CliTest {};

TEST_F(GoldenPredictionsTest, TopFiveAndProbabilitiesArePythons) {
  const auto golden = nlohmann::json::parse(text_of(PTRUN_TEST_DATA "/golden/mobilenet_v2_photos.json"));
  ASSERT_GE(golden["rows"].size(), 90U);
  ProcessOptions options;
  options.folder = PTRUN_TEST_DATA;
  const Finished finished = predict({"photos", "derived"}, options);
  ASSERT_EQ(finished.code, 0) << finished.err;
  std::map<std::string, nlohmann::json> found;
  for (const nlohmann::json& row : rows(finished.out)) found[row["path"]] = row;
  double largest = 0;
  for (const nlohmann::json& expected : golden["rows"]) {
    SCOPED_TRACE(expected["file"]);
    ASSERT_FALSE(expected.contains("error")) << expected;
    ASSERT_EQ(found.count(expected["file"]), 1U);
    const nlohmann::json& row = found[expected["file"]];
    ASSERT_EQ(row["status"], "ok") << row;
    EXPECT_EQ(row["width"], expected["width"]);
    EXPECT_EQ(row["height"], expected["height"]);
    for (std::size_t k = 0; k < 5; ++k) {
      EXPECT_EQ(row["predictions"][k]["index"], expected["top"][k][0]);
      const double difference =
          std::abs(row["predictions"][k]["score"].get<double>() - expected["top"][k][1].get<double>());
      EXPECT_LE(difference, 1e-4);
      largest = std::max(largest, difference);
    }
  }
  EXPECT_EQ(found.size(), golden["rows"].size()) << "a file has no expected numbers: remake the golden file";
  RecordProperty("largest_difference", std::to_string(largest));
}

TEST_F(GoldenPredictionsTest, ACatIsACat) {
  const Finished finished = predict({kPhotos + "/cat.jpg"});
  EXPECT_THAT(rows(finished.out).at(0)["predictions"][0]["label"].get<std::string>(), testing::HasSubstr("cat"));
}

}  // namespace
}  // namespace ptrun::test
