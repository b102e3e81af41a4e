// convert_model and what folders of other tools say: what travels into a file, and which of several sources wins.
#include "ptrun/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "archive/zip.h"
#include "loader/model_folder.h"
#include "ptrun/error.h"
#include "ptrun/inspect.h"
#include "ptrun/model.h"
#include "support/expect_error.h"
#include "support/pt_bytes.h"
#include "support/scratch.h"

namespace ptrun {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string data(const std::string& name) { return std::string(PTRUN_TEST_DATA) + "/" + name; }

class ConvertTest : public ::testing::Test {
 protected:
  // A file of tests/data/weights or modules with ptrun's own JSON inside.
  std::string with_facts(const std::string& from, const std::string& name, const std::string& facts) const {
    const auto zip = archive::ZipArchive::open(archive::open_file(data(from)));
    std::vector<test::ZipRecord> records;
    const auto add = [&](const std::string& record, const std::string& bytes) {
      test::ZipRecord& added = records.emplace_back();
      added.name = record;
      added.data = bytes;
    };
    for (const archive::ZipEntry& entry : zip->entries()) add(entry.name, zip->read(entry, entry.size));
    add(zip->top_folder() + "/extra/ptrun.json", facts);
    return folder_.write(name, test::zip_bytes(records));
  }

