// Which layers become our own operators, and a residual network made of them.
#include "graph/own_operators.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/irparser.h>

#include <cmath>

#include "executor/plan.h"
#include "executor/trial.h"
#include "graph/own_winograd.h"
#include "kernels/kernels.h"
#include "operators/fused.h"

namespace ptrun::jit {
namespace {

// A residual layer.
std::string text(int stride, int dilation) {
  const auto twice = [](int number) {
    const std::string one = std::to_string(number);
    return "prim::Constant[value=[" + one + ", " + one + "]]()\n";
  };
  return R"(
graph(%x : Tensor, %w : Tensor, %b : Tensor):
  %stride : int[] = )" +
         twice(stride) + "  %padding : int[] = " + twice(1) + "  %dilation : int[] = " + twice(dilation) + R"(
  %groups : int = prim::Constant[value=1]()
  %t = aten::conv2d(%x, %w, %b, %stride, %padding, %dilation, %groups)
  %s = aten::add(%t, %x, %groups)
  %y = aten::relu(%s)
  return (%y))";
}

// Inputs after the first become these constants.
void set_weights(const std::shared_ptr<torch::jit::Graph>& graph, const std::vector<at::Tensor>& weights) {
  for (std::size_t i = weights.size(); i > 0; --i) {
    const torch::jit::WithInsertPoint guard(*graph->nodes().begin());
    graph->inputs()[i]->replaceAllUsesWith(graph->insertConstant(weights[i - 1]));
    graph->eraseInput(i);
  }
}

// The kinds of the nodes that are no constants, of a residual layer of `channels`.
std::vector<std::string> kinds(std::int64_t channels, std::int64_t size, int stride, int dilation, c10::ScalarType type,
                               Products products = Products::usual) {
  register_fused_operators();
  const auto graph = std::make_shared<torch::jit::Graph>();
  torch::jit::parseIR(text(stride, dilation), graph.get());
  set_weights(graph, {at::ones({channels, channels, 3, 3}), at::ones({channels})});
  Shapes shapes;
  for (torch::jit::Value* value : {graph->inputs()[0], graph->outputs()[0]}) {
    shapes[value] = {{2, channels, size, size}, at::kFloat, true};
  }
  for (torch::jit::Node* node : graph->nodes()) {
    if (node->kind() == c10::prim::Constant) continue;
    shapes[node->output()] = {{2, channels, size, size}, at::kFloat, true};
  }
  use_own_operators(graph, shapes, type, products);
  std::vector<std::string> found;
  for (torch::jit::Node* node : graph->nodes()) {
    if (node->kind() != c10::prim::Constant) found.emplace_back(node->kind().toQualString());
  }
  return found;
}

TEST(OwnOperators, ThreeByThreeOfEnoughChannelsInFloat32RunByMinimalFiltering) {
  using ::testing::Contains;
  using ::testing::ElementsAre;
  EXPECT_THAT(kinds(64, 28, 1, 1, at::kFloat), ElementsAre("ptrun::winograd"));
  EXPECT_THAT(kinds(4, 28, 1, 1, at::kFloat), Contains("aten::conv2d"));
  const kernels::DeepProduct* deep = kernels::best_loops(kernels::Element::float32)->deep;
  const bool pays = deep != nullptr && deep->fits(64, 576) && deep->pays(std::size_t{2} * 28 * 28, 64, 576);
  EXPECT_THAT(kinds(64, 28, 2, 1, at::kFloat), Contains(pays ? "ptrun::convolution" : "aten::conv2d"));
  EXPECT_THAT(kinds(64, 28, 1, 2, at::kFloat), Contains("aten::conv2d"));
  const bool direct = kernels::best_loops(kernels::Element::bfloat16)->dense != nullptr;
  EXPECT_THAT(kinds(64, 28, 1, 1, at::kBFloat16), Contains(direct ? "ptrun::dense" : "aten::conv2d"));
  EXPECT_THAT(kinds(64, 28, 1, 1, at::kFloat, Products::integers), ElementsAre("ptrun::winograd"));
  EXPECT_THAT(kinds(64, 28, 2, 1, at::kFloat, Products::integers), ElementsAre("ptrun::convolution"));
  EXPECT_THAT(kinds(8, 28, 1, 1, at::kFloat, Products::integers), ElementsAre("ptrun::convolution"));
}

TEST(OwnOperators, FiltersThatTakeLongerToReadThanTheySaveStayAsTheyAre) {
  EXPECT_EQ(winograd_edge({8, 64, 56, 56}, {64, 64, 3, 3}, 1), 4);
  EXPECT_EQ(winograd_edge({8, 512, 7, 7}, {512, 512, 3, 3}, 1), 4);
  EXPECT_EQ(winograd_edge({1, 512, 7, 7}, {512, 512, 3, 3}, 1), 0);
  EXPECT_EQ(winograd_edge({1, 512, 4, 4}, {512, 512, 3, 3}, 0), 0);
  EXPECT_EQ(winograd_edge({8, 3, 224, 224}, {64, 3, 3, 3}, 1), 0);
}

