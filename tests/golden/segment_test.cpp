// Semantic segmentation from photos to rows and pictures, against Python's class maps (make_segment.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "image/image.h"
#include "ptrun/error.h"
#include "ptrun/job.h"
#include "support/scratch.h"

namespace ptrun {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const std::string kFolder = PTRUN_TEST_DATA "/segment/";
const std::string kPhotos = PTRUN_TEST_DATA "/photos/";

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream all;
  all << file.rdbuf();
  return all.str();
}

json expected_cases(const std::string& file) {
  json cases = json::array();
  const json all = json::parse(bytes_of(kFolder + "expected.json"));
  for (const json& row : all.at("cases")) {
    if (row.at("file") == file) cases.push_back(row);
  }
  EXPECT_EQ(cases.size(), 2U);
  return cases;
}

image::Pixels picture(const std::string& path) {
  image::Pixels pixels;
  image::decode(bytes_of(path), path, {}, pixels);
  return pixels;
}

// The classes of a grey picture.
std::vector<std::uint8_t> grey_levels(const std::string& path) {
  const image::Pixels pixels = picture(path);
  EXPECT_EQ(pixels.mode, "L");
  std::vector<std::uint8_t> levels;
  for (std::size_t i = 0; i < static_cast<std::size_t>(pixels.width) * static_cast<std::size_t>(pixels.height); ++i) {
    levels.push_back(pixels.data[3 * i]);
  }
  return levels;
}

Model model_of(const std::string& file) { return load_model(kFolder + file); }

// Pixels of one photo between two classes that are as likely: loading folds batch norms into convolutions, whose sums
// then round otherwise than Python's.
constexpr std::size_t kNearTies = 2;

std::size_t differing(const std::vector<std::uint8_t>& found, const std::vector<std::uint8_t>& wanted) {
  EXPECT_EQ(found.size(), wanted.size());
  if (found.size() != wanted.size()) return wanted.size();
  std::size_t count = 0;
  for (std::size_t i = 0; i < found.size(); ++i) count += found[i] != wanted[i] ? 1U : 0U;
  return count;
}

class SemanticFile : public ::testing::TestWithParam<const char*> {};

