// Masks, keypoints and rotated boxes against what ultralytics' own predictors make of the same outputs.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "golden/named_values.h"
#include "support/made_model.h"
#include "task/masks.h"
#include "task/task.h"
#include "unit/task/one_image.h"

namespace ptrun {
namespace {

using nlohmann::json;
using test::error_of;
using test::one_image;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::named_values;

json read_numbers(const std::string& name) {
  std::ifstream file(std::string(PTRUN_TEST_DATA) + "/ultralytics/" + name);
  return json::parse(file);
}

at::Tensor cells() {
  const json boxes = read_numbers("boxes.json");
  return at::tensor(boxes.at("cells").get<std::vector<float>>())
      .view(boxes.at("shape").get<std::vector<std::int64_t>>());
}

std::shared_ptr<Model::Impl> detector(Task task, const std::string& form) {
  auto impl = std::make_shared<Model::Impl>();
  impl->path = "test.pt";
  impl->task = task;
  impl->task_given = true;
  impl->labels.names = {"cat", "raccoon", "rocket"};
  impl->signature.output.kind = task == Task::segment ? OutputNode::Kind::tuple : OutputNode::Kind::tensor;
  impl->signature.output.spec.name = form;
  return impl;
}

std::vector<Detection> read_one(const std::shared_ptr<Model::Impl>& model, const c10::IValue& output,
                                PredictOptions options = {}) {
  std::vector<Outcome> outcomes = one_image();
  make_task(Model(model), options)->read(output, outcomes);
  EXPECT_TRUE(outcomes[0].ok()) << outcomes[0].failure.message;
  return outcomes[0].ok() ? outcomes[0].prediction->detections : std::vector<Detection>();
}

PredictOptions at_most(int detections) {
  PredictOptions options;
  options.max_detections = detections;
  return options;
}

c10::IValue masked(const at::Tensor& rows) {
  return c10::ivalue::Tuple::create({rows, named_values("prototypes", {1, 3, 160, 160})});
}

void expect_masks(const std::vector<Detection>& found) {
  const json golden = read_numbers("objects.json");
  ASSERT_EQ(found.size(), golden.at("detections").size());
  ASSERT_GT(found.size(), 8U);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto row = golden["detections"][i].get<std::vector<float>>();
    EXPECT_NEAR(found[i].x1, row[0], 1e-3) << i;
    EXPECT_NEAR(found[i].y2, row[3], 1e-3) << i;
    EXPECT_NEAR(found[i].score, row[4], 1e-6) << i;
    EXPECT_EQ(found[i].index, static_cast<int>(row[5])) << i;
    ASSERT_TRUE(found[i].mask);
    EXPECT_EQ(found[i].mask->width, 451);
    EXPECT_EQ(found[i].mask->height, 300);
    EXPECT_EQ(found[i].mask->counts, golden["counts"][i].get<std::string>()) << i;
  }
}

TEST(Segment, EqualsUltralytics) {
  const at::Tensor rows = at::cat({cells(), named_values("coefficients", {1, 3, 150})}, 1);
  expect_masks(read_one(detector(Task::segment, "cells"), masked(rows), at_most(12)));
  // A TorchScript file gives its outputs no names: the number of labels tells the form.
  expect_masks(read_one(detector(Task::segment, ""), masked(rows), at_most(12)));
}

TEST(Segment, AnchorsMultiplyObjectness) {
  const at::Tensor rows = cells().transpose(1, 2);
  const at::Tensor coefficients = named_values("coefficients", {1, 3, 150}).transpose(1, 2);
  const at::Tensor sure = at::ones({1, rows.size(1), 1});
  const at::Tensor anchors = at::cat({rows.slice(2, 0, 4), sure, rows.slice(2, 4), coefficients}, 2);
  expect_masks(read_one(detector(Task::segment, "anchors"), masked(anchors), at_most(12)));
}

TEST(Segment, RefusesOutputsWithoutPrototypes) {
  std::vector<Outcome> outcomes = one_image();
  const auto head = make_task(Model(detector(Task::segment, "cells")), {});
  EXPECT_THAT(error_of([&] { head->read(cells(), outcomes); }).what(), HasSubstr("expected rows of objects and mask"));
  const c10::IValue flat = c10::ivalue::Tuple::create({cells(), at::zeros({1, 3, 20})});
  EXPECT_THAT(error_of([&] { head->read(flat, outcomes); }).what(), HasSubstr("prototypes of shape [1, 3, 20]"));
  const c10::IValue many = c10::ivalue::Tuple::create({cells(), at::zeros({1, 4, 20, 20})});
  EXPECT_THAT(error_of([&] { head->read(many, outcomes); }).what(), HasSubstr("expected boxes of a detector"));
}

TEST(Segment, NotANumberFailsTheImage) {
  std::vector<Outcome> outcomes = one_image();
  at::Tensor prototypes = at::zeros({1, 3, 20, 20});
  prototypes[0][1][2][3] = std::numeric_limits<float>::infinity();
  const at::Tensor rows = at::cat({cells(), named_values("coefficients", {1, 3, 150})}, 1);
  make_task(Model(detector(Task::segment, "cells")), {})
      ->read(c10::ivalue::Tuple::create({rows, prototypes}), outcomes);
  EXPECT_FALSE(outcomes[0].ok());
}

// A crop shows the middle of the photo; a mask of all ones ends where the crop or the box does.
TEST(Masks, OfACropEndAtItsBorder) {
  Geometry geometry;
  geometry.original_width = 100;
  geometry.original_height = 50;
  geometry.input_width = geometry.input_height = 40;
  geometry.scale_x = geometry.scale_y = 1.0;
  geometry.offset_x = -30;
  geometry.offset_y = -5;
  const Plane ones{10, 10, std::vector<float>(100, 1.0F)};
  Detection box;
  box.x2 = 33;
  box.y1 = 10.5F;
  box.y2 = 100;
  const auto mask = object_mask(ones, box, geometry);
  ASSERT_TRUE(mask);
  MaskEncoder expected(100, 50);
  for (int x = 30; x < 33; ++x) expected.add(x * 50 + 11, 34);
  EXPECT_EQ(mask->counts, expected.finish().counts);
  box.x2 = 29;
  EXPECT_FALSE(object_mask(ones, box, geometry));
}

// pycocotools 2.0.11: mask.encode of a 3 x 2 array, first all zeros, all ones, then columns 0 1 0 and 1 1 1.
TEST(Masks, AreEncodedAsPycocotoolsDoes) {
  EXPECT_EQ(MaskEncoder(2, 3).finish().counts, "6");
  MaskEncoder all(2, 3);
  all.add(0, 3);
  all.add(3, 3);
  EXPECT_EQ(all.finish().counts, "06");
  MaskEncoder some(2, 3);
  some.add(1, 1);
  some.add(3, 3);
  EXPECT_EQ(some.finish().counts, "1112");
}

TEST(Keypoints, EqualUltralytics) {
  const auto model = detector(Task::keypoints, "cells");
  model->keypoint_shape = {4, 3};
  const at::Tensor points = named_values("points", {1, 12, 150}) * 300 + 320;
  const std::vector<Detection> found = read_one(model, at::cat({cells(), points}, 1), at_most(40));
  const json golden = read_numbers("objects.json").at("keypoints");
  ASSERT_EQ(found.size(), golden.size());
  ASSERT_GT(found.size(), 20U);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto row = golden[i].get<std::vector<float>>();
    ASSERT_EQ(found[i].keypoints.size(), 4U);
    for (std::size_t k = 0; k < 4; ++k) {
      EXPECT_NEAR(found[i].keypoints[k].x, row[3 * k], 1e-3) << i;
      EXPECT_NEAR(found[i].keypoints[k].y, row[3 * k + 1], 1e-3) << i;
      EXPECT_NEAR(found[i].keypoints[k].score, row[3 * k + 2], 1e-3) << i;
    }
  }
}

