#include "task/task.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "ptrun/error.h"
#include "support/made_model.h"

namespace ptrun {
namespace {

using test::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Model model_of(Task task, std::vector<std::string> labels = {}, Signature signature = {}) {
  return test::made_model({.signature = std::move(signature), .task = task, .labels = std::move(labels)});
}

std::vector<Outcome> images(std::size_t count) {
  std::vector<Outcome> outcomes(count);
  for (Outcome& outcome : outcomes) {
    outcome.prediction.emplace();
    outcome.prediction->geometry.original_width = 640;
  }
  return outcomes;
}

std::vector<int> indices(const Outcome& outcome) {
  std::vector<int> result;
  for (const ClassScore& score : outcome.prediction->classes) result.push_back(score.index);
  return result;
}

TEST(Classify, SoftmaxTopKWithLabels) {
  PredictOptions options;
  options.topk = 2;
  const auto head = make_task(model_of(Task::classify, {"a", "b", "c"}), options);
  auto outcomes = images(2);
  head->read(at::tensor({1.0F, 3.0F, 2.0F, 1000.0F, -1000.0F, 0.0F}).reshape({2, 3}), outcomes);
  const Prediction& first = *outcomes[0].prediction;
  EXPECT_THAT(indices(outcomes[0]), ElementsAre(1, 2));
  EXPECT_EQ(first.classes[0].label, "b");
  const double sum = std::exp(1.0) + std::exp(3.0) + std::exp(2.0);
  EXPECT_NEAR(first.classes[0].score, std::exp(3.0) / sum, 1e-6);
  EXPECT_NEAR(first.classes[1].score, std::exp(2.0) / sum, 1e-6);
  EXPECT_FALSE(first.logits);
  EXPECT_EQ(first.geometry.original_width, 640);
  EXPECT_EQ(outcomes[1].prediction->classes[0].score, 1.0F);
}

TEST(Classify, TiesGoToTheLowerIndexAndRankingIsByLogits) {
  const auto head = make_task(model_of(Task::classify), {});
  auto outcomes = images(1);
  // 200.0 and 200.00002 are the same probability 0.5 in float; the order is still theirs.
  head->read(at::tensor({200.0F, 5.0F, 5.0F, 200.00002F, 5.0F, -1.0F}).reshape({1, 6}), outcomes);
  EXPECT_THAT(indices(outcomes[0]), ElementsAre(3, 0, 1, 2, 4));
  EXPECT_EQ(outcomes[0].prediction->classes[0].label, "");
}

TEST(Classify, OtherActivations) {
  PredictOptions options;
  options.topk = 1;
  options.activation = Activation::sigmoid;
  auto outcomes = images(1);
  make_task(model_of(Task::classify), options)->read(at::tensor({0.0F, 2.0F}).reshape({1, 2}), outcomes);
  EXPECT_NEAR(outcomes[0].prediction->classes[0].score, 1.0 / (1.0 + std::exp(-2.0)), 1e-6);
  options.activation = Activation::none;
  make_task(model_of(Task::classify), options)->read(at::tensor({0.0F, 2.0F}).reshape({1, 2}), outcomes);
  EXPECT_EQ(outcomes[0].prediction->classes[0].score, 2.0F);
  EXPECT_TRUE(outcomes[0].prediction->logits);
  options.topk = 0;
  EXPECT_EQ(error_of([&] { make_task(model_of(Task::classify), options); }).code(), ErrorCode::invalid_argument);
}

TEST(Classify, NanAndInfFailTheirImageAlone) {
  const auto head = make_task(model_of(Task::classify), {});
  auto outcomes = images(3);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  head->read(at::tensor({1.0F, nan, 1.0F, 2.0F, inf, 0.0F}).reshape({3, 2}), outcomes);
  EXPECT_FALSE(outcomes[0].ok());
  EXPECT_EQ(outcomes[0].failure.stage, Stage::model);
  EXPECT_THAT(outcomes[0].failure.message, HasSubstr("test.pt: returned NaN or infinite"));
  EXPECT_TRUE(outcomes[1].ok());
  EXPECT_THAT(indices(outcomes[1]), ElementsAre(1, 0));
  EXPECT_FALSE(outcomes[2].ok());
}

TEST(Classify, OutputsOfOtherShapesAreRefused) {
  const auto head = make_task(model_of(Task::classify), {});
  auto outcomes = images(2);
  const auto refused = [&](const c10::IValue& output, const char* found) {
    const Error error = error_of([&] { head->read(output, outcomes); });
    EXPECT_EQ(error.code(), ErrorCode::model_failed);
    EXPECT_THAT(error.what(), HasSubstr(found));
    EXPECT_THAT(error.what(), HasSubstr("--task tensors"));
  };
  refused(at::zeros({2, 5, 7, 7}), "[2, 5, 7, 7]");
  refused(at::zeros({3, 5}), "[3, 5]");
  refused(at::zeros({2, 5}, at::kLong), "[2, 5]");
  refused(c10::ivalue::Tuple::create({at::zeros({2, 5})}), "Tuple");
  // Global pooling without flatten.
  head->read(at::tensor({1.0F, 2.0F, 2.0F, 1.0F}).reshape({2, 2, 1, 1}), outcomes);
  EXPECT_THAT(indices(outcomes[1]), ElementsAre(0, 1));
}

TEST(Tensors, TheTreeIsFlattenedWithNames) {
  Signature signature;
  signature.output.kind = OutputNode::Kind::tuple;
  signature.output.children.resize(2);
  signature.output.children[0].spec.name = "logits";
  const auto head = make_task(model_of(Task::tensors, {}, signature), {});
  auto outcomes = images(2);
  c10::Dict<std::string, at::Tensor> dict;
  dict.insert("map", at::arange(4, at::kLong).reshape({2, 2}));
  dict.insert("shared", at::ones({3}));
  head->read(c10::ivalue::Tuple::create({at::tensor({1.0F, 2.0F}).reshape({2, 1}), dict}), outcomes);
  const auto& tensors = outcomes[1].prediction->tensors;
  ASSERT_EQ(tensors.size(), 3U);
  EXPECT_EQ(tensors[0].name, "logits");
  EXPECT_THAT(tensors[0].shape, ElementsAre(1));
  float value = 0.0F;
  std::memcpy(&value, tensors[0].data.data(), sizeof value);
  EXPECT_EQ(value, 2.0F);
  EXPECT_EQ(tensors[1].name, "1.map");
  EXPECT_EQ(tensors[1].dtype, DType::int64);
  std::int64_t cell = 0;
  std::memcpy(&cell, tensors[1].data.data() + sizeof cell, sizeof cell);
  EXPECT_EQ(cell, 3);
  EXPECT_EQ(tensors[2].name, "1.shared");
  EXPECT_THAT(tensors[2].shape, ElementsAre(3));
  EXPECT_EQ(outcomes[1].prediction->task, Task::tensors);
  EXPECT_FALSE(tensors[1].per_image);
}

TEST(Tensors, DetectionListsGiveEachImageItsEntry) {
  Signature signature;
  signature.form = InputForm::list_chw;
  const auto head = make_task(model_of(Task::tensors, {}, signature), {});
  auto outcomes = images(2);
  c10::impl::GenericList list(c10::DictType::create(c10::StringType::get(), c10::TensorType::get()));
  for (std::int64_t boxes : {2, 0}) {
    c10::Dict<std::string, at::Tensor> dict;
    dict.insert("boxes", at::zeros({boxes, 4}));
    list.push_back(dict);
  }
  const c10::IValue losses = c10::Dict<std::string, at::Tensor>();
  head->read(c10::ivalue::Tuple::create({losses, list}), outcomes);
  EXPECT_THAT(outcomes[0].prediction->tensors.at(0).shape, ElementsAre(2, 4));
  EXPECT_THAT(outcomes[1].prediction->tensors.at(0).shape, ElementsAre(0, 4));
  EXPECT_EQ(outcomes[0].prediction->tensors.at(0).name, "boxes");
  EXPECT_TRUE(outcomes[0].prediction->tensors.at(0).per_image);
  auto three = images(3);
  EXPECT_EQ(error_of([&] { head->read(list, three); }).code(), ErrorCode::model_failed);
}

TEST(Tensors, NanFailsTheImage) {
  const auto head = make_task(model_of(Task::tensors), {});
  auto outcomes = images(2);
  head->read(at::tensor({1.0F, std::numeric_limits<float>::quiet_NaN()}).reshape({2, 1}), outcomes);
  EXPECT_TRUE(outcomes[0].ok());
  EXPECT_EQ(outcomes[0].prediction->tensors.at(0).name, "output");
  EXPECT_FALSE(outcomes[1].ok());
}

TEST(Tasks, AnUnbuiltTaskIsAnsweredWithTheKnownOnes) {
  const Model model = test::made_model({.task = Task::restore, .task_given = true});
  const Error error = error_of([&] { make_task(model, {}); });
  EXPECT_EQ(error.code(), ErrorCode::unsupported);
  EXPECT_THAT(error.what(), HasSubstr("its task is restore"));
  EXPECT_THAT(error.what(), HasSubstr("classify"));
}

TEST(Tasks, AnUnbuiltTaskThatTheFileNamesGivesRawOutputsAndSaysSo) {
  std::string said;
  PredictOptions options;
  options.log = [&](LogLevel /*level*/, const std::string& text) { said = text; };
  const auto head = make_task(model_of(Task::restore), options);
  EXPECT_THAT(said, HasSubstr("its task is restore"));
  auto outcomes = images(1);
  head->read(at::ones({1, 2}), outcomes);
  EXPECT_EQ(outcomes[0].prediction->tensors.size(), 1U);
}

}  // namespace
}  // namespace ptrun
