#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/ir/ir.h>

#include "graph/builder_impl.h"
#include "graph/jit_api.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

WeightTable table_of(const std::vector<std::pair<std::string, std::vector<std::int64_t>>>& rows) {
  WeightTable table;
  for (const auto& [name, shape] : rows) {
    WeightTable::Entry entry;
    entry.name = name;
    entry.shape = shape;
    entry.dtype = DType::float32;
    table.add(std::move(entry));
  }
  return table;
}

TensorProvider ones() {
  return [](const WeightTable::Entry& entry) { return at::ones(entry.shape); };
}

at::Tensor run(GraphBuilder& builder, const at::Tensor& x) {
  return jit::Program(finish(builder).graph).run({x}).toTensor();
}

TEST(GraphBuilder, ConvolutionTakesItsGroupsFromTheInput) {
  const WeightTable table = table_of({{"a.weight", {4, 3, 1, 1}}, {"b.weight", {4, 1, 3, 3}}, {"b.bias", {4}}});
  GraphBuilder g = make_builder(table, ones());
  const Weights w(table);
  const Value x = g.input("x");
  g.output(g.conv2d(w / "b", g.conv2d(w / "a", x, {.groups = 1}), {.stride = 2, .padding = 1}));
  EXPECT_TRUE(differences(g).empty());
  const at::Tensor y = run(g, at::ones({1, 3, 4, 4}));
  EXPECT_EQ(y.sizes().vec(), (std::vector<std::int64_t>{1, 4, 2, 2}));
  // Depthwise: 4 pixels of value 3 in the corner, 9 in the middle, plus the bias.
  EXPECT_EQ(y[0][0][0][0].item<float>(), 13.0F);
  EXPECT_EQ(y[0][0][1][1].item<float>(), 28.0F);
}

TEST(GraphBuilder, NamesEveryMissingLeftOverAndMismatchedWeightAtOnce) {
  const WeightTable table = table_of({{"conv.weight", {4, 3, 1, 1}},
                                      {"bn.weight", {5}},
                                      {"bn.bias", {4}},
                                      {"bn.running_var", {4}},
                                      {"bn.num_batches_tracked", {}},
                                      {"other.weight", {1}}});
  GraphBuilder g = make_builder(table, {});
  const Weights w(table);
  g.output(g.linear(w / "fc", g.batch_norm(w / "bn", g.conv2d(w / "conv", g.input("x")))));
  const WeightDifferences found = differences(g);
  EXPECT_THAT(found.missing, ElementsAre("bn.running_mean", "fc.weight"));
  EXPECT_THAT(found.left_over, ElementsAre("other.weight"));
  ASSERT_EQ(found.mismatched.size(), 1U);
  EXPECT_EQ(found.mismatched[0], "bn.weight has shape [5], expected [4]");
}

TEST(GraphBuilder, ConvolutionOfOtherChannelsIsAMismatch) {
  const WeightTable table = table_of({{"a.weight", {4, 3, 1, 1}}, {"b.weight", {8, 3, 1, 1}}});
  GraphBuilder g = make_builder(table, {});
  const Weights w(table);
  g.output(g.conv2d(w / "b", g.conv2d(w / "a", g.input("x")), {.groups = 1}));
  ASSERT_EQ(differences(g).mismatched.size(), 1U);
  EXPECT_THAT(differences(g).mismatched[0], HasSubstr("b.weight has shape [8, 3, 1, 1], expected a convolution of 4"));
}

TEST(GraphBuilder, HalfWeightsBecomeFloatAndConstantsAreShared) {
  const WeightTable table = table_of({{"s", {2}}});
  GraphBuilder g = make_builder(
      table, [](const WeightTable::Entry&) { return at::full({2}, 0.1, at::kHalf).set_requires_grad(true); });
  const Weights w(table);
  const Value x = g.input("x");
  g.output(g.add(g.mul(x, g.weight(w, "s")), g.weight(w, "s")));
  const GraphModule module = finish(g);
  int constants = 0;
  for (const torch::jit::Node* node : module.graph->nodes()) {
    if (node->kind() == c10::prim::Constant && node->output()->type()->kind() == c10::TypeKind::TensorType) {
      ++constants;
      EXPECT_EQ(node->t(c10::attr::value).scalar_type(), at::kFloat);
      EXPECT_FALSE(node->t(c10::attr::value).requires_grad());
    }
  }
  EXPECT_EQ(constants, 1);
}