  const test::ScratchFolder folder_;
  ConvertOptions options_;
};

TEST_F(ConvertTest, CarriesWhatIsKnownAndNotWhatIsAssumed) {
  options_.labels_file = folder_.write("labels (assumed).txt", "a\nb\nc\nd\ne\n");
  options_.preset.crop_pct = 0.5;
  const ConvertSummary summary = convert_model(data("weights/tiny.pth"), folder_.at("out.pt"), options_);
  EXPECT_THAT(summary.carried, ElementsAre("task classify", "5 labels", "crop_pct 0.5"));
  const Model model = load_model(folder_.at("out.pt"));
  EXPECT_EQ(model.labels().names.at(4), "e");
  EXPECT_FALSE(model.preset().origins.at("crop_pct").assumed);
  EXPECT_TRUE(model.preset().origins.at("mean").assumed);
}

TEST_F(ConvertTest, LabelsThatDoNotFitAreTold) {
  folder_.write("in.pth.ptrun.json", R"({"labels": ["a", "b"]})");
  folder_.copy(data("weights/tiny.pth"), "in.pth");
  EXPECT_THAT(convert_model(folder_.at("in.pth"), folder_.at("out.safetensors"), options_).notes,
              Contains(HasSubstr("the 2 labels of")));
  options_.labels_file = folder_.write("two.txt", "a\nb\n");
  test::expect_error(ErrorCode::invalid_argument, "holds 2 labels, but the model has 5 classes",
                     [&] { convert_model(data("weights/tiny.pth"), folder_.at("other.pt"), options_); });
  // Nobody knows how many classes these have.
  EXPECT_THAT(convert_model(data("modules/linear_rows.pt"), folder_.at("rows.pt"), options_).notes,
              Contains(HasSubstr("the number of labels (2) is not checked")));
}

TEST_F(ConvertTest, AModulesTreeIsSaidToBeLost) {
  const ConvertSummary summary = convert_model(data("modules/linear_rows.pt"), folder_.at("rows.pt"), options_);
  EXPECT_THAT(summary.notes, Contains(HasSubstr("ptrun cannot run the result")));
}

TEST_F(ConvertTest, ATaskInsideTheFileGoesAlong) {
  const std::string path = with_facts("modules/linear_rows.pt", "in.pt", R"({"task": "tensors"})");
  EXPECT_THAT(convert_model(path, folder_.at("out.pt"), options_).carried, Contains("task tensors"));
}

// Items that convert writes in the file do not hide what the folder says about others.
TEST_F(ConvertTest, AFoldersConfigCountsBesideLabelsInTheFile) {
  options_.labels_file = folder_.write("labels.txt", "a\nb\nc\nd\ne\n");
  convert_model(data("weights/tiny.pth"), folder_.at("model.safetensors"), options_);
  folder_.write("preprocessor_config.json", R"({"image_mean": [0.1, 0.2, 0.3], "size": {"height": 64, "width": 48}})");
  const Model model = load_model(folder_.path().string());
  EXPECT_EQ(model.labels().names.at(0), "a");
  EXPECT_EQ(model.preset().values.mean[2], 0.3);
  EXPECT_EQ(model.preset().values.input_width, 48);
}

TEST_F(ConvertTest, TimmsNameOfANetworkForcesNothing) {
  folder_.copy(data("weights/tiny.pth"), "pytorch_model.bin");
  folder_.write("config.json", R"({"architecture": "resnet50", "pretrained_cfg": {"input_size": [3, 96, 96]}})");
  const Model model = load_model(folder_.path().string());
  EXPECT_EQ(model.architecture(), "resnet");
  EXPECT_EQ(model.preset().values.input_height, 96);
  EXPECT_THAT(model.notes(),
              Contains(HasSubstr("config.json says timm/resnet50, the weights are taken as those of resnet")));
  folder_.write("config.json", R"({"architecture": "resnet", "pretrained_cfg": {}})");
  EXPECT_THAT(load_model(folder_.path().string()).notes(), Not(Contains(HasSubstr("same names and shapes"))));
}

TEST_F(ConvertTest, ASidecarsArchitectureIsToldWithItsOwnRemedy) {
  folder_.copy(data("weights/tiny.pth"), "in.pth");
  folder_.write("in.pth.ptrun.json", R"({"architecture": "vgg11"})");
  test::expect_error(ErrorCode::bad_model, "remove \"architecture\" from " + folder_.at("in.pth.ptrun.json"),
                     [&] { load_model(folder_.at("in.pth")); });
}

TEST_F(ConvertTest, PresetNamesAndFactsInsideAFileCount) {
  const std::string facts =
      R"({"preset": "torchvision/ResNet50_Weights.IMAGENET1K_V2", "labels": ["a", "b", "c", "d", "e"], "task": "tensors"})";
  const Model weights = load_model(with_facts("weights/tiny.pth", "weights.pth", facts));
  EXPECT_EQ(weights.preset().values.resize_size, 232);
  EXPECT_FALSE(weights.preset().origins.at("resize_size").assumed);
  test::expect_error(ErrorCode::bad_model, "(ptrun.json inside)", [&] {
    load_model(with_facts("weights/tiny.pth", "weights.pth", R"({"architecture": "vgg11"})"));
  });
  const Model module =
      load_model(with_facts("modules/vit.pt", "vit.pt", R"({"mean": 0.25, "labels": ["x", "y", "z"]})"));
  EXPECT_EQ(module.labels().names.at(2), "z");
  EXPECT_EQ(module.preset().values.mean[0], 0.25);
  EXPECT_EQ(module.preset().values.input_height, 12);
  EXPECT_EQ(load_model(with_facts("modules/vit.pt", "vit.pt", R"({"task": "tensors"})")).task(), Task::tensors);
}

TEST_F(ConvertTest, InspectSaysWhatLoadingChooses) {
  const auto find = [](const Inspection& found, const std::string& name) {
    for (const Finding& finding : found.findings) {
      if (finding.name == name) return finding.value + " <- " + finding.source;
    }
    return std::string();
  };
  const Inspection module = inspect(data("modules/vit.pt"));
  EXPECT_TRUE(module.runnable);
  EXPECT_EQ(find(module, "input_size"), "12x12 <- image_size inside the file");
  const Inspection said = inspect(with_facts("weights/tiny.pth", "in.pth", R"({"task": "tensors"})"));
  EXPECT_THAT(find(said, "task"), testing::AllOf(HasSubstr("tensors <- "), HasSubstr("ptrun.json inside")));
}

TEST(FolderConfig, Transformers) {
  const auto read = [](const std::string& text) { return read_preprocessor_config(text, "p.json"); };
  EXPECT_EQ(read(R"({"do_rescale": false})").rescale, 1.0);
  EXPECT_EQ(read(R"({"rescale_factor": 0.5})").rescale, 0.5);
  EXPECT_FALSE(read(R"({"size": 224, "do_resize": false})").input_height.has_value());
  const PresetLayer crop = read(R"({"size": {"height": 256, "width": 128}, "do_center_crop": true,
                                    "crop_size": {"height": 192, "width": 96}})");
  EXPECT_EQ(crop.crop_pct, 0.75);
  EXPECT_EQ(crop.input_width, 96);
  const auto refuse = [&](const std::string& text, const std::string& problem) {
    test::expect_error(ErrorCode::bad_model, problem, [&] { read(text); });
  };
  refuse(R"({"size": 4294967520})", "size holds 4294967520, expected sizes of 1 to 16384 pixels");
  refuse(R"({"size": {"shortest_edge": 0}})", "expected sizes of 1 to 16384");
  refuse(R"({"size": 224, "do_center_crop": true, "crop_size": 256})", "crop_size is larger than size");
  refuse(R"({"size": {"height": 256, "width": 256}, "do_center_crop": true,
             "crop_size": {"height": 224, "width": 200}})",
         "another part of the height");
}

TEST(FolderConfig, Timm) {
  const ModelFacts facts = read_model_config(
      R"({"architecture": "tf_efficientnet_b0", "pretrained_cfg": {"crop_mode": "squash"}})", "c.json");
  EXPECT_EQ(facts.architecture, "timm/tf_efficientnet_b0");
  EXPECT_EQ(facts.preset.resize_mode, ResizeMode::stretch);
  EXPECT_EQ(facts.preset.crop_pct, 0.875);
  test::expect_error(ErrorCode::bad_model, "input_size holds", [] {
    read_model_config(R"({"pretrained_cfg": {"input_size": [3, 99999999999, 224]}})", "c.json");
  });
}

}  // namespace
}  // namespace ptrun
