#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "support/made_model.h"
#include "task/task.h"
#include "unit/task/one_image.h"

namespace ptrun {
namespace {

using nlohmann::json;
using test::error_of;
using test::one_image;
using ::testing::HasSubstr;

Model detector(const std::string& form, std::vector<std::string> labels = {"cat", "raccoon", "rocket"}) {
  auto impl = std::make_shared<Model::Impl>();
  impl->path = "test.pt";
  impl->task = Task::detect;
  impl->task_given = true;
  impl->labels.names = std::move(labels);
  impl->signature.output.spec.name = form;
  return Model(impl);
}

json golden() {
  std::ifstream file(std::string(PTRUN_TEST_DATA) + "/ultralytics/boxes.json");
  return json::parse(file);
}

at::Tensor cells_of(const json& boxes) {
  return at::tensor(boxes.at("cells").get<std::vector<float>>())
      .view(boxes.at("shape").get<std::vector<std::int64_t>>());
}

void expect_detections(const std::vector<Detection>& found, const json& expected) {
  ASSERT_EQ(found.size(), expected.size());
  ASSERT_GT(found.size(), 10U);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto row = expected[i].get<std::vector<float>>();
    EXPECT_NEAR(found[i].x1, row[0], 1e-3) << i;
    EXPECT_NEAR(found[i].y1, row[1], 1e-3) << i;
    EXPECT_NEAR(found[i].x2, row[2], 1e-3) << i;
    EXPECT_NEAR(found[i].y2, row[3], 1e-3) << i;
    EXPECT_NEAR(found[i].score, row[4], 1e-6) << i;
    EXPECT_EQ(found[i].index, static_cast<int>(row[5])) << i;
  }
}

PredictOptions forty() {
  PredictOptions options;
  options.max_detections = 40;
  return options;
}

TEST(Detect, EqualsUltralytics) {
  const json boxes = golden();
  std::vector<Outcome> outcomes = one_image();
  make_task(detector("cells"), forty())->read(cells_of(boxes), outcomes);
  expect_detections(outcomes[0].prediction->detections, boxes.at("detections"));
  EXPECT_EQ(outcomes[0].prediction->detections[0].label,
            std::vector<std::string>({"cat", "raccoon", "rocket"})[boxes["detections"][0][5].get<std::size_t>()]);
}

TEST(Detect, AnchorsMultiplyObjectness) {
  const json boxes = golden();
  const at::Tensor rows = cells_of(boxes).transpose(1, 2);
  const at::Tensor sure = at::ones({1, rows.size(1), 1});
  const at::Tensor anchors = at::cat({rows.slice(2, 0, 4), sure, rows.slice(2, 4)}, 2);
  std::vector<Outcome> outcomes = one_image();
  make_task(detector("anchors"), forty())->read(anchors, outcomes);
  expect_detections(outcomes[0].prediction->detections, boxes.at("detections"));

  outcomes = one_image();
  make_task(detector("anchors"), forty())
      ->read(at::cat({rows.slice(2, 0, 4), sure * 0.1, rows.slice(2, 4)}, 2), outcomes);
  EXPECT_TRUE(outcomes[0].prediction->detections.empty());
}

TEST(Detect, BestAreTakenAsTheyAre) {
  // Two boxes on each other: an end-to-end head has suppressed already.
  const at::Tensor best = at::tensor({0.0F, 107.0F, 640.0F, 533.0F, 0.9F, 2.0F, 0.0F, 107.0F, 640.0F, 533.0F, 0.8F,
                                      2.0F, 5.0F, 120.0F, 30.0F, 150.0F, 0.1F, 0.0F})
                              .view({1, 3, 6});
  std::vector<Outcome> outcomes = one_image();
  make_task(detector("best"), {})->read(best, outcomes);
  const std::vector<Detection>& found = outcomes[0].prediction->detections;
  ASSERT_EQ(found.size(), 2U);
  EXPECT_NEAR(found[0].x2, 451, 1e-3);
  EXPECT_NEAR(found[0].y1, 0, 1e-3);
  EXPECT_EQ(found[0].label, "rocket");
}

TEST(Detect, RefusesOtherForms) {
  std::vector<Outcome> outcomes = one_image();
  EXPECT_THAT(error_of([&] {
                make_task(detector("cells"), {})->read(at::zeros({1, 5}), outcomes);
              }).what(),
              HasSubstr("expected boxes of a detector"));
  EXPECT_THAT(error_of([&] { make_task(detector("output", {}), {}); }).what(), HasSubstr("--task tensors"));
  EXPECT_THAT(error_of([&] {
                make_task(detector("output"), {})->read(at::zeros({1, 9, 5}), outcomes);
              }).what(),
              HasSubstr("3 labels do not"));
}

TEST(Detect, NotANumberFailsTheImage) {
  std::vector<Outcome> outcomes = one_image();
  at::Tensor cells = at::zeros({1, 7, 10});
  cells[0][4][3] = std::numeric_limits<float>::quiet_NaN();
  make_task(detector("cells"), {})->read(cells, outcomes);
  EXPECT_FALSE(outcomes[0].ok());
  EXPECT_EQ(outcomes[0].failure.stage, Stage::model);
}

}  // namespace
}  // namespace ptrun
