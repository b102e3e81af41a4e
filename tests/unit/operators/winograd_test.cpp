// ptrun::winograd against ATen's convolutions in double.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator_calls.h"

namespace ptrun {
namespace {

// Edge of a tile, threads.
class WinogradOperator : public ::testing::TestWithParam<std::tuple<int, int>> {
 protected:
  void SetUp() override { at::set_num_threads(std::get<1>(GetParam())); }
  void TearDown() override { at::set_num_threads(1); }

  at::Tensor run(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b, c10::IValue other, std::int64_t padding,
                 kernels::Activation activation = kernels::Activation::clamp, double low = -kInfinite,
                 bool after = false) const {
    const at::Tensor packed = call("ptrun::pack_winograd", {w, std::get<0>(GetParam())});
    std::vector<c10::IValue> stack = {x, packed, padded_bias(b)};
    stack.push_back(std::move(other));
    for (const c10::IValue& value : std::vector<c10::IValue>{
             w.size(0), padding,
             std::vector<double>{static_cast<double>(id(activation)), low, kInfinite, after ? 1.0 : 0.0}}) {
      stack.push_back(value);
    }
    return call("ptrun::winograd", std::move(stack));
  }
};

at::Tensor exact(const at::Tensor& x, const at::Tensor& w, const at::Tensor& b, std::int64_t padding) {
  return at::conv2d(x.to(at::kDouble), w.to(at::kDouble), b.to(at::kDouble), 1, padding);
}

void expect_near(const at::Tensor& expected, const at::Tensor& found) {
  ASSERT_EQ(expected.sizes(), found.sizes());
  EXPECT_LT((expected - found.to(at::kDouble)).abs().max().item<double>(),
            2e-5 * std::max(1.0, expected.abs().max().item<double>()));
}

TEST_P(WinogradOperator, IsAConvolution) {
  const std::vector<std::vector<std::int64_t>> inputs = {{1, 64, 14, 14}, {3, 40, 7, 7},  {2, 9, 13, 9},
                                                         {1, 5, 3, 3},    {3, 16, 4, 30}, {2, 1, 6, 6}};
  for (const auto& sizes : inputs) {
    for (const std::int64_t columns : {1, 27, 80}) {
      for (const std::int64_t padding : {0, 1}) {
        SCOPED_TRACE(::testing::Message() << at::IntArrayRef(sizes) << " to " << columns << ", padding " << padding);
        const at::Tensor x = numbers(sizes, 0.1);
        const at::Tensor w = numbers({columns, sizes[1], 3, 3}, 0.2);
        const at::Tensor b = numbers({columns}, 0.3);
        const at::Tensor plain = exact(x, w, b, padding);
        const at::Tensor other = numbers(plain.sizes().vec(), 0.5);
        using kernels::Activation;
        const at::Tensor found = run(x, w, b, {}, padding);
        expect_near(plain, found);
        EXPECT_TRUE(found.is_contiguous(at::MemoryFormat::ChannelsLast));
        expect_near(at::relu(plain + other), run(x, w, b, other, padding, Activation::clamp, 0, true));
        expect_near(at::silu(plain) + other, run(x, w, b, other, padding, Activation::silu));
      }
    }
  }
}

// Many tiles in blocks, few tiles whose columns are shared, rows that would share places of the cache.
TEST_P(WinogradOperator, OfLargeLayers) {
  const std::vector<std::vector<std::int64_t>> layers = {
      {2, 64, 56, 50, 64}, {1, 128, 14, 14, 200}, {1, 1024, 6, 6, 72}, {5, 32, 31, 33, 96}};
  for (const auto& layer : layers) {
    SCOPED_TRACE(::testing::Message() << at::IntArrayRef(layer));
    const at::Tensor x = at::sin(numbers({layer[0], layer[1], layer[2], layer[3]}, 0.1).mul_(3));
    const at::Tensor w = numbers({layer[4], layer[1], 3, 3}, 0.2);
    const at::Tensor b = numbers({layer[4]}, 0.3);
    const at::Tensor plain = exact(x, w, b, 1);
    const at::Tensor other = numbers(plain.sizes().vec(), 0.5);
    expect_near(at::relu(plain + other), run(x, w, b, other, 1, kernels::Activation::clamp, 0, true));
  }
}

TEST_P(WinogradOperator, ASummandThatNobodyElseHoldsBecomesTheResult) {
  const at::Tensor x = numbers({2, 24, 15, 13}, 0.1);
  const at::Tensor w = numbers({43, 24, 3, 3}, 0.2);
  const at::Tensor b = numbers({43}, 0.3);
  const at::Tensor kept = numbers({2, 43, 15, 13}, 0.5).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor expected = at::relu(exact(x, w, b, 1) + kept);
  c10::IValue last = kept.clone();
  const void* memory = last.toTensor().const_data_ptr();
  const at::Tensor found = run(x, w, b, std::move(last), 1, kernels::Activation::clamp, 0, true);
  EXPECT_EQ(found.const_data_ptr(), memory);
  expect_near(expected, found);
}

TEST_P(WinogradOperator, AnInfinityIsSeenByItsTilesOnly) {
  at::Tensor x = numbers({1, 8, 16, 16}, 0.1);
  x[0][3][5][5] = kInfinite;
  const at::Tensor found = run(x, numbers({24, 8, 3, 3}, 0.2), at::zeros({24}), {}, 1).isfinite();
  const auto part = [&](std::int64_t first, std::int64_t size) {
    return found.narrow(2, first, size).narrow(3, first, size);
  };
  EXPECT_FALSE(part(4, 3).any().item<bool>());
  EXPECT_TRUE(part(0, 4).all().item<bool>());
  EXPECT_TRUE(part(8, 8).all().item<bool>());
}

INSTANTIATE_TEST_SUITE_P(EdgesAndThreads, WinogradOperator,
                         ::testing::Combine(::testing::Values(2, 4), ::testing::Values(1, 3)));

TEST(Winograd, WrongShapesThrow) {
  const at::Tensor w = numbers({9, 4, 3, 3}, 0);
  const at::Tensor packed = call("ptrun::pack_winograd", {w, 4});
  const at::Tensor bias = at::zeros({16});
  const auto run = [&](const at::Tensor& x, const at::Tensor& b, const c10::IValue& other, std::int64_t padding) {
    return call("ptrun::winograd", {x, packed, b, other, 9, padding, std::vector<double>{0.0, -1.0, 1.0, 0.0}});
  };
  const at::Tensor x = at::zeros({1, 4, 5, 5});
  EXPECT_NO_THROW(run(x, bias, {}, 1));
  EXPECT_EQ(run(at::zeros({0, 4, 5, 5}), bias, {}, 1).numel(), 0);
  EXPECT_THROW(run(x, bias, {}, 2), c10::Error);
  EXPECT_THROW(run(x, at::zeros({9}), {}, 1), c10::Error);
  EXPECT_THROW(run(x, bias, at::zeros({1, 9, 5, 4}), 1), c10::Error);
  EXPECT_THROW(run(at::zeros({1, 5, 5, 5}), bias, {}, 1), c10::Error);
  EXPECT_THROW(run(at::zeros({1, 4, 2, 5}), bias, {}, 0), c10::Error);
  EXPECT_THROW(run(x.to(at::kBFloat16), bias, {}, 1), c10::Error);
  EXPECT_THROW(call("ptrun::pack_winograd", {w, 3}), c10::Error);
  EXPECT_THROW(call("ptrun::pack_winograd", {at::zeros({9, 4, 3, 1}), 4}), c10::Error);
}

}  // namespace
}  // namespace ptrun