TEST(Keypoints, OfTwoNumbersAreVisible) {
  const auto model = detector(Task::keypoints, "cells");
  model->keypoint_shape = {1, 2};
  const std::vector<Detection> found = read_one(model, at::cat({cells(), at::full({1, 2, 150}, 320.0)}, 1));
  ASSERT_FALSE(found.empty());
  EXPECT_NEAR(found[0].keypoints.at(0).x, 225.5, 1e-3);
  EXPECT_EQ(found[0].keypoints[0].score, 1.0F);
}

TEST(Keypoints, NeedTheirNumber) {
  EXPECT_THAT(error_of([] { make_task(Model(detector(Task::keypoints, "cells")), {}); }).what(),
              HasSubstr("does not say how many keypoints"));
}

void expect_rotated(const std::vector<Detection>& found, const json& golden) {
  ASSERT_EQ(found.size(), golden.size());
  ASSERT_GT(found.size(), 30U);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto row = golden[i].get<std::vector<float>>();
    ASSERT_EQ(found[i].corners.size(), 4U);
    for (std::size_t k = 0; k < 4; ++k) {
      EXPECT_NEAR(found[i].corners[k].x, row[2 * k], 2e-3) << i;
      EXPECT_NEAR(found[i].corners[k].y, row[2 * k + 1], 2e-3) << i;
    }
    EXPECT_NEAR(found[i].score, row[8], 1e-6) << i;
    EXPECT_EQ(found[i].index, static_cast<int>(row[9])) << i;
    EXPECT_GE(found[i].x1, 0.0F);
    EXPECT_LE(found[i].y2, 300.0F);
  }
}

