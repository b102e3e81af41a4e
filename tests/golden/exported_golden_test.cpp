// The small .pt2 files of make_exported_programs.py, of PyTorch 2.6, 2.9, 2.11 and 2.15: Python's numbers within 1e-5.
#include <gtest/gtest.h>

#include <fstream>

#include "golden/torchscript_golden.h"

namespace ptrun::test {
namespace {

const std::string kFolder = PTRUN_TEST_DATA "/exported";
constexpr double kTolerance = 1e-5;

std::vector<GoldenCase> all_cases() {
  std::vector<GoldenCase> cases = golden_cases(kFolder);
  for (const char* old : {"old_2_5_1", "old_2_6_0", "old_2_7_1", "old_2_8_0", "old_2_9_1", "old_2_11_0"}) {
    std::ifstream file(kFolder + "/" + old + ".json");
    cases.push_back(golden_case(nlohmann::json::parse(file)));
  }
  return cases;
}

class ExportedGolden : public testing::TestWithParam<GoldenCase> {};

TEST_P(ExportedGolden, EqualsPython) {
  const Comparison result = compare(kFolder, GetParam().expected, GetParam().expected.value("tolerance", kTolerance));
  for (const std::string& wrong : result.wrong) ADD_FAILURE() << result.file << ": " << wrong;
  EXPECT_TRUE(result.elements > 0 || GetParam().expected.at("runs").empty()) << "nothing was compared";
}

INSTANTIATE_TEST_SUITE_P(Files, ExportedGolden, testing::ValuesIn(all_cases()),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace ptrun::test
