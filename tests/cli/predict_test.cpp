// ptrun predict on good input: formats, options, what goes where.
#include "cli/cli_test.h"

namespace ptrun::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class PredictTest : public CliTest {};

TEST_F(PredictTest, APipeGetsJsonLinesAndStandardErrorTheRest) {
  const Finished finished = predict({kPhotos + "/cat.jpg", kPhotos + "/shuttle.jpg"});
  EXPECT_EQ(finished.code, 0) << finished.err;
  const auto found = rows(finished.out);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0]["v"], 1);
  EXPECT_EQ(found[0]["width"], 451);
  EXPECT_EQ(found[0]["predictions"].size(), 5U);
  EXPECT_EQ(found[1]["predictions"][0]["label"], "space shuttle");
  EXPECT_THAT(finished.out, testing::StartsWith("{\"v\":1,\"path\":\"" + kPhotos +
                                                "/cat.jpg\",\"status\":\"ok\",\"task\":\"classify\",\"width\":451,"
                                                "\"height\":300,\"predictions\":[{\"index\":"));
  EXPECT_THAT(finished.err, testing::ContainsRegex("2 images in [0-9.]+ s, [0-9.]+ img/s: 2 done, 0 failed; limit: "));
  EXPECT_THAT(finished.err, Not(HasSubstr("assumed"))) << "the published file's preprocessing is known";
}

TEST_F(PredictTest, ATerminalGetsATable) {
  ProcessOptions terminal;
  terminal.terminal = true;
  copy_photo("cat.jpg", "cat.jpg");
  write("bad.jpg", "no picture");
  terminal.folder = root_.string();
  const Finished finished = predict({"cat.jpg", "bad.jpg"}, terminal);
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(finished.out, HasSubstr("image    label                        score  next\r\n"));
  EXPECT_THAT(finished.out, testing::ContainsRegex("cat.jpg  Egyptian cat +[0-9.]+ %  tabby"));
  EXPECT_THAT(finished.out, HasSubstr("bad.jpg  ERROR decode: "));
  EXPECT_THAT(finished.out, Not(HasSubstr("{\"v\"")));
}

TEST_F(PredictTest, TheFormatOfStandardOutputCanBeChosen) {
  EXPECT_THAT(predict({kPhotos + "/cat.jpg", "--format", "csv"}).out,
              testing::StartsWith("path,status,width,height,index_1"));
  EXPECT_THAT(predict({kPhotos + "/cat.jpg", "--format", "table"}).out, testing::StartsWith("image "));
}

