// Ranges against numpy's percentiles (make_golden_int8.py), and what binds them to a model.
#include "graph/ranges.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/ir/irparser.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "graph/histogram.h"

namespace ptrun::jit {
namespace {

std::vector<float> golden_values(std::int64_t count) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto x = static_cast<double>(i);
    values.push_back(static_cast<float>(std::sin(0.1 * x) * std::exp(3 * std::cos(0.37 * x))));
  }
  return values;
}

TEST(Histogram, QuantilesAreNumpysToTheWidthOfABin) {
  std::ifstream file(PTRUN_TEST_DATA "/golden/int8.json");
  const nlohmann::json golden = nlohmann::json::parse(file).at("percentiles");
  const std::vector<float> values = golden_values(golden.at("count"));
  // In pieces, small values first and last, as images come.
  Histogram histogram;
  histogram.add(values.data() + 3, 7);
  histogram.add(values.data() + 10, values.size() - 10);
  histogram.add(values.data(), 3);
  EXPECT_FLOAT_EQ(histogram.minimum(), golden.at("minimum"));
  EXPECT_FLOAT_EQ(histogram.maximum(), golden.at("maximum"));
  const double bin = golden.at("maximum").get<double>() / 2048;
  for (std::size_t i = 0; i < golden.at("shares").size(); ++i) {
    const double share = golden.at("shares")[i].get<double>() / 100;
    EXPECT_NEAR(histogram.quantile(share), golden.at("values")[i].get<double>(), bin) << share;
  }
}

TEST(Histogram, OnlyFiniteValuesCountAndZerosAloneAreARange) {
  Histogram histogram;
  EXPECT_TRUE(histogram.empty());
  const std::vector<float> zeros = {0, 0, INFINITY, NAN};
  histogram.add(zeros.data(), zeros.size());
  EXPECT_EQ(histogram.quantile(0), 0);
  EXPECT_EQ(histogram.quantile(1), 0);
  const std::vector<float> huge = {1e38F, -2, 1};
  histogram.add(huge.data(), huge.size());
  EXPECT_FLOAT_EQ(histogram.maximum(), 1e38F);
  EXPECT_EQ(histogram.minimum(), -2);
}

constexpr const char* kText = R"(
graph(%x : Tensor, %w : Tensor, %b : Tensor):
  %one : int[] = prim::Constant[value=[1, 1]]()
  %zero : int[] = prim::Constant[value=[0, 0]]()
  %groups : int = prim::Constant[value=1]()
  %t = aten::conv2d(%x, %w, %b, %one, %zero, %one, %groups)
  %y = aten::relu(%t)
  return (%y))";

std::shared_ptr<torch::jit::Graph> graph_of(const std::string& text, const std::vector<at::Tensor>& weights) {
  auto graph = std::make_shared<torch::jit::Graph>();
  std::unordered_map<std::string, torch::jit::Value*> names;
  torch::jit::parseIR(text, graph.get(), names);
  for (std::size_t i = weights.size(); i > 0; --i) {
    const torch::jit::WithInsertPoint guard(*graph->nodes().begin());
    graph->inputs()[i]->replaceAllUsesWith(graph->insertConstant(weights[i - 1]));
    graph->eraseInput(i);
  }
  return graph;
}

TEST(RangeObserver, SeesEveryTensorAndLeavesTheGraphAsItWas) {
  const at::Tensor weight = at::tensor({2.F, -1.F}).reshape({2, 1, 1, 1});
  const auto graph = graph_of(kText, {weight, at::tensor({0.F, 1.F})});
  const std::string before = graph->toString();
  {
    RangeObserver observer(graph);
    observer.add({at::tensor({-3.F, 1.F}).reshape({1, 1, 1, 2})});
    observer.add({at::tensor({5.F, 0.F}).reshape({1, 1, 1, 2})});
    const Ranges ranges = observer.extremes();
    ASSERT_EQ(ranges.size(), 3U);
    EXPECT_EQ(ranges[0].made_by, "input");
    EXPECT_EQ(ranges[0].low, -3);
    EXPECT_EQ(ranges[0].high, 5);
    EXPECT_THAT(ranges[0].means, testing::ElementsAre(testing::FloatEq(0.75F)));
    EXPECT_EQ(ranges[1].made_by, "aten::conv2d");
    EXPECT_GT(ranges[1].low, ranges[1].high) << "it only goes into an activation";
    EXPECT_THAT(ranges[1].means, testing::IsEmpty());
    EXPECT_EQ(ranges[2].made_by, "aten::relu");
    EXPECT_EQ(ranges[2].low, 0);
    EXPECT_EQ(ranges[2].high, 10);
  }
  EXPECT_EQ(graph->toString(), before);
}

TEST(Fingerprint, IsOfTheOperatorsAndTheWeights) {
  const at::Tensor weight = at::linspace(-1, 1, 6).reshape({2, 3, 1, 1});
  const at::Tensor bias = at::ones({2});
  const std::uint64_t first = fingerprint(*graph_of(kText, {weight, bias}));
  EXPECT_EQ(fingerprint(*graph_of(kText, {weight.clone(), bias.clone()})), first);
  const at::Tensor other = weight.clone();
  other[1][2][0][0] += 1e-6;
  EXPECT_NE(fingerprint(*graph_of(kText, {other, bias})), first);
  EXPECT_NE(fingerprint(*graph_of(kText, {weight.reshape({2, 1, 3, 1}), bias})), first);
  std::string text = kText;
  text.replace(text.find("aten::relu"), 10, "aten::tanh");
  EXPECT_NE(fingerprint(*graph_of(text, {weight, bias})), first);
  std::string stride = kText;
  stride.replace(stride.find("value=[1, 1]"), 12, "value=[2, 1]");
  EXPECT_NE(fingerprint(*graph_of(stride, {weight, bias})), first);
}

}  // namespace
}  // namespace ptrun::jit
