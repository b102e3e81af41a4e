// int8 plans against PyTorch's own quantised operators (make_golden_int8.py) and against fp32.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/ir/irparser.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "executor/executor.h"
#include "executor/folded.h"
#include "executor/plan.h"
#include "executor/trial.h"
#include "loader/int8_ranges.h"
#include "support/made_model.h"
#include "support/scratch.h"

namespace ptrun {
namespace {

GraphModule network(const std::string& text, const std::vector<at::Tensor>& weights) {
  auto graph = std::make_shared<torch::jit::Graph>();
  std::unordered_map<std::string, torch::jit::Value*> names;
  torch::jit::parseIR(text, graph.get(), names);
  for (std::size_t i = weights.size(); i > 0; --i) {
    const torch::jit::WithInsertPoint guard(*graph->nodes().begin());
    graph->inputs()[i]->replaceAllUsesWith(graph->insertConstant(weights[i - 1]));
    graph->eraseInput(i);
  }
  return GraphModule{graph};
}

jit::TensorRange covering(double scale, double zero) {
  return {"", static_cast<float>(-zero * scale), static_cast<float>((255 - zero) * scale), {}};
}

std::unique_ptr<Plan> int8_plan(const GraphModule& module, const at::Tensor& batch, jit::Ranges ranges) {
  const auto given = std::make_shared<const Int8Ranges>(Int8Ranges{0, "minmax", 1, std::move(ranges)});
  return make_int8_plan(module, {Device{}, {batch}, false, nullptr, given});
}

jit::Ranges observed(const GraphModule& module, const at::Tensor& batch) {
  jit::RangeObserver observer(fold_for(module, {batch}, true).graph);
  observer.add({batch});
  return observer.extremes();
}

class Int8PlanTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_int8()) GTEST_SKIP() << "this processor has no AVX512_VNNI";
  }
};

TEST_F(Int8PlanTest, LayersGivePyTorchsNumbers) {
  std::ifstream file(PTRUN_TEST_DATA "/golden/int8.json");
  const nlohmann::json golden = nlohmann::json::parse(file);
  for (const nlohmann::json& one : golden.at("layers")) {
    const auto floats = [&](const char* key) { return at::tensor(one.at(key).get<std::vector<float>>()); };
    const GraphModule module =
        network(R"(
graph(%x : Tensor, %w : Tensor, %b : Tensor, %u : Tensor):
  %one : int[] = prim::Constant[value=[1, 1]]()
  %zero : int[] = prim::Constant[value=[0, 0]]()
  %single : int = prim::Constant[value=1]()
  %t = aten::conv2d(%x, %w, %b, %one, %one, %one, %single)
  %r = aten::relu(%t)
  %y = aten::conv2d(%r, %u, %b, %one, %zero, %one, %single)
  return (%y))",
                {floats("first").reshape({8, 8, 3, 3}), floats("bias"), floats("second").reshape({8, 8, 1, 1})});
    const double scale = one.at("input_scale");
    const double zero = one.at("input_zero");
    const at::Tensor input =
        ((at::tensor(one.at("input").get<std::vector<double>>()) - zero) * scale).to(at::kFloat).reshape({2, 8, 6, 6});
    const nlohmann::json& middle = one.at("middle");
    const auto plan = int8_plan(
        module, input,
        {covering(scale, zero), {"", 1, 0, {}}, covering(middle.at("scale"), middle.at("zero")), {"", 1, 0, {}}});
    ASSERT_NE(plan, nullptr);
    const at::Tensor found = plan->run({input}).toTensor();
    // PyTorch rounds the end to bytes too, the plan gives numbers: half a step apart at most.
    const double step = one.at("last").at("scale");
    const double offset = one.at("last").at("zero");
    const at::Tensor expected = ((at::tensor(one.at("output").get<std::vector<double>>()) - offset) * step)
                                    .reshape(one.at("output_shape").get<std::vector<std::int64_t>>());
    const double apart = (found.to(at::kDouble) - expected).abs().max().item<double>();
    EXPECT_LT(apart, 0.501 * step) << one.at("name");
  }
}