TEST_F(PredictTest, OutputFilesHoldTheRowsAndStandardOutputNothing) {
  const Finished finished =
      predict({kPhotos, "-o", path("a,b.jsonl"), "-o" + path("c.csv"), "--output=" + path("d.JSONL")});
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_EQ(finished.out, "");
  EXPECT_EQ(rows(text_of(path("a,b.jsonl"))).size(), 7U);
  EXPECT_EQ(text_of(path("d.JSONL")), text_of(path("a,b.jsonl")));
  const std::string csv = text_of(path("c.csv"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 8);
  EXPECT_THAT(csv, HasSubstr("/cat.jpg,ok,451,300,285,Egyptian cat,0.71"));
}

TEST_F(PredictTest, AnNpzHoldsAllOutputs) {
  const Finished finished = predict({kPhotos + "/cat.jpg", "--task", "tensors", "-o", path("all.npz")});
  EXPECT_EQ(finished.code, 0) << finished.err;
  const std::string npz = text_of(path("all.npz"));
  const auto holds = [&](const char* words) { return npz.find(words) != std::string::npos; };
  EXPECT_TRUE(holds("logits.npy"));
  EXPECT_TRUE(holds("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1000), }"));
  EXPECT_GT(npz.size(), 4000U);
  // Nothing else can go into it, so that the task need not be said.
  const Finished alone = predict({kPhotos + "/cat.jpg", "-o", path("alone.npz")});
  EXPECT_EQ(alone.code, 0) << alone.err;
  EXPECT_EQ(text_of(path("alone.npz")), npz);
  expect_refused(predict({kPhotos, "-o", path("x.npz"), "-o", path("x.csv")}), 2,
                 "npz cannot hold the results of the task classify, expected .jsonl, .csv; it holds those of tensors");
  expect_refused(predict({kPhotos, "--task", "classify", "-o", path("x.npz")}), 2,
                 "npz cannot hold the results of the task classify, expected .jsonl, .csv; it holds those of tensors");
}

TEST_F(PredictTest, AnExistingOutputIsNeverTouchedWithoutForce) {
  write("old.jsonl", "precious\n");
  expect_refused(predict({kPhotos + "/cat.jpg", "-o", path("old.jsonl")}), 2, "the output exists already");
  EXPECT_EQ(text_of(path("old.jsonl")), "precious\n");
  EXPECT_EQ(predict({kPhotos + "/cat.jpg", "-o", path("old.jsonl"), "--force"}).code, 0);
  EXPECT_EQ(rows(text_of(path("old.jsonl"))).size(), 1U);
}

TEST_F(PredictTest, OutputsThatCannotBe) {
  expect_refused(predict({kPhotos, "-o", path("x.jsno")}), 2,
                 "the ending .jsno was found, expected one of .jsonl, .csv, .npz");
  expect_refused(predict({kPhotos, "-o", path("x.josnl")}), 2, "did you mean .jsonl?");
  expect_refused(predict({kPhotos, "-o", path("no/x.csv")}), 2, "does not exist; make it first");
  expect_refused(predict({kPhotos, "-o", path("pictures/")}), 2,
                 "is a folder for pictures, which the task classify has none of");
}

TEST_F(PredictTest, TopKLabelsAndLogits) {
  std::string labels;
  for (int i = 0; i < 1000; ++i) labels += "thing " + std::to_string(i) + "\n";
  write("labels.txt", labels);
  const Finished named = predict({kPhotos + "/cat.jpg", "--topk", "2", "--labels", path("labels.txt")});
  const auto row = rows(named.out).at(0);
  ASSERT_EQ(row["predictions"].size(), 2U);
  EXPECT_EQ(row["predictions"][0]["label"], "thing 285");
  const auto logits = rows(predict({kPhotos + "/cat.jpg", "--activation", "none"}).out).at(0)["predictions"][0];
  EXPECT_FALSE(logits.contains("score"));
  EXPECT_GT(logits["logit"].get<double>(), 1.0);
  const auto sigmoid = rows(predict({kPhotos + "/cat.jpg", "--activation", "sigmoid"}).out).at(0)["predictions"][0];
  EXPECT_NEAR(sigmoid["score"].get<double>(), 1 / (1 + std::exp(-logits["logit"].get<double>())), 1e-5);
}

TEST_F(PredictTest, PreprocessingOptionsReachThePixels) {
  const auto first = [](const Finished& finished) {
    EXPECT_EQ(finished.code, 0) << finished.err;
    return rows(finished.out).at(0)["predictions"][0]["score"].get<double>();
  };
  const std::string cat = kPhotos + "/cat.jpg";
  const double plain = first(predict({cat}));
  EXPECT_EQ(first(predict({cat, "--input-size", "224", "--mean", "0.485,0.456,0.406"})), plain);
  EXPECT_NE(first(predict({cat, "--interpolation", "bicubic"})), plain);
  EXPECT_NE(first(predict({cat, "--imgsz", "256"})), plain);
  EXPECT_NE(first(predict({cat, "--mean", "0.5", "--std", "0.5"})), plain);
  // The same picture stored on its side.
  const double turned = first(predict({kDerived + "/exif_6.jpg"}));
  EXPECT_NE(first(predict({kDerived + "/exif_6.jpg", "--exif", "ignore"})), turned);
}

TEST_F(PredictTest, RowsSayWhatWasUnusual) {
  EXPECT_THAT(predict({kDerived + "/exif_6.jpg"}).out, HasSubstr("\"exif\":6,\"predictions\""));
  EXPECT_THAT(predict({kPhotos + "/photographer.jpg"}).out, HasSubstr("\"mode\":\"L\",\"predictions\""));
}

TEST_F(PredictTest, WordsAfterTwoDashesAreFiles) {
  copy_photo("cat.jpg", "--topk");
  copy_photo("cat.jpg", "-o,x.jpg");
  copy_photo("cat.jpg", "224");
  const Finished finished = predict_here({"--mean", "0.485,0.456,0.406", "--", "--topk", "-o,x.jpg", "224"});
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(paths(finished.out), ElementsAre("--topk", "-o,x.jpg", "224"));
}

TEST_F(PredictTest, QuietVerboseAndJsonLogs) {
  EXPECT_EQ(predict({kPhotos + "/cat.jpg", "--quiet"}).err, "");
  const Finished json = predict({kPhotos + "/cat.jpg", kPhotos, "--log-format", "json", "--verbose"});
  const auto lines = rows(json.err);
  ASSERT_FALSE(lines.empty());
  const nlohmann::json& summary = lines.back();
  EXPECT_EQ(summary["event"], "summary");
  EXPECT_EQ(summary["total"], 8);
  EXPECT_EQ(summary["failed"], 0);
  EXPECT_EQ(summary["plan"], "plain");
  EXPECT_GT(summary["images_per_second"].get<double>(), 0);
}

TEST_F(PredictTest, ADryRunListsTheInputsAndWritesNothing) {
  const Finished finished = predict({kPhotos, "--dry-run", "-o", path("x.csv")});
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_EQ(std::count(finished.out.begin(), finished.out.end(), '\n'), 7);
  EXPECT_THAT(finished.out, testing::StartsWith(kPhotos + "/cat.jpg\n"));
  EXPECT_THAT(finished.err, testing::ContainsRegex("resize_size +256  \\("));
  EXPECT_THAT(finished.err, HasSubstr("x.csv"));
  EXPECT_FALSE(fs::exists(path("x.csv")));
}

TEST_F(PredictTest, AnyNumberOfWorkersGivesTheSameBytes) {
  const Finished one = predict({kPhotos, kDerived, "--workers", "1"});
  ASSERT_EQ(one.code, 0) << one.err;
  EXPECT_EQ(predict({kPhotos, kDerived, "--workers", "2"}).out, one.out);
  EXPECT_EQ(predict({kPhotos, kDerived, "--workers", "3"}).out, one.out);
}

TEST_F(PredictTest, Bf16GivesTheLabelsOfFp32OrIsRefused) {
  const Finished bf16 = predict({kPhotos, "--precision", "bf16", "--topk", "1", "--format", "jsonl"});
  std::ifstream cpu("/proc/cpuinfo");
  const std::string flags((std::istreambuf_iterator<char>(cpu)), std::istreambuf_iterator<char>());
  if (flags.find("avx512_bf16") == std::string::npos) {
    EXPECT_EQ(bf16.code, 3);
    EXPECT_THAT(bf16.err, HasSubstr("use --precision fp32"));
    return;
  }
  ASSERT_EQ(bf16.code, 0) << bf16.err;
  const auto found = rows(bf16.out);
  const auto expected = rows(predict({kPhotos, "--topk", "1", "--format", "jsonl"}).out);
  ASSERT_EQ(found.size(), expected.size());
  bool differs = false;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto& ours = found[i]["predictions"][0];
    const auto& theirs = expected[i]["predictions"][0];
    EXPECT_EQ(ours["index"], theirs["index"]) << found[i]["path"];
    EXPECT_NEAR(ours["score"].get<double>(), theirs["score"].get<double>(), 0.05) << found[i]["path"];
    differs = differs || ours["score"] != theirs["score"];
  }
  EXPECT_TRUE(differs) << "it ran in fp32";
  // Alone and beside others, on one worker and on two.
  EXPECT_EQ(predict({kPhotos, "--precision", "bf16", "--topk", "1", "--format", "jsonl", "-j", "1"}).out, bf16.out);
}