// A stem, a residual block, one that halves the image, as ResNets have them.
constexpr const char* kResidual = R"(
graph(%x : Tensor, %w0 : Tensor, %w1 : Tensor, %w2 : Tensor, %w3 : Tensor, %w4 : Tensor, %w5 : Tensor, %g : Tensor, %b : Tensor):
  %one : int[] = prim::Constant[value=[1, 1]]()
  %two : int[] = prim::Constant[value=[2, 2]]()
  %zero : int[] = prim::Constant[value=[0, 0]]()
  %groups : int = prim::Constant[value=1]()
  %no : bool = prim::Constant[value=0]()
  %eps : float = prim::Constant[value=0.001]()
  %c0 = aten::conv2d(%x, %w0, %b, %one, %one, %one, %groups)
  %r0 = aten::relu(%c0)
  %c1 = aten::conv2d(%r0, %w1, %b, %one, %one, %one, %groups)
  %n1 = aten::batch_norm(%c1, %g, %b, %b, %g, %no, %eps, %eps, %no)
  %r1 = aten::relu(%n1)
  %c2 = aten::conv2d(%r1, %w2, %b, %one, %one, %one, %groups)
  %n2 = aten::batch_norm(%c2, %g, %b, %b, %g, %no, %eps, %eps, %no)
  %s2 = aten::add(%n2, %r0, %groups)
  %r2 = aten::relu(%s2)
  %c3 = aten::conv2d(%r2, %w3, %b, %two, %one, %one, %groups)
  %r3 = aten::relu(%c3)
  %c4 = aten::conv2d(%r3, %w4, %b, %one, %one, %one, %groups)
  %d = aten::conv2d(%r2, %w5, %b, %two, %zero, %one, %groups)
  %s4 = aten::add(%c4, %d, %groups)
  %r4 = aten::relu(%s4)
  %y = aten::adaptive_avg_pool2d(%r4, %one)
  return (%y))";

// The sizes of the packed weights of a linear layer of `width` to `width` over `tokens`.
std::vector<std::int64_t> packed_sizes(std::int64_t tokens, std::int64_t width, c10::ScalarType type,
                                       Products products = Products::usual) {
  register_fused_operators();
  const auto graph = std::make_shared<torch::jit::Graph>();
  torch::jit::parseIR(R"(
graph(%x : Tensor, %w : Tensor, %b : Tensor):
  %y = aten::linear(%x, %w, %b)
  return (%y))",
                      graph.get());
  set_weights(graph, {at::ones({width, width}), at::ones({width})});
  Shapes shapes;
  for (torch::jit::Value* value : {graph->inputs()[0], graph->outputs()[0]}) {
    shapes[value] = {{1, tokens, width}, at::kFloat, true};
  }
  use_own_operators(graph, shapes, type, products);
  for (torch::jit::Node* node : graph->nodes()) {
    if (node->kind().toQualString() != std::string("ptrun::pointwise")) continue;
    return torch::jit::toIValue(node->input(2))->toTensor().sizes().vec();
  }
  return {};
}

// Of 768 columns and a depth of 768, as many parts as the loops say.
::testing::Matcher<std::vector<std::int64_t>> parts_of(const kernels::DeepProduct& deep) {
  return ::testing::ElementsAre(static_cast<std::int64_t>(deep.parts),
                                static_cast<std::int64_t>(deep.part_size(768, 768)));
}

TEST(OwnOperators, DeepProductsOfManyRowsHaveWeightsOfTheirOwn) {
  using ::testing::ElementsAre;
  const kernels::Loops& floats = *kernels::best_loops(kernels::Element::float32);
  if (floats.deep != nullptr) {
    EXPECT_THAT(packed_sizes(197, 768, at::kFloat), parts_of(*floats.deep));
  }
  if (floats.coarse != nullptr) {
    EXPECT_THAT(packed_sizes(197, 768, at::kFloat, Products::coarse),
                parts_of(floats.digits == nullptr ? *floats.coarse : *floats.digits));
    EXPECT_THAT(packed_sizes(197, 48, at::kFloat, Products::coarse),
                ElementsAre(static_cast<std::int64_t>(floats.coarse->parts), ::testing::_));
  }
  const kernels::DeepProduct* integers = kernels::best_loops(kernels::Element::int16)->deep;
  if (integers != nullptr) {
    EXPECT_THAT(packed_sizes(197, 768, at::kFloat, Products::integers), parts_of(*integers));
    EXPECT_THAT(packed_sizes(197, 256, at::kFloat, Products::integers), ElementsAre(256, 256));
  }
  EXPECT_THAT(packed_sizes(197, 24, at::kFloat), ElementsAre(24, 24));
  EXPECT_THAT(packed_sizes(1, 768, at::kFloat), ElementsAre(768, 768));
  EXPECT_THAT(packed_sizes(197, 768, at::kBFloat16), ElementsAre(768, 768));
}

TEST(OwnOperators, AResidualNetworkGivesTheNumbersOfPlain) {
  at::manual_seed(7);
  const auto graph = std::make_shared<torch::jit::Graph>();
  torch::jit::parseIR(kResidual, graph.get());
  const auto filters = [](std::int64_t channels, std::int64_t size) {
    return at::randn({48, channels, size, size}).mul_(std::sqrt(2.0 / static_cast<double>(channels * size * size)));
  };
  set_weights(graph, {filters(3, 3), filters(48, 3), filters(48, 3), filters(48, 3), filters(48, 3), filters(48, 1),
                      at::rand({48}).add_(0.5), at::randn({48}).mul_(0.1)});
  const Module module = GraphModule{graph};
  const at::Tensor batch = example_batch({2, 3, 37, 29});
  const auto plain = make_plain_plan(module, {});
  const auto fused = make_fused_plan(module, {Device{}, {batch}});
  ASSERT_NE(fused, nullptr);
  EXPECT_LT(difference(plain->run({batch}), fused->run({batch})), 5e-6);
  const auto any_batch = make_fused_plan(module, {Device{}, {batch}, true});
  ASSERT_NE(any_batch, nullptr);
  const at::Tensor larger = example_batch({5, 3, 37, 29});
  EXPECT_LT(difference(plain->run({larger}), any_batch->run({larger})), 5e-6);
}

}  // namespace
}  // namespace ptrun::jit
