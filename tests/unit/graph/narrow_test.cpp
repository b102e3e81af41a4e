// Layers run for the tokens that are read, against the same graph as it was.
#include "graph/narrow.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/ir/irparser.h>

#include <algorithm>
#include <string>

#include "graph/jit_api.h"

namespace ptrun::jit {
namespace {

constexpr std::int64_t kTokens = 6, kWidth = 8;

// A block of a vision transformer whose heads are two; `end` makes %r of its result %y. Exported programs have constant
// sizes.
std::string block(const std::string& end, const std::string& whole) {
  return R"(
graph(%x : Tensor, %w3 : Tensor, %w : Tensor, %b : Tensor):
  %none : NoneType = prim::Constant()
  %no : bool = prim::Constant[value=0]()
  %yes : bool = prim::Constant[value=1]()
  %p : float = prim::Constant[value=0.]()
  %eps : float = prim::Constant[value=1e-05]()
  %last : int = prim::Constant[value=-1]()
  %zero : int = prim::Constant[value=0]()
  %one : int = prim::Constant[value=1]()
  %two : int = prim::Constant[value=2]()
  %three : int = prim::Constant[value=3]()
  %four : int = prim::Constant[value=4]()
  %eight : int = prim::Constant[value=8]()
  %width : int[] = prim::Constant[value=[8]]()
  %order : int[] = prim::Constant[value=[2, 0, 3, 1, 4]]()
  %tanh : str = prim::Constant[value="none"]()
  %n = aten::layer_norm(%x, %width, %b, %b, %eps, %yes)
  %q3 = aten::linear(%n, %w3, %none)
  %batch : int = aten::size(%q3, %zero)
  %tokens : int = aten::size(%q3, %one)
  %five : int[] = prim::ListConstruct(%batch, %tokens, %three, %two, %four)
  %parts = aten::reshape(%q3, %five)
  %turned = aten::permute(%parts, %order)
  %q = aten::select(%turned, %zero, %zero)
  %k = aten::select(%turned, %zero, %one)
  %v = aten::select(%turned, %zero, %two)
  %a = aten::scaled_dot_product_attention(%q, %k, %v, %none, %p, %no, %none, %no)
  %back = aten::transpose(%a, %one, %two)
)" + whole +
         R"(
  %joined = aten::reshape(%back, %whole)
  %o = aten::linear(%joined, %w, %b)
  %s = aten::add(%o, %x, %one)
  %m = aten::layer_norm(%s, %width, %b, %b, %eps, %yes)
  %u = aten::linear(%m, %w, %b)
  %g = aten::gelu(%u, %tanh)
  %d = aten::linear(%g, %w, %b)
  %y = aten::add(%s, %d, %one)
)" + end +
         "\n  return (%r)";
}

struct Narrowed {
  int count = 0;
  double apart = 0;
  std::size_t wide = 0;  // tensors of all tokens
};

constexpr const char* kWhole = "  %whole : int[] = prim::ListConstruct(%batch, %tokens, %eight)";

Narrowed narrowed(const std::string& end, std::int64_t batch = 2, const std::string& whole = kWhole) {
  const auto options = at::TensorOptions().dtype(at::kFloat);
  at::manual_seed(1);
  const std::vector<c10::IValue> inputs = {at::randn({batch, kTokens, kWidth}, options),
                                           at::randn({3 * kWidth, kWidth}, options),
                                           at::randn({kWidth, kWidth}, options), at::randn({kWidth}, options)};
  const auto graph = std::make_shared<torch::jit::Graph>();
  torch::jit::parseIR(block(end, whole), graph.get());
  Shapes shapes;
  const at::Tensor expected = record_shapes(graph, inputs, shapes).toTensor();
  Narrowed result;
  result.count = narrow(graph, shapes);
  Shapes after;
  const at::Tensor found = record_shapes(graph, inputs, after).toTensor();
  EXPECT_EQ(found.sizes(), expected.sizes());
  result.apart = (found - expected).abs().max().item<double>();
  for (const auto& [value, shape] : after) {
    EXPECT_EQ(shapes.at(value).sizes, shape.sizes);
    result.wide += static_cast<std::size_t>(std::count(shape.sizes.begin(), shape.sizes.end(), kTokens));
  }
  if (expected.size(0) != batch) return result;
  // Another batch than the one that the shapes are of.
  std::vector<c10::IValue> more = inputs;
  more[0] = at::cat({inputs[0].toTensor(), inputs[0].toTensor().add(1)});
  const at::Tensor of_more = Program(graph).run(more).toTensor();
  EXPECT_LT((of_more.narrow(0, 0, batch) - expected).abs().max().item<double>(), 1e-4);
  return result;
}

TEST(Narrow, TheLastBlockRunsForTheTokenThatIsRead) {
  for (const char* index : {"%zero", "%three", "%last"}) {
    const Narrowed result = narrowed("  %r = aten::select(%y, %one, " + std::string(index) + ")");
    EXPECT_EQ(result.count, 4) << index;  // attention and the three linear layers behind it
    EXPECT_LT(result.apart, 1e-4) << index;
    // The input, its norm, the joint product in three orders, queries, keys and values.
    EXPECT_EQ(result.wide, 8U) << index;
  }
}

TEST(Narrow, SizesMayBeConstant) {
  const Narrowed result =
      narrowed("  %r = aten::select(%y, %one, %zero)", 2, "  %whole : int[] = prim::Constant[value=[-1, 6, 8]]()");
  EXPECT_EQ(result.count, 4);
  EXPECT_LT(result.apart, 1e-4);
}

TEST(Narrow, TokensThatAreReadApartRunTogether) {
  const Narrowed result = narrowed(
      "  %f = aten::select(%y, %one, %one)\n  %t = aten::select(%y, %one, %three)\n"
      "  %r = aten::sub(%f, %t, %one)");
  EXPECT_EQ(result.count, 4);
  EXPECT_LT(result.apart, 1e-4);
}

TEST(Narrow, WhatIsReadWholeStays) {
  EXPECT_EQ(narrowed("  %r = aten::gelu(%y, %tanh)").count, 0);
  // Of two readers one takes all, or they take more than half.
  EXPECT_EQ(narrowed("  %t = aten::select(%y, %one, %zero)\n  %l = aten::unsqueeze(%t, %one)\n"
                     "  %r = aten::add(%y, %l, %one)")
                .count,
            0);
  EXPECT_EQ(narrowed("  %f = aten::select(%y, %one, %zero)\n  %t = aten::select(%y, %one, %last)\n"
                     "  %r = aten::add(%f, %t, %one)")
                .count,
            0);
  // One image of the batch, and as many images as tokens.
  EXPECT_EQ(narrowed("  %f = aten::select(%y, %zero, %zero)\n  %r = aten::add(%f, %f, %one)", 1).count, 0);
  EXPECT_EQ(narrowed("  %r = aten::select(%y, %one, %zero)", kTokens).count, 0);
}

}  // namespace
}  // namespace ptrun::jit