// A stem with pooling, a residual block whose shortcut is read again afterwards, squeeze-and-excitation, a head.
constexpr const char* kBlocks = R"(
graph(%x : Tensor, %w : Tensor, %b : Tensor, %d : Tensor, %p : Tensor, %q : Tensor, %l : Tensor):
  %one : int[] = prim::Constant[value=[1, 1]]()
  %two : int[] = prim::Constant[value=[2, 2]]()
  %three : int[] = prim::Constant[value=[3, 3]]()
  %zero : int[] = prim::Constant[value=[0, 0]]()
  %single : int = prim::Constant[value=1]()
  %eight : int = prim::Constant[value=8]()
  %last : int = prim::Constant[value=-1]()
  %no : bool = prim::Constant[value=0]()
  %none : NoneType = prim::Constant()
  %t = aten::conv2d(%x, %w, %b, %two, %one, %one, %single)
  %r = aten::relu(%t)
  %m = aten::max_pool2d(%r, %three, %two, %one, %one, %no)
  %e = aten::conv2d(%m, %p, %b, %one, %zero, %one, %single)
  %h = aten::hardswish(%e)
  %f = aten::conv2d(%h, %d, %b, %one, %one, %one, %eight)
  %s = aten::silu(%f)
  %a = aten::adaptive_avg_pool2d(%s, %one)
  %g = aten::conv2d(%a, %p, %b, %one, %zero, %one, %single)
  %i = aten::sigmoid(%g)
  %j = aten::mul(%s, %i)
  %c = aten::conv2d(%j, %q, %none, %one, %zero, %one, %single)
  %k = aten::add(%c, %m, %single)
  %n = aten::conv2d(%k, %q, %b, %one, %zero, %one, %single)
  %o = aten::add(%n, %m, %single)
  %u = aten::relu(%o)
  %v = aten::add(%u, %k, %single)
  %z = aten::adaptive_avg_pool2d(%v, %one)
  %y = aten::flatten(%z, %single, %last)
  %logits = aten::linear(%y, %l, %none)
  return (%logits))";

at::Tensor weight(std::vector<std::int64_t> sizes, double factor) {
  std::int64_t count = 1;
  for (const std::int64_t size : sizes) count *= size;
  return at::arange(count, at::kDouble).mul(factor).sin().mul(0.5).reshape(sizes).to(at::kFloat);
}

GraphModule blocks() {
  return network(kBlocks, {weight({8, 3, 3, 3}, 0.7), weight({8}, 1.1), weight({8, 1, 3, 3}, 0.9),
                           weight({8, 8, 1, 1}, 1.7), weight({8, 8, 1, 1}, 2.3), weight({10, 8}, 0.37)});
}

TEST_F(Int8PlanTest, ResidualsPoolsAndGatesStayNearFp32) {
  const GraphModule module = blocks();
  const at::Tensor batch = example_batch({3, 3, 37, 29});
  const auto plain = make_plain_plan(module, {});
  const c10::IValue expected = plain->run({batch});
  const jit::Ranges ranges = observed(module, batch);
  const auto given = std::make_shared<const Int8Ranges>(Int8Ranges{0, "minmax", 1, ranges});
  const PlanRequest request{Device{}, {batch}, false, nullptr, given};
  for (const auto make : {make_int8_plan, make_int8_bf16_plan}) {
    const auto plan = make(module, request);
    if (!plan && !has_bf16()) continue;
    ASSERT_NE(plan, nullptr);
    const c10::IValue first = plan->run({batch});
    EXPECT_LT(difference(expected, first), 0.03);
    EXPECT_GT(difference(expected, first), 1e-5) << "nothing was rounded";
    // Nothing that a run writes into is seen by the next one.
    for (int i = 0; i < 3; ++i) EXPECT_EQ(difference(first, plan->run({batch})), 0);
    EXPECT_EQ(first.toTensor().scalar_type(), at::kFloat);
  }
}

