// ptrun convert through the tool.
#include "cli/cli_test.h"

namespace ptrun::test {
namespace {

using testing::HasSubstr;

class ConvertCliTest : public CliTest {};

TEST_F(ConvertCliTest, WhatIsWrittenGivesTheSameRows) {
  for (const char* name : {"out.safetensors", "out.pt"}) {
    const Finished done = run({"convert", kWeights, "-o", path(name)});
    EXPECT_EQ(done.code, 0) << done.err;
    EXPECT_EQ(done.out, "");
    EXPECT_THAT(done.err, HasSubstr("314 tensors of mobilenet_v2"));
    EXPECT_THAT(done.err, HasSubstr("task classify, 1000 labels"));
    const std::string cat = kPhotos + "/cat.jpg";
    const Finished converted = run({"predict", path(name), cat, "--format", "jsonl"});
    EXPECT_EQ(converted.out, predict({cat, "--format", "jsonl"}).out);
    EXPECT_THAT(converted.err, testing::Not(HasSubstr("assumed")));
  }
}

TEST_F(ConvertCliTest, WhatGoesWrong) {
  expect_refused(run({"convert", kWeights}), 2, "--output: 0 outputs were given");
  expect_refused(run({"convert", kWeights, "-o", path("out.onnx")}), 2, "is no format of weights");
  write("there.pt", "x");
  expect_refused(run({"convert", kWeights, "-o", path("there.pt")}), 2, "exists already");
  EXPECT_EQ(text_of(path("there.pt")), "x");
  write("two.txt", "a\nb\n");
  expect_refused(run({"convert", kWeights, "-o", path("out.pt"), "--labels", path("two.txt")}), 2,
                 "holds 2 labels, but the model has 1000 classes");
  EXPECT_FALSE(fs::exists(path("out.pt")));
  // A pickled module's weights are taken out; that they do not run any more is said.
  const Finished tree =
      run({"convert", PTRUN_TEST_DATA "/modules/linear_rows.pt", "-o", path("rows.pt"), "--labels", path("two.txt")});
  EXPECT_EQ(tree.code, 0);
  EXPECT_THAT(tree.err, HasSubstr("ptrun cannot run the result"));
  EXPECT_THAT(tree.err, HasSubstr("the number of labels (2) is not checked"));
}

}  // namespace
}  // namespace ptrun::test
