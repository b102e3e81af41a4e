#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "output/output.h"

namespace ptrun {
namespace {

Row classified(std::string path = "photos/cat.jpg") {
  Row row;
  row.path = std::move(path);
  Prediction& prediction = row.outcome.prediction.emplace();
  prediction.geometry.original_width = 451;
  prediction.geometry.original_height = 300;
  prediction.classes = {{281, "tabby", 0.512031F}, {285, "Egyptian cat", 0.2F}};
  return row;
}

Row failed(std::string path, Stage stage, std::string message) {
  Row row;
  row.path = std::move(path);
  row.outcome.failure = {stage, std::move(message)};
  return row;
}

TEST(JsonlTest, ClassifyIsTheContractsText) {
  EXPECT_EQ(to_json_row(classified()),
            R"({"v":1,"path":"photos/cat.jpg","status":"ok","task":"classify","width":451,"height":300,)"
            R"("predictions":[{"index":281,"label":"tabby","score":0.512031},)"
            R"({"index":285,"label":"Egyptian cat","score":0.2}]})");
}

TEST(JsonlTest, ErrorIsTheContractsText) {
  EXPECT_EQ(to_json_row(failed("photos/bad.jpg", Stage::decode, "photos/bad.jpg: JPEG data ends at row 120 of 300")),
            R"({"v":1,"path":"photos/bad.jpg","status":"error","stage":"decode",)"
            R"("error":"photos/bad.jpg: JPEG data ends at row 120 of 300"})");
}

TEST(JsonlTest, ExifAndModeAppearOnlyWhenTheyAreUnusual) {
  Row row = classified();
  row.outcome.prediction->exif_orientation = 6;
  row.outcome.prediction->mode = "CMYK";
  EXPECT_THAT(to_json_row(row), testing::HasSubstr(R"("height":300,"exif":6,"mode":"CMYK","predictions")"));
  row.outcome.prediction->decoded_at = 4;
  EXPECT_THAT(to_json_row(row), testing::HasSubstr(R"("mode":"CMYK","decoded_at":"1/4","predictions")"));
}

TEST(JsonlTest, LogitsAndMissingLabels) {
  Row row = classified();
  row.outcome.prediction->logits = true;
  row.outcome.prediction->classes = {{3, "", -1.25F}};
  EXPECT_THAT(to_json_row(row), testing::HasSubstr(R"("predictions":[{"index":3,"logit":-1.25}])"));
}

TEST(JsonlTest, ScoresHaveSixSignificantDigits) {
  const std::pair<float, const char*> cases[] = {
      {1.0F, "1"},       {0.0F, "0"},       {0.12345678F, "0.123457"}, {1.2345678e-5F, "1.23457e-05"},
      {0.9999999F, "1"}, {1e-30F, "1e-30"}, {123456.7F, "123457"},     {1234567.0F, "1.23457e+06"},
      {-0.5F, "-0.5"},
  };
  for (const auto& [score, text] : cases) {
    Row row = classified();
    row.outcome.prediction->classes = {{0, "", score}};
    const std::string line = to_json_row(row);
    EXPECT_THAT(line, testing::HasSubstr(std::string("\"score\":") + text + "}")) << score;
    EXPECT_TRUE(nlohmann::json::accept(line)) << line;
  }
}

TEST(JsonlTest, APathThatIsNotUtf8HasItsBytesBeside) {
  const std::string path = "dir/caf\xE9.jpg";
  const auto row = nlohmann::json::parse(to_json_row(classified(path)));
  EXPECT_EQ(row["path"], "dir/caf\xEF\xBF\xBD.jpg");
  EXPECT_EQ(row["path_b64"], "ZGlyL2NhZukuanBn");
  EXPECT_FALSE(nlohmann::json::parse(to_json_row(classified("dir/caf\xC3\xA9.jpg"))).contains("path_b64"));
}

TEST(JsonlTest, ForeignTextStaysOneValidLine) {
  Row row = classified("new\nline \"quoted\" \\ \x01 .jpg");
  row.outcome.prediction->classes[0].label = "a\tb\u2028c";
  const std::string line = to_json_row(row);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto parsed = nlohmann::json::parse(line);
  EXPECT_EQ(parsed["path"], row.path);
  EXPECT_EQ(parsed["predictions"][0]["label"], "a\tb\u2028c");
}

TEST(JsonlTest, Detections) {
  Row row = classified();
  Prediction& prediction = *row.outcome.prediction;
  prediction.classes.clear();
  prediction.task = Task::detect;
  Detection item;
  item.index = 17;
  item.label = "cat";
  item.score = 0.9F;
  item.x1 = 1.5F;
  item.y1 = 2;
  item.x2 = 100.123456F;
  item.y2 = 200;
  prediction.detections = {item};
  EXPECT_THAT(
      to_json_row(row),
      testing::HasSubstr(R"("predictions":[{"index":17,"label":"cat","score":0.9,"box":[1.5,2,100.123,200]}]})"));
  prediction.task = Task::segment;
  prediction.detections[0].mask = Mask{4, 3, "abc"};
  EXPECT_THAT(to_json_row(row), testing::HasSubstr(R"("mask":{"size":[3,4],"counts":"abc"}})"));
  prediction.task = Task::keypoints;
  prediction.detections[0].mask.reset();
  prediction.detections[0].keypoints = {{1, 2, 0.5F}, {3, 4, 0.25F}};
  EXPECT_THAT(to_json_row(row), testing::HasSubstr(R"("keypoints":[[1,2,0.5],[3,4,0.25]]})"));
  prediction.task = Task::detect;
  prediction.detections.clear();
  EXPECT_THAT(to_json_row(row), testing::EndsWith(R"("predictions":[]})"));
}

TEST(JsonlTest, SemanticSegments) {
  Row row = classified();
  Prediction& prediction = *row.outcome.prediction;
  prediction.task = Task::segment;
  prediction.segments = {{8, "cat", 1234}};
  EXPECT_THAT(to_json_row(row), testing::EndsWith(R"("segments":[{"index":8,"label":"cat","area":1234}]})"));
  row.picture = "maps/a.png";
  EXPECT_THAT(to_json_row(row), testing::EndsWith(R"("area":1234}],"map":"maps/a.png"})"));
}

TEST(JsonlTest, EmbeddingsReadBackExactly) {
  Row row = classified();
  Prediction& prediction = *row.outcome.prediction;
  prediction.task = Task::embed;
  prediction.embedding = {0.1F, 1.0F / 3.0F, std::numeric_limits<float>::denorm_min(), -1e30F};
  const auto parsed = nlohmann::json::parse(to_json_row(row));
  ASSERT_EQ(parsed["embedding"].size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(parsed["embedding"][i].get<float>(), prediction.embedding[i]);
  EXPECT_THAT(to_json_row(row), testing::HasSubstr("[0.1,0.33333334,1e-45,-1e+30]"));
}

TEST(JsonlTest, TensorsCarryTheirValuesWhenTheyAreFew) {
  Row row = classified();
  Prediction& prediction = *row.outcome.prediction;
  prediction.task = Task::tensors;
  TensorOutput small{"logits", DType::float32, {1, 2}, {}};
  const float values[] = {0.5F, std::nanf("")};
  small.data.resize(sizeof(values));
  std::memcpy(small.data.data(), values, sizeof(values));
  TensorOutput large{"map", DType::uint8, {100, 100}, std::vector<std::byte>(10000)};
  prediction.tensors = {small, large};
  EXPECT_THAT(to_json_row(row),
              testing::EndsWith(R"("outputs":[{"name":"logits","dtype":"float32","shape":[1,2],"data":[0.5,null]},)"
                                R"({"name":"map","dtype":"uint8","shape":[100,100]}]})"));
}

TEST(JsonlTest, ATensorWhoseValuesWereLetGoIsNoEmptyOne) {
  Row row = classified();
  Prediction& prediction = *row.outcome.prediction;
  prediction.task = Task::tensors;
  prediction.tensors = {{"gone", DType::float32, {2, 2}, {}}, {"empty", DType::float32, {0, 2}, {}}};
  EXPECT_THAT(to_json_row(row), testing::EndsWith(R"([{"name":"gone","dtype":"float32","shape":[2,2]},)"
                                                  R"({"name":"empty","dtype":"float32","shape":[0,2],"data":[]}]})"));
}

TEST(JsonlTest, TheWriterGivesWholeLines) {
  std::vector<std::string> lines;
  const auto writer = make_jsonl_writer([&](std::string_view bytes) { lines.emplace_back(bytes); }, {});
  writer->write(classified());
  writer->write(failed("b.jpg", Stage::read, "b.jpg: no such file"));
  writer->finish();
  ASSERT_EQ(lines.size(), 2U);
  for (const std::string& line : lines) EXPECT_EQ(line.find('\n'), line.size() - 1);
}

}  // namespace
}  // namespace ptrun
