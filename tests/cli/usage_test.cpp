// Words of the command line that are wrong, and what is said about them.
#include "cli/cli_test.h"

namespace ptrun::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class UsageTest : public CliTest {};

TEST_F(UsageTest, HelpAndVersion) {
  for (const char* word : {"--help", "-h", "help"}) {
    const Finished help = run({word});
    EXPECT_EQ(help.code, 0);
    EXPECT_EQ(help.err, "");
    for (const char* command : {"predict", "benchmark", "inspect", "models", "devices"})
      EXPECT_THAT(help.out, HasSubstr(command));
  }
  for (const char* command : {"predict", "benchmark", "calibrate", "inspect", "convert", "models", "devices"}) {
    const Finished help = run({command, "--help"});
    EXPECT_EQ(help.code, 0) << help.err;
    EXPECT_THAT(help.out, StartsWith(std::string("Usage: ptrun ") + command));
    EXPECT_EQ(run({"help", command}).out, help.out);
  }
  const Finished predict_help = run({"predict", "--unknown", "--help"});
  EXPECT_EQ(predict_help.code, 0);
  for (const char* option : {"--topk", "--output", "--input-size", "--mean", "--exif", "--device", "--null"}) {
    EXPECT_THAT(predict_help.out, HasSubstr(option));
  }
  EXPECT_THAT(run({"--version"}).out, testing::MatchesRegex("ptrun [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST_F(UsageTest, SlipsGetTheNearestMatch) {
  expect_refused(run({"predcit", "m.pt", "x.jpg"}), 2, "predcit: no such command; did you mean predict?");
  expect_refused(run({"frobnicate"}), 2, "frobnicate: no such command; ptrun --help lists them");
  expect_refused(run({}), 2, "no command was given");
  expect_refused(predict({"x.jpg", "--tokp", "3"}), 2, "--tokp: no such option; did you mean --topk?");
  expect_refused(predict({"x.jpg", "--precison", "fp32"}), 2, "did you mean --precision?");
  expect_refused(predict({"x.jpg", "--inter", "bicubic"}), 2, "did you mean --interpolation?");
  expect_refused(predict({"x.jpg", "-output", "a.csv"}), 2, "-output: no such option; did you mean --output?");
  expect_refused(predict({"x.jpg", "-x"}), 2, "-x: no such option; see --help");
  expect_refused(predict({"x.jpg", "--interpolation", "bicubik"}), 2, "bicubi");
  expect_refused(predict({"x.jpg", "--activation", "softmacks"}), 2, "did you mean softmax?");
  expect_refused(predict({"x.jpg", "--format", "tabel"}), 2, "did you mean table?");
}

TEST_F(UsageTest, OptionsThatAreNotBuiltAreNotOffered) {
  for (const char* option : {"--resume", "--shard"}) {
    expect_refused(predict({kPhotos, option}), 2, "no such option");
  }
  expect_refused(predict({kPhotos, "--precision", "fp16"}), 2, "expected one of fp32, auto, bf16");
}

TEST_F(UsageTest, ValuesAreChecked) {
  expect_refused(predict({"x.jpg", "--topk"}), 2, "--topk: no value was given, expected N");
  expect_refused(predict({"x.jpg", "--topk="}), 2, "--topk: no value was given");
  expect_refused(predict({"x.jpg", "--quiet=yes"}), 2, "is a switch and takes no value");
  for (const char* value : {"0", "-1", "five", "5x", "", "99999999999999999999"}) {
    expect_refused(predict({"x.jpg", "--topk", value}), 2, "--topk: ");
  }
  expect_refused(predict({"x.jpg", "--workers", "many"}), 2, "or auto");
  expect_refused(predict({"x.jpg", "--on-error", "limit=0"}), 2, "expected skip, stop or limit=N");
  expect_refused(predict({"x.jpg", "--input-size", "22x"}), 2, "22x");
  expect_refused(predict({"x.jpg", "--log-format", "xml"}), 2, "expected text or json");
  expect_refused(predict({"x.jpg", "-q", "-v"}), 2, "expected one of them");
  expect_refused(predict({"x.jpg", "-0"}), 2, "expected the source -");
}

TEST_F(UsageTest, PresetErrorsNameTheOption) {
  const std::string cat = kPhotos + "/cat.jpg";
  expect_refused(predict({cat, "--resize-size", "0"}), 2,
                 "--resize-size: \"0\" was found, expected 1 to 16384 pixels, or auto");
  expect_refused(predict({cat, "--pad-value", "-1"}), 2, "--pad-value: \"-1\" was found, expected 0 to 255, or mean");
  expect_refused(predict({cat, "--crop-pct", "3"}), 2, "--crop-pct: \"3\" was found");
  // These two are found when the whole preset is there.
  expect_refused(predict({cat, "--antialias", "false"}), 2, "--antialias: false was found, but resize_backend pillow");
  expect_refused(predict({cat, "--resize-backend", "tensor"}), 2, "--resize-backend: tensor is not in this build");
  EXPECT_THAT(run({"predict", "--help"}).out, testing::Not(HasSubstr("tensor or")));
}

TEST_F(UsageTest, NamesThatAreNotKnownAreAnsweredWithTheirOption) {
  const std::string cat = kPhotos + "/cat.jpg";
  expect_refused(predict({cat, "--task", "clasify"}), 2, "--task: clasify was found, expected a task, one of classify");
  expect_refused(predict({cat, "--task", "clasify"}), 2, "did you mean classify?");
  expect_refused(predict({cat, "--arch", "resnet5O"}), 2, "--arch: resnet5O was found");
  expect_refused(predict({cat, "--format", "jsnl"}), 2, "--format: jsnl was found");
  const Finished preset = predict({cat, "--preset", "resnet50"});
  expect_refused(preset, 2, "--preset: resnet50 was found");
  EXPECT_THAT(preset.err, HasSubstr("did you mean one of torchvision/ResNet50_Weights.IMAGENET1K_V1"));
  EXPECT_LT(preset.err.size(), 2000U);
  EXPECT_THAT(predict({cat, "--max-image-pixels", "9"}).out, HasSubstr("--max-image-pixels"));
}

// Help and wrong usage must not wait for LibTorch: without its module the program still answers them.
TEST_F(UsageTest, HelpAndUsageNeedNoEngine) {
  const fs::path alone = root_ / "ptrun";
  fs::copy_file(PTRUN_TOOL, alone);
  const auto run_alone = [&](std::vector<std::string> words) {
    words.insert(words.begin(), alone.string());
    return run_process(words);
  };
  EXPECT_EQ(run_alone({"predict", "--help"}).code, 0);
  expect_refused(run_alone({"predict", "m.pt", "x.jpg", "--topk", "0"}), 2, "--topk: ");
  expect_refused(run_alone({"predict", "m.pt", "x.jpg", "--mean", "1,2"}), 2, "--mean: ");
}

TEST_F(UsageTest, ListsAreOneWord) {
  expect_refused(predict({"--mean", "0.485", "0.456", "0.406", "x.jpg"}), 2,
                 "0.456: a number was found after --mean, expected an image, folder or option; lists are one word: "
                 "--mean 0.485,0.456,0.406; a file of this name is ./0.456");
  expect_refused(predict({"--input-size=224", "224", "x.jpg"}), 2, "lists are one word: --input-size");
  expect_refused(predict({"--imgsz", "224", "224", "x.jpg"}), 2, "lists are one word: --input-size");
}

TEST_F(UsageTest, WordsThatAreMissing) {
  expect_refused(run({"predict"}), 2, "no model was given; usage: ptrun predict MODEL SOURCE...");
  expect_refused(predict({}), 2, "no image was given; usage: ptrun predict MODEL SOURCE...");
  expect_refused(run({"inspect"}), 2, "0 files were given, expected one");
  expect_refused(run({"inspect", "a", "b"}), 2, "2 files were given, expected one");
}

TEST_F(UsageTest, OptionsOfAnotherTask) {
  for (const char* option : {"--conf", "--iou"}) {
    expect_refused(predict({kPhotos + "/cat.jpg", option, "0.5"}), 2,
                   "it is about detection, the task of this model is classify");
  }
}

TEST_F(UsageTest, OptionsThatThisModelHasNoUseFor) {
  const Finished weights = predict({kPhotos + "/cat.jpg", "--trust", "--pad-value", "0", "--trust-native-code"});
  EXPECT_EQ(weights.code, 0);
  EXPECT_THAT(weights.err, HasSubstr("--trust has no effect: the model is of the kind state_dict, which holds no"));
  EXPECT_THAT(weights.err, HasSubstr("--trust-native-code has no effect"));
  EXPECT_THAT(weights.err, HasSubstr("--pad-value has no effect: nothing is padded with resize_mode shortest"));
  const Finished padded = predict({kPhotos + "/cat.jpg", "--resize-mode", "letterbox", "--pad-value", "0"});
  EXPECT_THAT(padded.err, testing::Not(HasSubstr("no effect")));
  // Its operators are held against the list of those allowed, too.
  const Finished exported = run({"predict", PTRUN_TEST_DATA "/archives/2.15.0/export.pt2", kPhotos + "/cat.jpg",
                                 "--input-size", "4", "--trust", "--op-library", "none.so"});
  EXPECT_EQ(exported.code, 0) << exported.err;
  EXPECT_THAT(exported.err, testing::Not(HasSubstr("--trust has no effect")));
  EXPECT_THAT(exported.err, HasSubstr("--op-library has no effect: the model is of the kind exported_program"));
}

TEST_F(UsageTest, DevicesAndModels) {
  EXPECT_THAT(run({"devices"}).out, StartsWith("cpu "));
  const Finished models = run({"models"});
  EXPECT_EQ(models.code, 0);
  EXPECT_THAT(models.out, testing::AllOf(HasSubstr("mobilenet_v2"), HasSubstr("resnet50"),
                                         HasSubstr("torchvision/MobileNet_V2_Weights.IMAGENET1K_V1")));
  EXPECT_EQ(run({"devices", "x"}).code, 2);
}

}  // namespace
}  // namespace ptrun::test