TEST_P(SemanticFile, EqualsPython) {
  const Model model = model_of(GetParam());
  EXPECT_EQ(model.task(), Task::segment);
  const std::vector<std::string>& names = model.labels().names;
  ASSERT_EQ(names.size(), 21U);
  EXPECT_EQ(names[8], "cat");
  EXPECT_EQ(names[15], "person");
  EXPECT_THAT(model.notes(), ::testing::Contains(HasSubstr("labels are assumed to be PASCAL VOC's")));
  Predictor predictor(model);
  for (const json& wanted : expected_cases(GetParam())) {
    SCOPED_TRACE(wanted.at("photo").get<std::string>());
    Input photo;
    photo.path = kPhotos + wanted.at("photo").get<std::string>();
    const Outcome outcome = predictor.predict(photo);
    ASSERT_TRUE(outcome.ok()) << outcome.failure.message;
    const Prediction& found = *outcome.prediction;
    const std::size_t other = differing(found.segment_map, grey_levels(kFolder + wanted.at("map").get<std::string>()));
    EXPECT_LE(other, kNearTies);
    ASSERT_EQ(found.segments.size(), wanted.at("areas").size());
    ASSERT_GE(found.segments.size(), 3U);
    for (std::size_t i = 0; i < found.segments.size(); ++i) {
      EXPECT_EQ(found.segments[i].index, wanted["areas"][i][0]);
      EXPECT_NEAR(static_cast<double>(found.segments[i].area), wanted["areas"][i][1].get<double>(),
                  static_cast<double>(other));
      EXPECT_EQ(found.segments[i].label, names.at(static_cast<std::size_t>(found.segments[i].index)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, SemanticFile, ::testing::Values("lraspp.pt", "fcn.pt2", "fcn_module.pt"),
                         [](const ::testing::TestParamInfo<const char*>& row) {
                           std::string name = row.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST(SemanticRows, LabelsHaveToFitTheClasses) {
  LoadOptions options;
  options.labels = {"sky", "road"};
  try {
    load_model(kFolder + "lraspp.pt", options);
    ADD_FAILURE() << "was accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("holds 2 labels, but the model has 21 classes"));
  }
}

TEST(SemanticRows, NameThePictureAndItsClasses) {
  const test::ScratchFolder folder;
  const Model model = model_of("lraspp.pt");
  InputList inputs;
  inputs.paths = {kPhotos + "cat.jpg", kPhotos + "../derived/../photos/rocket.jpg",
                  folder.write("no.jpg", "no picture")};
  JobOptions options;
  options.outputs = {folder.at("maps/"), folder.at("rows.jsonl"), folder.at("rows.csv")};
  const JobSummary summary = run_job(model, inputs, options);
  EXPECT_EQ(summary.succeeded, 2U);
  EXPECT_EQ(summary.failed, 1U);

  std::istringstream lines(bytes_of(folder.at("rows.jsonl")));
  const json cases = expected_cases("lraspp.pt");
  for (const json& wanted : cases) {
    std::string line;
    std::getline(lines, line);
    const json row = json::parse(line);
    EXPECT_EQ(row.at("task"), "segment");
    EXPECT_EQ(row.at("segments").size(), wanted.at("areas").size());
    EXPECT_EQ(row["segments"][0].at("index"), wanted["areas"][0][0]);
    EXPECT_NEAR(row["segments"][0].at("area").get<double>(), wanted["areas"][0][1].get<double>(), kNearTies);
    EXPECT_FALSE(row.contains("predictions"));
    const std::string path = row.at("map");
    EXPECT_EQ(path.rfind(folder.at("maps/"), 0), 0U) << path;
    EXPECT_EQ(path.find(".."), std::string::npos) << path;
    const image::Pixels map = picture(path);
    EXPECT_EQ(map.mode, "P");
    // Each class has one colour of its own.
    const std::vector<std::uint8_t> classes = grey_levels(kFolder + wanted.at("map").get<std::string>());
    std::map<std::uint8_t, std::array<std::uint8_t, 3>> colours;
    std::set<std::array<std::uint8_t, 3>> different;
    std::size_t other = 0;
    for (std::size_t i = 0; i < classes.size(); ++i) {
      const std::array<std::uint8_t, 3> colour = {map.data[3 * i], map.data[3 * i + 1], map.data[3 * i + 2]};
      other += colours.emplace(classes[i], colour).first->second == colour ? 0U : 1U;
      different.insert(colour);
    }
    EXPECT_LE(other, kNearTies);
    EXPECT_EQ(different.size(), wanted.at("areas").size());
  }
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(json::parse(line).at("status"), "error");
  const std::string first = kPhotos + "cat.jpg,ok,451,300," + cases[0]["areas"][0][0].dump() + "," +
                            model.labels().names.at(cases[0]["areas"][0][0].get<std::size_t>()) + ",,,,,," +
                            cases[0]["areas"][0][1].dump() + ",,,,\n";
  EXPECT_THAT(bytes_of(folder.at("rows.csv")), HasSubstr(first));
}

TEST(SemanticRows, PicturesHaveAFolderOfTheirOwn) {
  const test::ScratchFolder folder;
  InputList inputs;
  inputs.paths = {folder.copy(kPhotos + "cat.jpg", "cat.jpg")};
  const Model model = model_of("lraspp.pt");
  const auto refusal = [&](const std::string& output, bool force) {
    JobOptions options;
    options.outputs = {output};
    options.force = force;
    try {
      run_job(model, inputs, options);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      return std::string(error.what());
    }
    return std::string("none");
  };
  EXPECT_THAT(refusal(folder.at(""), false), HasSubstr("holds files already"));
  EXPECT_THAT(refusal(folder.at(""), true), HasSubstr("holds images to read"));
  EXPECT_THAT(refusal(folder.at("cat.jpg/"), true), HasSubstr("is no folder"));
  EXPECT_THAT(refusal(folder.at("missing/maps/"), false), HasSubstr("does not exist"));
  EXPECT_EQ(refusal(folder.at("maps/"), false), "none");
  EXPECT_TRUE(std::filesystem::exists(folder.at("maps/cat.png")));

  JobOptions options;
  options.outputs = {folder.at("other/")};
  EXPECT_THROW(check_outputs(options, Task::classify), Error);
  EXPECT_NO_THROW(check_outputs(options, Task::segment));
}

// A size that the caller fixes stretches the photo; the map is still the photo's.
TEST(SemanticRows, AnotherPreprocessing) {
  LoadOptions loading;
  set_preset_field(loading.preset, "resize_mode", "stretch");
  set_preset_field(loading.preset, "input_size", "96x128");
  PredictOptions options;
  options.batch_size = 2;
  Predictor predictor(load_model(kFolder + "lraspp.pt", loading), options);
  Input cat;
  cat.path = kPhotos + "cat.jpg";
  Input rocket;
  rocket.path = kPhotos + "rocket.jpg";
  const std::vector<Outcome> outcomes = predictor.predict({cat, rocket});
  for (const Outcome& outcome : outcomes) {
    ASSERT_TRUE(outcome.ok()) << outcome.failure.message;
    EXPECT_EQ(outcome.prediction->geometry.input_width, 128);
    EXPECT_EQ(outcome.prediction->segment_map.size(),
              static_cast<std::size_t>(outcome.prediction->geometry.original_width) *
                  static_cast<std::size_t>(outcome.prediction->geometry.original_height));
  }
  LoadOptions two_numbers;
  set_preset_field(two_numbers.preset, "input_size", "96x128");
  EXPECT_THROW(Predictor(load_model(kFolder + "lraspp.pt", two_numbers)), Error);
}

}  // namespace
}  // namespace ptrun