TEST(Rotated, EqualsUltralytics) {
  const auto model = detector(Task::detect, "cells");
  model->rotated_boxes = true;
  const at::Tensor rows = at::cat({cells(), named_values("angles", {1, 1, 150})}, 1);
  PredictOptions options;
  options.max_detections = 150;
  const json golden = read_numbers("objects.json");
  expect_rotated(read_one(model, rows, options), golden.at("rotated_0.7"));
  options.iou = 0.2F;
  expect_rotated(read_one(model, rows, options), golden.at("rotated_0.2"));
}

// rotated_cells() of scripts/fixtures/make_ultralytics.py: 16 classes, scores 0.003 apart.
at::Tensor rotated_cells() {
  const at::Tensor u = named_values("rotated", {1, 21, 240}) / 4 + 0.5;
  at::Tensor cells = at::cat(
      {u.slice(1, 0, 2) * 640, u.slice(1, 2, 4) * 200 + 40, u.slice(1, 4, 20) / 4, u.slice(1, 20) * 3 - 0.75}, 1);
  cells.slice(1, 0, 4).slice(2, 120).copy_(cells.slice(1, 0, 4).slice(2, 0, 120) + 3);
  cells.slice(1, 20).slice(2, 120).copy_(cells.slice(1, 20).slice(2, 0, 120) + 0.125);
  for (std::int64_t i = 0; i < 240; ++i) {
    const std::int64_t index = (i % 120 * 7 + i / 120 * (i % 2)) % 16;
    cells[0][4 + index][i] = 0.26 + 0.003 * static_cast<double>(i * 101 % 240);
  }
  return cells;
}

TEST(Rotated, OfManyClassesEqualUltralyticsInOrder) {
  const auto model = detector(Task::detect, "cells");
  model->rotated_boxes = true;
  model->labels.names.clear();
  for (int i = 0; i < 16; ++i) model->labels.names.push_back(std::to_string(i));
  PredictOptions options;
  options.max_detections = 240;
  const json golden = read_numbers("objects.json").at("rotated_classes");
  ASSERT_GT(golden.size(), 120U);  // neighbours of another class stay
  ASSERT_LT(golden.size(), 240U);  // those of the same class do not
  expect_rotated(read_one(model, rotated_cells(), options), golden);
}

TEST(Rotated, BestAreTakenAsTheyAre) {
  const auto model = detector(Task::detect, "best");
  model->rotated_boxes = true;
  const at::Tensor best = at::tensor({320.0F, 320.0F, 142.0F, 71.0F, 0.9F, 2.0F, static_cast<float>(M_PI / 2), 320.0F,
                                      320.0F, 142.0F, 71.0F, 0.8F, 1.0F, 0.0F})
                              .view({1, 2, 7});
  const std::vector<Detection> found = read_one(model, best);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].label, "rocket");
  EXPECT_NEAR(found[1].corners[0].x - found[1].corners[3].x, 142 * 451.0 / 640, 1e-3);
  EXPECT_NEAR(found[1].x1, found[1].corners[3].x, 1e-3);
  EXPECT_NEAR(found[1].y2, 150 + 71 / 1.42 / 2, 1e-3);
}

// One image's entry of torchvision's detectors: two objects, the second one below the confidence.
c10::Dict<std::string, at::Tensor> listed_entry() {
  c10::Dict<std::string, at::Tensor> entry;
  entry.insert("boxes", at::tensor({-1.0F, 2.0F, 5.0F, 500.0F, 0.0F, 0.0F, 9.0F, 9.0F}).view({2, 4}));
  entry.insert("labels", at::tensor({2, 1}, at::kLong));
  entry.insert("scores", at::tensor({0.75F, 0.125F}));
  return entry;
}