TEST(GraphBuilder, OperatorsByExactOverloadWithDefaultsAndKeywords) {
  const WeightTable table;
  GraphBuilder g = make_builder(table, {});
  const Value x = g.input("x");
  const Value rolled = g.op("aten::roll", {x, std::vector<std::int64_t>{1}, std::vector<std::int64_t>{1}});
  // alpha is keyword-only: by position another overload would be taken.
  const Value doubled = g.op("aten::add.Tensor", {rolled, x}, {{"alpha", std::int64_t{2}}});
  const std::vector<Value> parts = g.op_results("aten::max.dim", {doubled, std::int64_t{1}});
  ASSERT_EQ(parts.size(), 2U);
  // A JIT-only operator: sizes are scalars in the graph.
  const Value size = g.op("aten::size.int", {x, std::int64_t{1}});
  g.output(g.op("aten::mul.Scalar", {parts[0], size}));
  const at::Tensor y = run(g, at::tensor({1.0F, 2.0F, 3.0F}).reshape({1, 3}));
  // x = 1 2 3, rolled 3 1 2, sum 5 5 8.
  EXPECT_EQ(y.item<float>(), 24.0F);
}

TEST(GraphBuilder, AWrongSchemaIsNamed) {
  const WeightTable table;
  GraphBuilder g = make_builder(table, {});
  const Value x = g.input("x");
  try {
    g.op("aten::no_such_operator", {x});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::internal);
    EXPECT_EQ(error.subject(), "aten::no_such_operator");
  }
  EXPECT_THROW(g.op("aten::relu", {x, x, x}), Error);
  EXPECT_THROW(g.op("aten::max.dim", {x, std::int64_t{0}}), Error);
  EXPECT_THROW(g.relu(Value()), Error);
}

// Every function against the ATen function it stands for.
TEST(GraphBuilder, FunctionsComputeWhatTheySay) {
  const at::Tensor x = at::linspace(-4.0, 8.0, 2 * 3 * 6 * 6).reshape({2, 3, 6, 6});
  const auto check = [&](const std::function<Value(GraphBuilder&, Value)>& ours, const at::Tensor& expected) {
    const WeightTable table;
    GraphBuilder g = make_builder(table, {});
    g.output(ours(g, g.input("x")));
    const at::Tensor y = run(g, x);
    EXPECT_TRUE(at::equal(y, expected));
  };
  check([](auto& g, Value v) { return g.relu(v); }, at::relu(x));
  check([](auto& g, Value v) { return g.relu6(v); }, at::clamp(x, 0, 6));
  check([](auto& g, Value v) { return g.silu(v); }, at::silu(x));
  check([](auto& g, Value v) { return g.hardswish(v); }, at::hardswish(x));
  check([](auto& g, Value v) { return g.hardsigmoid(v); }, at::hardsigmoid(x));
  check([](auto& g, Value v) { return g.sigmoid(v); }, at::sigmoid(x));
  check([](auto& g, Value v) { return g.gelu(v); }, at::gelu(x));
  check([](auto& g, Value v) { return g.softmax(v, 1); }, at::softmax(x, 1));
  check([](auto& g, Value v) { return g.max_pool2d(v, {.kernel = 3, .stride = 2, .padding = 1}); },
        at::max_pool2d(x, {3, 3}, {2, 2}, {1, 1}));
  check([](auto& g, Value v) { return g.avg_pool2d(v, {.kernel = 2}); }, at::avg_pool2d(x, {2, 2}));
  check([](auto& g, Value v) { return g.adaptive_avg_pool2d(v, 2, 3); }, at::adaptive_avg_pool2d(x, {2, 3}));
  check([](auto& g, Value v) { return g.mean(v, {2, 3}); }, at::mean(x, {2, 3}));
  check([](auto& g, Value v) { return g.flatten(v); }, x.flatten(1));
  check([](auto& g, Value v) { return g.add(v, g.constant(2.0)); }, x + 2.0);
  check([](auto& g, Value v) { return g.mul(v, v); }, x * x);
  check([](auto& g, Value v) { return g.cat({v, v}, 1); }, at::cat({x, x}, 1));
  check([](auto& g, Value v) { return g.tanh(v); }, at::tanh(x));
  check([](auto& g, Value v) { return g.reshape(v, {g.size(v, 0), -1, 6}); }, x.reshape({2, 18, 6}));
  check([](auto& g, Value v) { return g.permute(v, {0, 2, 3, 1}); }, x.permute({0, 2, 3, 1}));
  check([](auto& g, Value v) { return g.contiguous(g.transpose(v, 1, -1)); }, x.transpose(1, 3));
  check([](auto& g, Value v) { return g.select(v, 1, 2); }, x.select(1, 2));
  check([](auto& g, Value v) { return g.slice(v, 2, 1, g.size(v, 3), 2); }, x.slice(2, 1, 6, 2));
  check([](auto& g, Value v) { return g.attention(v, v, v); }, at::scaled_dot_product_attention(x, x, x));
  check([](auto& g, Value v) { return g.attention(v, g.relu(v), v, {.mask = v, .scale = 0.5}); },
        at::scaled_dot_product_attention(x, at::relu(x), x, x, 0.0, false, 0.5));
  check([](auto& g,
           Value v) { return g.avg_pool2d(v, {.kernel = 3, .stride = 1, .padding = 1, .count_include_pad = false}); },
        at::avg_pool2d(x, {3, 3}, {1, 1}, {1, 1}, false, false));
}

