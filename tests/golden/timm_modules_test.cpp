// Narrow networks of timm's classes pickled whole, against Python's numbers (scripts/fixtures/make_timm_modules.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "golden/torchscript_golden.h"
#include "ptrun/error.h"

namespace ptrun::test {
namespace {

using ::testing::HasSubstr;

const std::string kFolder = PTRUN_TEST_DATA "/timm_modules";
constexpr double kTolerance = 1e-5;

class TimmModules : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(TimmModules, EqualPython) {
  const Comparison result = compare(kFolder, GetParam().expected, kTolerance);
  for (const std::string& wrong : result.wrong) ADD_FAILURE() << result.file << ": " << wrong;
  EXPECT_GT(result.elements, 0U);
}

INSTANTIATE_TEST_SUITE_P(Networks, TimmModules, ::testing::ValuesIn(golden_cases(kFolder)),
                         [](const auto& one) { return one.param.name; });

TEST(TimmModuleFacts, PreprocessingIsThatOfThePretrainedCfg) {
  const Model model = load_model(kFolder + "/efficientnet.pt");
  EXPECT_EQ(model.architecture(), "timm/efficientnet");
  const Preset& preset = model.preset().values;
  EXPECT_EQ(preset.input_height, 24);
  EXPECT_EQ(preset.input_width, 32);
  EXPECT_EQ(preset.interpolation, Interpolation::bicubic);
  EXPECT_EQ(preset.crop_pct, 0.9);
  EXPECT_EQ(preset.mean, (std::array<double, 3>{0.5, 0.25, 0.125}));
  EXPECT_EQ(preset.std, (std::array<double, 3>{0.5, 0.5, 0.25}));
  EXPECT_THAT(model.preset().origins.at("mean").source, HasSubstr("pretrained_cfg"));
}

TEST(TimmModuleErrors, WhatNoRuleFollowsIsRefused) {
  try {
    load_model(kFolder + "/gated.pt");
    FAIL() << "was loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
    EXPECT_THAT(error.what(), HasSubstr("Attention at blocks.1.attn has a gate"));
  }
}

}  // namespace
}  // namespace ptrun::test
