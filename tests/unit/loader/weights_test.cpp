// Files that hold weights alone, saved by PyTorch 2.15 (scripts/fixtures/make_tiny_weights.py).
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "executor/executor.h"
#include "golden/named_values.h"
#include "loader/presets.h"
#include "ptrun/error.h"
#include "ptrun/model.h"
#include "support/scratch.h"

namespace ptrun {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

std::string data(const std::string& name) { return std::string(PTRUN_TEST_DATA) + "/weights/" + name; }

Error error_of(const std::string& path, const LoadOptions& options = {}) {
  try {
    load_model(path, options);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << path << " was loaded";
  return {ErrorCode::internal, "", ""};
}

class TinyWeights : public ::testing::TestWithParam<const char*> {};

TEST_P(TinyWeights, GivePythonsLogits) {
  std::ifstream file(data("expected.json"));
  const auto expected = nlohmann::json::parse(file);
  const auto shape = expected.at("input").get<std::vector<std::int64_t>>();
  const Model model = load_model(data(GetParam()));
  EXPECT_EQ(model.architecture(), "resnet");
  EXPECT_EQ(model.signature().output.spec.dimensions.at(1).size, 5);
  ExecutorOptions options;
  options.batch_size = static_cast<int>(shape[0]);
  const at::Tensor logits = Executor(model, options).run(testing::named_values("images", shape)).toTensor();
  const auto rows = expected.at(GetParam()).get<std::vector<std::vector<double>>>();
  ASSERT_EQ(logits.sizes().vec(), (std::vector<std::int64_t>{2, 5}));
  for (std::int64_t i = 0; i < 2; ++i) {
    for (std::int64_t j = 0; j < 5; ++j) {
      EXPECT_NEAR(logits[i][j].item<double>(), rows[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)], 1e-4);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Files, TinyWeights, ::testing::Values("tiny.pth", "tiny_strange.pth", "tiny_training.pth"),
                         [](const auto& file) { return std::filesystem::path(file.param).stem().string(); });

TEST(LoadWeights, SaysWhatTheFileIs) {
  const Model plain = load_model(data("tiny.pth"));
  EXPECT_EQ(plain.kind(), "state_dict");
  EXPECT_EQ(plain.task(), Task::classify);
  EXPECT_EQ(plain.parameters(), 588 + 8 + 4 * 4 * 9 * 2 + 16 + 4 * 4 * 9 * 2 + 16 + 16 + 8 + 4 * 8 * 9 + 8 * 8 * 9 +
                                    32 + 32 + 16 + 8 * 8 * 9 * 2 + 32 + 64 + 16 + 8 * 5 + 5);
  EXPECT_EQ(load_model(data("tiny_training.pth")).kind(), "checkpoint");
}

TEST(LoadWeights, MixedKeysAreNamed) {
  const Error error = error_of(data("tiny_mixed.pth"));
  EXPECT_EQ(error.code(), ErrorCode::bad_model);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("1 missing (layer2.0.bn1.weight)"), HasSubstr("(layer2.0.se.weight)"),
                                  HasSubstr("layer3.0.bn2.bias has shape [9], expected [8]"),
                                  HasSubstr("family resnet"), HasSubstr("torch.jit.trace")));
}

TEST(LoadWeights, MemoryLimit) {
  LoadOptions options;
  options.constant_memory_limit = 4096;
  EXPECT_EQ(error_of(data("tiny.pth"), options).code(), ErrorCode::limit_exceeded);
}

TEST(LoadWeights, ForcedArchitecture) {
  LoadOptions options;
  options.architecture = "resnet50";
  EXPECT_THAT(error_of(data("tiny.pth"), options).what(), HasSubstr("those of resnet, not of resnet50"));
  options.architecture = "mobilenet_v2";
  EXPECT_THAT(error_of(data("tiny.pth"), options).what(),
              AllOf(HasSubstr("not those of mobilenet_v2"), HasSubstr("missing")));
  options.architecture = "resnet5O";
  const Error unknown = error_of(data("tiny.pth"), options);
  EXPECT_EQ(unknown.code(), ErrorCode::invalid_argument);
  EXPECT_THAT(unknown.what(), HasSubstr("did you mean resnet50?"));
  options.architecture = "resnet";
  EXPECT_EQ(load_model(data("tiny.pth"), options).architecture(), "resnet");
}

TEST(LoadWeights, PresetOfTheFamilyIsMarkedAssumed) {
  const Model model = load_model(data("tiny.pth"));
  EXPECT_EQ(model.preset().values.resize_size, 256);
  EXPECT_TRUE(model.preset().origins.at("resize_size").assumed);
  EXPECT_EQ(model.preset().origins.at("resize_size").source, "family resnet");
  // Five classes are not ImageNet's.
  EXPECT_TRUE(model.labels().names.empty());
}

TEST(LoadWeights, PrecedenceOfPresetsAndLabels) {
  const test::ScratchFolder scratch;
  const std::string path = scratch.copy(data("tiny.pth"), "model.pth");
  scratch.write("model.pth.ptrun.json",
                R"({"labels": ["a", "b", "c", "d", "e"], "preset": {"resize_size": 100, "input_size": 64}})");
  const Model beside = load_model(path);
  EXPECT_EQ(beside.preset().values.resize_size, 100);
  EXPECT_THAT(beside.preset().origins.at("resize_size").source, HasSubstr("model.pth.ptrun.json"));
  EXPECT_FALSE(beside.preset().origins.at("resize_size").assumed);
  EXPECT_EQ(beside.labels().names.at(4), "e");

  LoadOptions options;
  options.preset_name = "torchvision/ResNet50_Weights.IMAGENET1K_V2";
  options.preset.pad_value = 7;
  options.labels_file = scratch.write("labels.txt", "one\r\ntwo\r\nthree\r\nfour\r\nfive\r\n");
  const Model given = load_model(path, options);
  EXPECT_EQ(given.preset().values.resize_size, 232);
  EXPECT_EQ(given.preset().values.pad_value, 7);
  EXPECT_EQ(given.preset().values.input_height, 224);
  EXPECT_EQ(given.preset().origins.at("pad_value").source, "command line");
  EXPECT_EQ(given.preset().origins.at("resize_size").source, "preset torchvision/ResNet50_Weights.IMAGENET1K_V2");
  EXPECT_EQ(given.labels().names.at(1), "two");

  options.preset_name = "torchvision/ResNet50_Weights.IMAGENET1K_V3";
  EXPECT_THAT(error_of(path, options).what(), HasSubstr("did you mean torchvision/ResNet50_Weights.IMAGENET1K_V"));
}

TEST(LoadWeights, HashTagInTheNameGivesThePublishedPreset) {
  const test::ScratchFolder scratch;
  EXPECT_EQ(load_model(scratch.copy(data("tiny.pth"), "resnet50-11ad3fa6.pth")).preset().values.resize_size, 232);
  // Tags of ten digits, and a network whose input transformation is in the preset.
  const Model shuffle = load_model(scratch.copy(data("tiny.pth"), "shufflenetv2_x0.5-f707e7126e.pth"));
  EXPECT_EQ(shuffle.preset().origins.at("mean").source, "torchvision/ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1");
  EXPECT_EQ(load_model(scratch.copy(data("tiny.pth"), "googlenet-1378be20.pth")).preset().values.mean[0], 0.5);
  EXPECT_EQ(
      load_model(scratch.copy(data("tiny.pth"), "efficientnet_b7_lukemelas-c5b4e57e.pth")).preset().values.input_width,
      600);
  // The content of this row is known by its hash: the name alone is not believed.
  const Model renamed = load_model(scratch.copy(data("tiny.pth"), "mobilenet_v2-b0353104.pth"));
  EXPECT_TRUE(renamed.preset().origins.at("resize_size").assumed);
  EXPECT_THAT(renamed.notes(), Contains(HasSubstr("its content is another")));
}

// torchvision's GoogLeNet goes from ImageNet's mean to 0.5 itself; the network that is built from weights leaves it
// out.
TEST(LoadWeights, AnInputTransformIsInThePresetOnlyWhereTheNetworkLacksIt) {
  LoadOptions options;
  options.preset_name = "torchvision/GoogLeNet_Weights.IMAGENET1K_V1";
  const auto mean = [&](const std::string& file) { return load_model(data(file), options).preset().values.mean[0]; };
  EXPECT_EQ(mean("tiny.pth"), 0.5);
  EXPECT_EQ(mean("../modules/vit.pt"), 0.485);
  EXPECT_EQ(mean("../archives/2.15.0/script.pt"), 0.485);
  EXPECT_EQ(mean("../archives/2.15.0/export.pt2"), 0.485);
}

TEST(LoadWeights, LabelFiles) {
  const test::ScratchFolder scratch;
  LoadOptions options;
  options.labels_file = scratch.write("map.json", R"({"4": "e", "0": "a", "1": ["n01", "b"], "2": "c", "3": "d"})");
  EXPECT_THAT(load_model(data("tiny.pth"), options).labels().names, ::testing::ElementsAre("a", "b", "c", "d", "e"));
  options.labels_file = scratch.write("list.json", R"(["a", "b", "c", "d", "e"])");
  EXPECT_EQ(load_model(data("tiny.pth"), options).labels().names.size(), 5U);

  for (const char* text : {R"({"id2label": {"0": "a", "1": "b", "2": "c", "3": "d", "4": "e"}, "other": 1})",
                           R"({"names": ["a", "b", "c", "d", "e"]})", R"({"a": 0, "b": 1, "c": 2, "e": 4, "d": 3})"}) {
    options.labels_file = scratch.write("other.json", text);
    EXPECT_EQ(load_model(data("tiny.pth"), options).labels().names.at(4), "e") << text;
  }

  const std::vector<std::pair<std::string, std::string>> bad = {
      {"a\nb\nc\ncaf\xE9\ne\n", "line 4 is not UTF-8"},
      {std::string("\xFF\xFE\x61\0\n\0", 6), "is UTF-16 text, expected UTF-8"},
      {"a\nb\n", "holds 2 labels, but the model has 5 classes"},
      {"", ""},
      {"\n\n", "holds no labels"},
      {R"({"0": "a", "7": "b"})", "label key 7"},
      {R"({"0": "a", "x": "b"})", "label key x"},
      {R"([1, 2])", "label 0 is not text"},
      {std::string("a\0b", 3), "binary"},
  };
  for (const auto& [text, problem] : bad) {
    options.labels_file = scratch.write("bad.txt", text);
    EXPECT_THAT(error_of(data("tiny.pth"), options).what(), HasSubstr(problem)) << text;
  }
  std::string many = R"({"names": ["a")";
  for (int i = 0; i < 1'000'000; ++i) many += R"(,"a")";
  options.labels_file = scratch.write("many.json", many + "]}");
  EXPECT_THAT(error_of(data("tiny.pth"), options).what(), HasSubstr("more than a million labels"));
  options.labels_file = scratch.write("bad.json", "[\"a\"");
  EXPECT_THAT(error_of(data("tiny.pth"), options).what(), HasSubstr("not well-formed JSON"));
  options.labels_file = "/no/such/labels.txt";
  EXPECT_EQ(error_of(data("tiny.pth"), options).code(), ErrorCode::invalid_argument);
}

TEST(LoadWeights, UnknownTaskIsAnsweredWithTheKnownOnes) {
  LoadOptions options;
  options.task = "classfy";
  EXPECT_THAT(error_of(data("tiny.pth"), options).what(), AllOf(HasSubstr("classify"), HasSubstr("tensors")));
  options.task = "tensors";
  EXPECT_EQ(load_model(data("tiny.pth"), options).task(), Task::tensors);
}

TEST(Sha256, OfKnownText) {
  const auto source = archive::from_memory("abc", "abc");
  EXPECT_EQ(sha256(*source), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

// torchvision's published weights; scripts/setup/weights.sh brings them. Fails, does not skip, without.
TEST(PublishedWeights, MobileNetV2IsKnownByItsContent) {
  const test::ScratchFolder scratch;
  const Model model = load_model(scratch.copy(PTRUN_TEST_WEIGHTS, "renamed.bin"));
  EXPECT_EQ(model.architecture(), "mobilenet_v2");
  EXPECT_EQ(model.parameters(), 3504872);
  EXPECT_EQ(model.labels().names.size(), 1000U);
  EXPECT_EQ(model.labels().names.at(281), "tabby");
  EXPECT_FALSE(model.preset().origins.at("resize_size").assumed);
  EXPECT_EQ(model.preset().origins.at("resize_size").source, "torchvision/MobileNet_V2_Weights.IMAGENET1K_V1");
  EXPECT_THAT(model.notes(), Not(Contains(HasSubstr("assumed"))));
  // torch 2.15.0: mobilenet_v2 with these weights on named_values("images", [2, 3, 224, 224]).
  ExecutorOptions options;
  options.batch_size = 2;
  const at::Tensor logits = Executor(model, options).run(testing::named_values("images", {2, 3, 224, 224})).toTensor();
  const std::vector<std::vector<double>> expected = {{-1.881471, 0.622481, 0.779669, 0.569789, 2.204470, 3.861137},
                                                     {-1.610696, 0.964020, 1.087644, 0.518664, 2.198873, 3.903774}};
  for (std::int64_t i = 0; i < 2; ++i) {
    const auto& row = expected[static_cast<std::size_t>(i)];
    for (std::size_t j = 0; j < row.size(); ++j) {
      EXPECT_NEAR(logits[i][static_cast<std::int64_t>(j)].item<double>(), row[j], 1e-4);
    }
  }
}

}  // namespace
}  // namespace ptrun
