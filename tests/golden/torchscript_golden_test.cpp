// The small files of make_torchscript.py: what the loader says about each, and Python's numbers within 1e-5.
#include "golden/torchscript_golden.h"

#include <gtest/gtest.h>

namespace ptrun::test {
namespace {

const std::string kFolder = PTRUN_TEST_DATA "/torchscript";
constexpr double kTolerance = 1e-5;

class TorchScriptGolden : public testing::TestWithParam<GoldenCase> {};

TEST_P(TorchScriptGolden, EqualsPython) {
  // A file may ask for more: half_frozen.pt was folded in float16, its reference was not.
  const Comparison result = compare(kFolder, GetParam().expected, GetParam().expected.value("tolerance", kTolerance));
  for (const std::string& wrong : result.wrong) ADD_FAILURE() << result.file << ": " << wrong;
  EXPECT_TRUE(result.elements > 0 || GetParam().expected.at("runs").empty()) << "nothing was compared";
}

INSTANTIATE_TEST_SUITE_P(Files, TorchScriptGolden, testing::ValuesIn(golden_cases(kFolder)),
                         [](const auto& one) { return one.param.name; });

// The comparison itself can fail: other numbers and other facts are seen.
TEST(TorchScriptGoldenComparison, SeesDifferences) {
  nlohmann::json wanted = read_cases(kFolder).front();
  ASSERT_TRUE(compare(kFolder, wanted, kTolerance).wrong.empty());
  wanted["runs"][0]["outputs"][0]["data"][0] = wanted["runs"][0]["outputs"][0]["data"][0].get<double>() + 1e-3;
  EXPECT_EQ(compare(kFolder, wanted, kTolerance).wrong.size(), 2U);  // each of the two calls
  wanted["task"] = "embed";
  EXPECT_EQ(compare(kFolder, wanted, kTolerance).wrong.size(), 3U);
}

}  // namespace
}  // namespace ptrun::test