std::vector<Outcome> read_listed(Task task, const c10::Dict<std::string, at::Tensor>& entry) {
  const auto model = detector(task, "");
  model->signature.form = InputForm::list_chw;
  c10::impl::GenericList list(c10::DictType::create(c10::StringType::get(), c10::TensorType::get()));
  list.push_back(entry);
  std::vector<Outcome> outcomes = one_image();
  make_task(Model(model), {})->read(c10::ivalue::Tuple::create({c10::Dict<std::string, at::Tensor>(), list}), outcomes);
  return outcomes;
}

TEST(Listed, BoxesAreThoseOfThePhoto) {
  const std::vector<Outcome> outcomes = read_listed(Task::detect, listed_entry());
  const std::vector<Detection>& found = outcomes[0].prediction->detections;
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].label, "rocket");
  EXPECT_EQ(found[0].score, 0.75F);
  EXPECT_THAT((std::vector<float>{found[0].x1, found[0].y1, found[0].x2, found[0].y2}), ElementsAre(0, 2, 5, 300));
  EXPECT_FALSE(found[0].mask);
}

TEST(Listed, MasksAreCutAtOneHalf) {
  auto entry = listed_entry();
  at::Tensor masks = at::full({2, 1, 300, 451}, 0.5);
  masks[0][0][7][3] = 0.6;
  entry.insert("masks", masks);
  const std::vector<Outcome> outcomes = read_listed(Task::segment, entry);
  MaskEncoder expected(451, 300);
  expected.add(3 * 300 + 7, 1);
  EXPECT_EQ(outcomes[0].prediction->detections.at(0).mask.value().counts, expected.finish().counts);
  entry.insert_or_assign("masks", at::zeros({2, 1, 28, 28}));
  EXPECT_THAT(error_of([&] { read_listed(Task::segment, entry); }).what(), HasSubstr("masks of shape [2, 1, 28, 28]"));
}

TEST(Listed, KeypointsHaveTheirOwnScores) {
  auto entry = listed_entry();
  entry.insert("keypoints", at::arange(12, at::kFloat).view({2, 2, 3}));
  entry.insert("keypoints_scores", at::tensor({7.0F, 8.0F, 0.0F, 0.0F}).view({2, 2}));
  const std::vector<Outcome> outcomes = read_listed(Task::keypoints, entry);
  const std::vector<Keypoint>& points = outcomes[0].prediction->detections.at(0).keypoints;
  ASSERT_EQ(points.size(), 2U);
  EXPECT_EQ(points[1].x, 3.0F);
  EXPECT_EQ(points[1].y, 4.0F);
  EXPECT_EQ(points[1].score, 8.0F);
}

TEST(Listed, WhatIsMissingIsNamed) {
  auto entry = listed_entry();
  EXPECT_THAT(error_of([&] { read_listed(Task::keypoints, entry); }).what(), HasSubstr("no keypoints"));
  EXPECT_EQ(entry.erase("labels"), 1U);
  EXPECT_THAT(error_of([&] { read_listed(Task::detect, entry); }).what(), HasSubstr("no labels"));
  entry = listed_entry();
  entry.insert_or_assign("scores", at::tensor({0.75F, std::numeric_limits<float>::quiet_NaN()}));
  EXPECT_FALSE(read_listed(Task::detect, entry)[0].ok());
}

TEST(Boxes, ShapesThatFitTwoFormsAreRefused) {
  const auto model = detector(Task::detect, "");
  model->labels.names = {"thing"};  // [N, A, 6] is both YOLOv5's and end-to-end's
  std::vector<Outcome> outcomes = one_image();
  const auto head = make_task(Model(model), {});
  EXPECT_THAT(error_of([&] { head->read(at::zeros({1, 9, 6}), outcomes); }).what(), HasSubstr("do not tell"));
  model->anchor_rows = true;
  make_task(Model(model), {})->read(at::zeros({1, 9, 6}), outcomes);
  EXPECT_TRUE(outcomes[0].ok());
}

TEST(Boxes, RawOutputsFollowWhereTheFileAloneSaidSo) {
  const auto model = detector(Task::keypoints, "");
  model->task_given = false;
  std::string logged;
  PredictOptions options;
  options.log = [&](LogLevel, const std::string& text) { logged = text; };
  std::vector<Outcome> outcomes = one_image();
  make_task(Model(model), options)->read(at::zeros({1, 9, 6}), outcomes);
  EXPECT_EQ(outcomes[0].prediction->tensors.size(), 1U);
  EXPECT_THAT(logged, HasSubstr("raw outputs follow"));
}

}  // namespace
}  // namespace ptrun
