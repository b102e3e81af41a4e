#include "loader/sidecar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ptrun/error.h"

namespace ptrun {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string refusal(const std::string& text) {
  try {
    read_ptrun_json(text, "m.pt.ptrun.json");
    return {};
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_model);
    return error.what();
  }
}

TEST(Sidecar, ReadsOurJson) {
  const ModelFacts facts = read_ptrun_json(
      R"({"task":"classify","labels":{"1":"dog","0":"cat"},
          "preset":{"input_size":"16x20","mean":[0.5,0.25,0.125],"std":0.5,"interpolation":"bicubic","antialias":true}})",
      "here");
  EXPECT_EQ(facts.task, "classify");
  EXPECT_THAT(facts.labels.names, ElementsAre("cat", "dog"));
  EXPECT_EQ(facts.labels.source, "here");
  EXPECT_EQ(facts.preset.source, "here");
  EXPECT_EQ(facts.preset.input_height, 16);
  EXPECT_EQ(facts.preset.input_width, 20);
  EXPECT_EQ(facts.preset.mean, (std::array<double, 3>{0.5, 0.25, 0.125}));
  EXPECT_EQ(facts.preset.std, (std::array<double, 3>{0.5, 0.5, 0.5}));
  EXPECT_EQ(facts.preset.interpolation, Interpolation::bicubic);
  EXPECT_EQ(facts.preset.antialias, true);
  EXPECT_FALSE(facts.preset.crop_pct.has_value());
}

TEST(Sidecar, ReadsShortForms) {
  const ModelFacts facts = read_ptrun_json(
      R"({"v":1,"labels":{"id2label":{"1":"dog","0":"cat"}},"preset":"timm/x","crop_pct":0.9,"architecture":"resnet18"})",
      "here");
  EXPECT_THAT(facts.labels.names, ElementsAre("cat", "dog"));
  EXPECT_EQ(facts.preset_name, "timm/x");
  EXPECT_EQ(facts.preset.crop_pct, 0.9);
  EXPECT_EQ(facts.architecture, "resnet18");
  EXPECT_THAT(read_ptrun_json(R"({"labels":{"cat":0,"dog":1}})", "here").labels.names, ElementsAre("cat", "dog"));
  EXPECT_THAT(refusal(R"({"v":2})"), HasSubstr("is of version 2, this version of ptrun reads 1"));
}

TEST(Sidecar, NamesWhatIsWrong) {
  EXPECT_THAT(refusal("[1]"), HasSubstr("is not a JSON object"));
  EXPECT_THAT(refusal("{"), HasSubstr("is not a JSON object"));
  EXPECT_THAT(refusal(R"({"lables":[]})"), AllOf(HasSubstr("has the key lables"), HasSubstr("did you mean labels?")));
  EXPECT_THAT(refusal(R"({"labels":{"0":"a","2":"b"}})"), HasSubstr("label key 2 is not one of 0 to 1"));
  EXPECT_THAT(refusal(R"({"labels":[1]})"), HasSubstr("label 0 is not text"));
  EXPECT_THAT(refusal(R"({"preset":{"means":1}})"), HasSubstr("means"));
  EXPECT_THAT(refusal(R"({"preset":{"mean":[0.5,"a",0.5]}})"), HasSubstr("mean"));
  EXPECT_THAT(refusal("{\"labels\":" + std::string(100000, '[')), HasSubstr("nests more than 64 deep"));
}

TEST(Sidecar, ReadsUltralyticsConfig) {
  const ModelFacts detect = read_ultralytics_config(
      R"({"task":"detect","imgsz":[640,480],"names":{"0":"person"},"stride":32})", "config.txt");
  EXPECT_EQ(detect.task, "detect");
  EXPECT_EQ(detect.preset.input_height, 640);
  EXPECT_EQ(detect.preset.input_width, 480);
  EXPECT_EQ(detect.preset.resize_mode, ResizeMode::letterbox);
  EXPECT_EQ(detect.preset.pad_value, 114);
  EXPECT_EQ(detect.preset.mean, (std::array<double, 3>{0, 0, 0}));
  EXPECT_THAT(detect.labels.names, ElementsAre("person"));
  const ModelFacts classify = read_ultralytics_config(R"({"task":"classify","imgsz":224})", "config.txt");
  EXPECT_EQ(classify.preset.resize_mode, ResizeMode::shortest);
  EXPECT_EQ(classify.preset.crop_pct, 1.0);
  EXPECT_THROW(read_ultralytics_config(R"({"task":"detect","imgsz":-1})", "config.txt"), Error);
  EXPECT_EQ(read_ultralytics_config(R"({"task":"pose","imgsz":640})", "config.txt").task, "keypoints");
  const ModelFacts rotated = read_ultralytics_config(R"({"task":"obb","imgsz":640})", "config.txt");
  EXPECT_EQ(rotated.task, "detect");
  EXPECT_TRUE(rotated.rotated_boxes);
  EXPECT_FALSE(rotated.anchor_rows);
  const ModelFacts pose = read_ultralytics_config(R"({"task":"pose","imgsz":640,"kpt_shape":[17,3]})", "config.txt");
  EXPECT_THAT(pose.keypoint_shape, ::testing::ElementsAre(17, 3));
  for (const char* shape : {"[0,3]", "[17,4]", "[17]", "17", "[1e9,3]", "[17.5,3]"}) {
    const std::string text = R"({"task":"pose","imgsz":640,"kpt_shape":)" + std::string(shape) + "}";
    EXPECT_THROW(read_ultralytics_config(text, "config.txt"), Error) << shape;
  }
}

TEST(Sidecar, ReadsTheConfigOfTheYolov5Repository) {
  const ModelFacts facts =
      read_ultralytics_config(R"({"shape":[1,3,320,416],"stride":32,"names":["cat","dog"]})", "config.txt");
  EXPECT_EQ(facts.task, "detect");
  EXPECT_EQ(facts.preset.input_height, 320);
  EXPECT_EQ(facts.preset.input_width, 416);
  EXPECT_THAT(facts.labels.names, ElementsAre("cat", "dog"));
}

TEST(Sidecar, ForeignConfigsAreNotTakenForUltralytics) {
  for (const char* text : {"learning_rate = 0.1", "[1,2]", "{}", R"({"names":["a"]})", R"({"imgsz":640})", ""}) {
    EXPECT_THROW(read_ultralytics_config(text, "config.txt"), Error) << text;
  }
}

}  // namespace
}  // namespace ptrun
