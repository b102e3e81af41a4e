// Class maps from logits; those of ultralytics' head against its own predictor.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "golden/named_values.h"
#include "support/made_model.h"
#include "task/class_map.h"
#include "task/masks.h"
#include "task/task.h"
#include "unit/task/one_image.h"

namespace ptrun {
namespace {

using test::error_of;
using test::one_image;
using ::testing::HasSubstr;
using testing::named_values;

Model segmenter(OutputNode::Kind kind = OutputNode::Kind::tensor) {
  test::MadeModel parts;
  parts.task = Task::segment;
  parts.task_given = true;
  parts.labels = {"background", "cat"};
  parts.signature.output.kind = kind;
  return test::made_model(std::move(parts));
}

std::vector<Outcome> read(const Model& model, const c10::IValue& output) {
  std::vector<Outcome> outcomes = one_image();
  make_task(model, {})->read(output, outcomes);
  return outcomes;
}

c10::IValue dict(const std::vector<std::pair<std::string, at::Tensor>>& entries) {
  c10::impl::GenericDict made(c10::StringType::get(), c10::TensorType::get());
  for (const auto& [name, tensor] : entries) made.insert(name, tensor);
  return made;
}

// The pixels of class `index`, as pycocotools counts them.
std::string counts_of(const Prediction& prediction, std::uint8_t index) {
  const int width = prediction.geometry.original_width;
  const int height = prediction.geometry.original_height;
  MaskEncoder encoder(width, height);
  for (int x = 0; x < width; ++x) {
    for (int y = 0; y < height; ++y) {
      if (prediction.segment_map[static_cast<std::size_t>(y * width + x)] == index) {
        encoder.add(std::int64_t{x} * height + y, 1);
      }
    }
  }
  return encoder.finish().counts;
}

TEST(Semantic, EqualsUltralytics) {
  std::ifstream file(PTRUN_TEST_DATA "/ultralytics/semantic.json");
  const nlohmann::json golden = nlohmann::json::parse(file);
  for (const int classes : {1, 3}) {
    const auto outcomes = read(segmenter(), named_values("semantic", {1, classes, 20, 20}));
    ASSERT_TRUE(outcomes[0].ok());
    const auto wanted = golden.at(std::to_string(classes)).get<std::vector<std::string>>();
    ASSERT_EQ(wanted.size(), static_cast<std::size_t>(std::max(classes, 2)));
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_EQ(counts_of(*outcomes[0].prediction, static_cast<std::uint8_t>(i)), wanted[i]) << classes << " " << i;
    }
  }
}

TEST(Semantic, AreasAreTheLargestFirstWithLabels) {
  at::Tensor logits = at::zeros({1, 3, 640, 640});
  logits[0][2] += 1;                             // everywhere
  logits[0][1].slice(0, 0, 107 + 142).fill_(2);  // the upper third of the photo
  const auto outcomes = read(segmenter(), logits);
  ASSERT_TRUE(outcomes[0].ok());
  const std::vector<SegmentArea>& areas = outcomes[0].prediction->segments;
  ASSERT_EQ(areas.size(), 2U);
  EXPECT_EQ(areas[0].index, 2);
  EXPECT_EQ(areas[0].label, "");
  EXPECT_EQ(areas[0].area, 451 * 200);
  EXPECT_EQ(areas[1].label, "cat");
  EXPECT_EQ(areas[1].area, 451 * 100);
  EXPECT_TRUE(outcomes[0].prediction->detections.empty());
}

TEST(Semantic, OutputsOfEveryForm) {
  const at::Tensor logits = named_values("logits", {1, 3, 20, 20});
  const at::Tensor other = at::zeros({1, 3, 20, 20});
  const auto map = read(segmenter(), logits)[0].prediction->segment_map;
  const auto of = [&](const c10::IValue& output, OutputNode::Kind kind) {
    return read(segmenter(kind), output)[0].prediction->segment_map;
  };
  EXPECT_EQ(of(dict({{"aux", other}, {"out", logits}}), OutputNode::Kind::dict), map);
  EXPECT_EQ(of(dict({{"logits", logits}, {"hidden", other}}), OutputNode::Kind::dict), map);
  EXPECT_EQ(of(dict({{"any", logits}}), OutputNode::Kind::dict), map);
  EXPECT_EQ(of(c10::ivalue::Tuple::create({logits, other}), OutputNode::Kind::tensor), map);
}

TEST(Semantic, WhatCannotBeRead) {
  const auto message = [](const c10::IValue& output) {
    return std::string(error_of([&] { read(segmenter(), output); }).what());
  };
  EXPECT_THAT(message(at::zeros({1, 3, 20})),
              HasSubstr("shape [1, 3, 20], expected logits [1, classes, height, width]"));
  EXPECT_THAT(message(at::zeros({2, 3, 20, 20})), HasSubstr("expected logits [1,"));
  EXPECT_THAT(message(at::zeros({1, 3, 20, 0})), HasSubstr("expected logits [1,"));
  EXPECT_THAT(message(at::zeros({1, 3, 20, 20}, at::kLong)), HasSubstr("expected logits"));
  EXPECT_THAT(message(at::zeros({1, 256, 2, 2})), HasSubstr("at most 255 classes"));
  EXPECT_THAT(message(dict({{"a", at::zeros({1, 2, 2, 2})}, {"b", at::zeros({1, 2, 2, 2})}})), HasSubstr(R"("out")"));
  at::Tensor bad = at::zeros({1, 2, 2, 2});
  bad[0][1][1][1] = std::numeric_limits<float>::quiet_NaN();
  const auto outcomes = read(segmenter(), bad);
  EXPECT_FALSE(outcomes[0].ok());
  EXPECT_THAT(outcomes[0].failure.message, HasSubstr("NaN or infinite logits"));
}

// A crop shows the middle of the photo; of the rest nothing is known.
TEST(Semantic, WhatACropLeftOutHasNoClass) {
  std::vector<Outcome> outcomes = one_image();
  Geometry& geometry = outcomes[0].prediction->geometry;
  geometry.original_width = 100;
  geometry.original_height = 50;
  geometry.input_width = geometry.input_height = 40;
  geometry.scale_x = geometry.scale_y = 1.0;
  geometry.offset_x = -30;
  geometry.offset_y = -5;
  make_task(segmenter(), {})->read(at::ones({1, 1, 40, 40}), outcomes);
  const Prediction& prediction = *outcomes[0].prediction;
  ASSERT_EQ(prediction.segments.size(), 1U);
  EXPECT_EQ(prediction.segments[0].area, 40 * 40);
  EXPECT_EQ(prediction.segment_map[5 * 100 + 30], 1);
  EXPECT_EQ(prediction.segment_map[4 * 100 + 30], kUnseen);
  EXPECT_EQ(prediction.segment_map[44 * 100 + 69], 1);
  EXPECT_EQ(prediction.segment_map[44 * 100 + 70], kUnseen);
}

}  // namespace
}  // namespace ptrun
