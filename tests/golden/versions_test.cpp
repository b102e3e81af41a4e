// Weights and whole modules that older PyTorch and torchvision saved, against what that Python computed
// (scripts/fixtures/make_versions.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "golden/torchscript_golden.h"
#include "ptrun/models.h"

namespace ptrun::test {
namespace {

const std::string kFolder = PTRUN_TEST_DATA "/versions";
constexpr double kTolerance = 1e-5;

// The forward function of scripts/fixtures/versions_net.py: pixels as a sequence, which comes first.
Value turned(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  return g.permute(w.forward(m.child("inner"), g.permute(g.flatten(x, 2), {2, 0, 1})), {1, 2, 0});
}

const ModelTables& tables() {
  static const ModelTables kTables = [] {
    ModelTables tables = builtin_models();
    tables.modules.push_back({{"versions_net.Turned"}, one_tensor<turned>});
    return tables;
  }();
  return kTables;
}

// Every file of every version, named by both.
std::vector<GoldenCase> all_cases() {
  std::vector<GoldenCase> cases;
  for (const auto& folder : std::filesystem::directory_iterator(kFolder)) {
    const std::string version = folder.path().filename().string();
    for (nlohmann::json& expected : read_cases(folder.path().string())) {
      expected["file"] = version + "/" + expected.at("file").get<std::string>();
      cases.push_back(golden_case(std::move(expected)));
    }
  }
  std::sort(cases.begin(), cases.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return cases;
}

class Versions : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(Versions, EqualThePythonThatWroteIt) {
  const auto& sizes = GetParam().expected.at("runs")[0].at("sizes");
  LoadOptions options;
  options.models = &tables();
  options.preset.input_height = sizes[1].get<int>();
  options.preset.input_width = sizes[2].get<int>();
  const Comparison result = compare(kFolder, GetParam().expected, kTolerance, options);
  for (const std::string& wrong : result.wrong) ADD_FAILURE() << result.file << ": " << wrong;
  EXPECT_GT(result.elements, 0U);
}

INSTANTIATE_TEST_SUITE_P(Files, Versions, ::testing::ValuesIn(all_cases()),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace ptrun::test