TEST_F(Int8PlanTest, BiasesTakeUpTheMeanErrorOfTheWeights) {
  // Weights that are rounded the same way throughout: 0.4 steps of 1/127 are lost in all but one of 64 channels.
  at::Tensor lossy = at::full({4, 64, 1, 1}, 10.4 / 127);
  lossy.select(1, 0).fill_(1);
  const GraphModule module = network(R"(
graph(%x : Tensor, %w : Tensor):
  %one : int[] = prim::Constant[value=[1, 1]]()
  %zero : int[] = prim::Constant[value=[0, 0]]()
  %single : int = prim::Constant[value=1]()
  %none : NoneType = prim::Constant()
  %y = aten::conv2d(%x, %w, %none, %one, %zero, %one, %single)
  return (%y))",
                                     {lossy});
  const at::Tensor batch = weight({1, 64, 8, 8}, 0.83).add(2);
  const at::Tensor expected = make_plain_plan(module, {})->run({batch}).toTensor();
  jit::Ranges ranges = observed(module, batch);
  const double corrected =
      (int8_plan(module, batch, ranges)->run({batch}).toTensor() - expected).mean().abs().item<double>();
  ranges.front().means.clear();
  const double as_rounded =
      (int8_plan(module, batch, ranges)->run({batch}).toTensor() - expected).mean().abs().item<double>();
  EXPECT_GT(as_rounded, 0.3);
  EXPECT_LT(corrected, 0.02);
}

TEST_F(Int8PlanTest, RangesOfAnotherNetworkServeNone) {
  const GraphModule module = blocks();
  const at::Tensor batch = example_batch({1, 3, 32, 32});
  jit::Ranges ranges = observed(module, batch);
  ranges.pop_back();
  EXPECT_EQ(int8_plan(module, batch, ranges), nullptr);
}

TEST(Int8Ranges, TheirFileReadsBackTheSame) {
  const Int8Ranges ranges{
      0x0123456789abcdefULL,
      "percentile",
      256,
      {{"input", -2.1179039478F, 2.64F, {0.1F, -3e-20F}}, {"aten::relu", 0, 1e20F, {}}, {"aten::size", 1, 0, {}}}};
  const Int8Ranges read = parse_int8_ranges(int8_ranges_json(ranges), "x");
  EXPECT_EQ(read.fingerprint, ranges.fingerprint);
  EXPECT_EQ(read.method, "percentile");
  EXPECT_EQ(read.images, 256U);
  ASSERT_EQ(read.tensors.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(read.tensors[i].made_by, ranges.tensors[i].made_by);
    EXPECT_EQ(read.tensors[i].low, ranges.tensors[i].low);
    EXPECT_EQ(read.tensors[i].high, ranges.tensors[i].high);
    EXPECT_EQ(read.tensors[i].means, ranges.tensors[i].means);
  }
}

TEST(Int8Ranges, MalformedFilesAreRefusedByName) {
  const auto problem = [](const std::string& text) {
    return test::error_of([&] { parse_int8_ranges(text, "m.pt.ptrun.int8.json"); });
  };
  const std::string good = int8_ranges_json({1, "minmax", 2, {{"input", 0, 1, {}}}});
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  for (const std::string& text :
       {std::string("[]"), std::string("{"), std::string(), with("\"v\": 1", "\"v\": 2"),
        with("0000000000000001", "xyz"), with("\"minmax\"", "7"), with("\"low\": 0.0", "\"low\": 3"),
        with("\"low\": 0.0", "\"low\": \"a\""), with("\"high\": 1.0", "\"high\": 1e99"), with("\"op\"", "\"po\""),
        with("[", "7, \"x\": [")}) {
    const Error error = problem(text);
    EXPECT_EQ(error.code(), ErrorCode::bad_model) << text;
    EXPECT_EQ(error.subject(), "m.pt.ptrun.int8.json");
  }
}

TEST_F(Int8PlanTest, WithoutRangesTheErrorNamesTheCommand) {
  const Model model = test::made_model({.module = blocks()});
  ExecutorOptions options;
  options.precision = Precision::int8;
  options.height = options.width = 32;
  const Error error = test::error_of([&] { const Executor executor(model, options); });
  EXPECT_EQ(error.code(), ErrorCode::unsupported);
  EXPECT_THAT(error.what(), testing::HasSubstr("ptrun calibrate test.pt FOLDER"));
}

}  // namespace
}  // namespace ptrun
