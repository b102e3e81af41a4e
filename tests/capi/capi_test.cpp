// The C interface says what the C++ interface says.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ptrun/c_api.h"
#include "ptrun/model.h"
#include "ptrun/predictor.h"

namespace {

const std::string kWeights = PTRUN_TEST_WEIGHTS;
const std::string kPhotos = PTRUN_TEST_DATA "/photos/";

void collect(void* user, int32_t level, const char* message) {
  if (level == PTRUN_LOG_WARNING) static_cast<std::vector<std::string>*>(user)->emplace_back(message);
}

TEST(CapiTest, FastDecodeIsSaid) {
  const char* fields[] = {"input_size", "32"};
  ptrun_load_options loading;
  ASSERT_EQ(ptrun_load_options_init(&loading, sizeof(loading)), PTRUN_OK);
  loading.preset_fields = fields;
  loading.preset_field_count = 2;
  ptrun_model* model = nullptr;
  ASSERT_EQ(ptrun_load(kWeights.c_str(), &loading, &model), PTRUN_OK) << ptrun_last_error();
  for (const int fast : {0, 1}) {
    ptrun_predict_options options;
    ASSERT_EQ(ptrun_predict_options_init(&options, sizeof(options)), PTRUN_OK);
    EXPECT_EQ(options.fast_decode, 0);
    options.fast_decode = fast;
    options.workers = 1;
    ptrun_predictor* predictor = nullptr;
    ASSERT_EQ(ptrun_predictor_create(model, &options, &predictor), PTRUN_OK) << ptrun_last_error();
    ptrun_result* result = nullptr;
    ASSERT_EQ(ptrun_predict_file(predictor, (kPhotos + "cat.jpg").c_str(), &result), PTRUN_OK) << ptrun_last_error();
    ptrun_result_info info{};
    info.size = sizeof(info);
    ASSERT_EQ(ptrun_result_get_info(result, &info), PTRUN_OK);
    EXPECT_EQ(info.decoded_at, fast != 0 ? 4 : 1);
    EXPECT_STREQ(info.mode, "RGB");
    EXPECT_EQ(info.width, 451);
    EXPECT_EQ(ptrun_result_free(result), PTRUN_OK);
    EXPECT_EQ(ptrun_predictor_free(predictor), PTRUN_OK);
  }
  EXPECT_EQ(ptrun_model_free(model), PTRUN_OK);
}

TEST(CapiTest, OptionsReachTheEngine) {
  std::vector<std::string> names(1000);
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = "class " + std::to_string(i);
  std::vector<const char*> labels;
  for (const std::string& name : names) labels.push_back(name.c_str());
  const char* fields[] = {"input_size", "256", "crop_pct", "0.95"};
  std::vector<std::string> warnings;

  ptrun_load_options options;
  ASSERT_EQ(ptrun_load_options_init(&options, sizeof(options)), PTRUN_OK);
  options.labels = labels.data();
  options.label_count = labels.size();
  options.preset_fields = fields;
  options.preset_field_count = 4;
  options.log = collect;
  options.log_user = &warnings;
  ptrun_model* model = nullptr;
  ASSERT_EQ(ptrun_load(kWeights.c_str(), &options, &model), PTRUN_OK) << ptrun_last_error();
  ptrun_model_info info{};
  info.size = sizeof(info);
  ASSERT_EQ(ptrun_model_get_info(model, &info), PTRUN_OK);
  EXPECT_EQ(info.input_height, 256);
  EXPECT_STREQ(info.labels_source, "LoadOptions::labels");
  EXPECT_EQ(info.note_count, warnings.size());

  ptrun_predict_options predict;
  ASSERT_EQ(ptrun_predict_options_init(&predict, sizeof(predict)), PTRUN_OK);
  predict.activation = PTRUN_NO_ACTIVATION;
  predict.topk = 7;
  predict.workers = 1;
  ptrun_predictor* predictor = nullptr;
  ASSERT_EQ(ptrun_predictor_create(model, &predict, &predictor), PTRUN_OK) << ptrun_last_error();
  ptrun_result* result = nullptr;
  ASSERT_EQ(ptrun_predict_file(predictor, (kPhotos + "cat.jpg").c_str(), &result), PTRUN_OK) << ptrun_last_error();
  const ptrun_class* classes = nullptr;
  std::size_t count = 0;
  ASSERT_EQ(ptrun_result_get_classes(result, &classes, &count), PTRUN_OK);
  ptrun_result_info seen{};
  seen.size = sizeof(seen);
  ASSERT_EQ(ptrun_result_get_info(result, &seen), PTRUN_OK);
  EXPECT_EQ(seen.logits, 1);

  ptrun::LoadOptions same;
  same.labels = names;
  set_preset_field(same.preset, "input_size", "256");
  set_preset_field(same.preset, "crop_pct", "0.95");
  ptrun::PredictOptions same_predict;
  same_predict.activation = ptrun::Activation::none;
  same_predict.topk = 7;
  same_predict.workers = 1;
  ptrun::Predictor other(load_model(kWeights, same), same_predict);
  ptrun::Input cat;
  cat.path = kPhotos + "cat.jpg";
  const ptrun::Outcome expected = other.predict(cat);
  ASSERT_TRUE(expected.ok()) << expected.failure.message;
  ASSERT_EQ(count, 7U);
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_EQ(classes[i].index, expected.prediction->classes[i].index);
    EXPECT_EQ(classes[i].score, expected.prediction->classes[i].score);
    EXPECT_EQ(classes[i].label, "class " + std::to_string(classes[i].index));
  }
  EXPECT_EQ(ptrun_result_free(result), PTRUN_OK);
  EXPECT_EQ(ptrun_predictor_free(predictor), PTRUN_OK);
  EXPECT_EQ(ptrun_model_free(model), PTRUN_OK);
}

TEST(CapiTest, ErrorsKeepTheirCode) {
  ptrun_model* model = nullptr;
  EXPECT_EQ(ptrun_load("no such.pt", nullptr, &model), PTRUN_NOT_FOUND);
  EXPECT_STREQ(ptrun_status_name(PTRUN_NOT_FOUND), "not_found");
  EXPECT_EQ(ptrun_load((kPhotos + "cat.jpg").c_str(), nullptr, &model), PTRUN_UNSUPPORTED) << ptrun_last_error();
  ptrun_text* text = nullptr;
  EXPECT_EQ(ptrun_inspect("no such.pt", 0, &text), PTRUN_NOT_FOUND);
  ASSERT_EQ(ptrun_load(kWeights.c_str(), nullptr, &model), PTRUN_OK);
  ptrun_predict_options options;
  ASSERT_EQ(ptrun_predict_options_init(&options, sizeof(options)), PTRUN_OK);
  options.device = "cuda:77";
  ptrun_predictor* predictor = nullptr;
  EXPECT_EQ(ptrun_predictor_create(model, &options, &predictor), PTRUN_DEVICE_UNAVAILABLE) << ptrun_last_error();
  EXPECT_EQ(predictor, nullptr);
  EXPECT_EQ(ptrun_model_free(model), PTRUN_OK);
}

}  // namespace