TEST_F(PredictTest, GuessedPreprocessingIsSaid) {
  // One bit of the last weight, and another name: nothing tells whose weights these are.
  std::string bytes = text_of(kWeights);
  bytes[bytes.size() - 4] ^= 1;
  write("mine.pth", bytes);
  const Finished finished = run({"predict", path("mine.pth"), kPhotos + "/cat.jpg"});
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr("preprocessing is assumed"));
  EXPECT_THAT(run({"predict", path("mine.pth"), kPhotos + "/cat.jpg", "--preset",
                   "torchvision/MobileNet_V2_Weights.IMAGENET1K_V1"})
                  .err,
              Not(HasSubstr("preprocessing is assumed")));
}

TEST_F(PredictTest, AModelThatTakesAListOfImagesPreparesThemItself) {
  const Finished finished =
      run({"predict", PTRUN_TEST_DATA "/torchscript/list_input.pt", kPhotos + "/cat.jpg", "--task", "tensors"});
  EXPECT_EQ(finished.code, 0) << finished.err;
  const auto row = rows(finished.out).at(0);
  EXPECT_EQ(row["task"], "tensors");
  EXPECT_EQ(row["outputs"][0]["name"], "boxes");
  EXPECT_THAT(finished.err, Not(HasSubstr("assumed")));
}

}  // namespace
}  // namespace ptrun::test