TEST(GraphBuilder, ConvolutionWithStridesAndPaddingOfEachSide) {
  const WeightTable table = table_of({{"weight", {2, 3, 1, 5}}});
  GraphBuilder g = make_builder(table, ones());
  g.output(g.conv2d(Weights(table), g.input("x"), {.stride = {2, 1}, .padding = {0, 2}}));
  EXPECT_EQ(run(g, at::ones({1, 3, 6, 6})).sizes().vec(), (std::vector<std::int64_t>{1, 2, 3, 6}));
}

TEST(GraphBuilder, SkippedWeightsAreNotLeftOver) {
  const WeightTable table = table_of({{"aux.fc.weight", {2, 4}}, {"aux.fc.bias", {2}}, {"auxiliary.weight", {2}}});
  GraphBuilder g = make_builder(table, {});
  g.skip(Weights(table) / "aux");
  g.skip(Weights(table) / "absent");
  EXPECT_THAT(differences(g).left_over, ElementsAre("auxiliary.weight"));
}

TEST(GraphBuilder, ChannelsAreKnownAcrossPermutesAndLayerNorms) {
  const WeightTable table = table_of(
      {{"c.weight", {4, 3, 1, 1}}, {"n.weight", {5}}, {"n.bias", {4}}, {"l.weight", {2, 4}}, {"head.weight", {7, 3}}});
  GraphBuilder g = make_builder(table, {});
  const Weights w(table);
  Value x = g.permute(g.conv2d(w / "c", g.input("x")), {0, 2, 3, 1});
  x = g.linear(w / "l", g.layer_norm(w / "n", x));
  g.output(g.linear(w / "head", g.relu(x)));
  EXPECT_THAT(differences(g).mismatched,
              ElementsAre("n.weight has shape [5], expected [4]", "n.bias has shape [4], expected [5]",
                          "head.weight has shape [7, 3], expected [*, 2]"));
}

TEST(GraphBuilder, LayerNormAndLinear) {
  const WeightTable table = table_of({{"n.weight", {4}}, {"n.bias", {4}}, {"fc.weight", {2, 4}}, {"fc.bias", {2}}});
  GraphBuilder g = make_builder(table, ones());
  const Weights w(table);
  g.output(g.linear(w / "fc", g.layer_norm(w / "n", g.input("x"))));
  const at::Tensor x = at::arange(8, at::kFloat).reshape({2, 4});
  const at::Tensor expected =
      at::linear(at::layer_norm(x, {4}, at::ones({4}), at::ones({4})), at::ones({2, 4}), at::ones({2}));
  EXPECT_TRUE(at::equal(run(g, x), expected));
}

TEST(JitApi, FoldRemovesBatchNormsAndKeepsTheNumbers) {
  const WeightTable table = table_of({{"c.weight", {4, 3, 3, 3}},
                                      {"b.weight", {4}},
                                      {"b.bias", {4}},
                                      {"b.running_mean", {4}},
                                      {"b.running_var", {4}}});
  GraphBuilder g = make_builder(table, [](const WeightTable::Entry& entry) { return at::rand(entry.shape).add(0.5); });
  const Weights w(table);
  g.output(g.batch_norm(w / "b", g.conv2d(w / "c", g.input("x"))));
  const GraphModule module = finish(g);
  const auto folded = module.graph->copy();
  jit::fold(folded);
  for (const torch::jit::Node* node : folded->nodes()) EXPECT_NE(node->kind(), c10::aten::batch_norm);
  const at::Tensor x = at::rand({2, 3, 8, 8});
  const at::Tensor plain = jit::Program(module.graph).run({x}).toTensor();
  const at::Tensor fast = jit::Program(folded).run({x}).toTensor();
  EXPECT_LT((plain - fast).abs().max().item<float>(), 1e-4F * plain.abs().max().item<float>());
}

TEST(JitApi, ConstantsAreComputedWhenTheGraphEnds) {
  const WeightTable table = table_of({{"s", {2}}});
  GraphBuilder g = make_builder(table, ones());
  const Weights w(table);
  const Value x = g.input("x");
  g.output(g.mul(x, g.add(g.weight(w, "s"), g.weight(w, "s"))));
  const GraphModule module = finish(g);
  EXPECT_TRUE(jit::is_normal(*module.graph));
  int operators = 0;
  for (const torch::jit::Node* node : module.graph->nodes()) operators += node->kind() != c10::prim::Constant ? 1 : 0;
  EXPECT_EQ(operators, 1);
  EXPECT_EQ(jit::Program(module.graph).run({at::ones({2})}).toTensor()[0].item<float>(), 2.0F);
}

}  // namespace
}  // namespace ptrun
