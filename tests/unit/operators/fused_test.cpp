// Our own operators against ATen's.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "kernels/kernels.h"
#include "operator_calls.h"

namespace ptrun {
namespace {

void expect_near(const at::Tensor& expected, const at::Tensor& found, c10::ScalarType type) {
  ASSERT_EQ(expected.sizes(), found.sizes());
  ASSERT_EQ(found.scalar_type(), type);
  const double bound = (type == at::kFloat ? 1e-5 : 0.02) * std::max(1.0, expected.abs().max().item<double>());
  EXPECT_LT((expected - found.to(at::kFloat)).abs().max().item<double>(), bound);
}

class FusedOperators : public ::testing::TestWithParam<std::tuple<c10::ScalarType, int>> {
 protected:
  void SetUp() override { at::set_num_threads(std::get<1>(GetParam())); }
  void TearDown() override { at::set_num_threads(1); }
  c10::ScalarType type_ = std::get<0>(GetParam());
};

TEST_P(FusedOperators, PointwiseIsAConvolutionWithGateActivationAndAddition) {
  for (const std::int64_t size : {1, 5, 13}) {
    const at::Tensor x = numbers({3, 10, size, 7}, 0.1).to(type_).contiguous(at::MemoryFormat::ChannelsLast);
    const at::Tensor w = numbers({27, 10}, 0.2).to(type_).to(at::kFloat);
    const at::Tensor b = numbers({27}, 0.3);
    const at::Tensor gate = numbers({3, 10, 1, 1}, 0.4).abs().to(type_);
    const at::Tensor other = numbers({3, 27, size, 7}, 0.5).to(type_);  // rows of pixels, brought into order
    const at::Tensor packed = call("ptrun::pack_pointwise", {w, type_, 0});
    const auto run = [&](const c10::IValue& g, const c10::IValue& o, kernels::Activation activation, double low,
                         double high, bool after) {
      return call("ptrun::pointwise",
                  {x, g, packed, c10::IValue(), padded_bias(b), o, 27, true, id(activation), low, high, after});
    };
    const at::Tensor wide = x.to(at::kFloat);
    const at::Tensor kernel = w.reshape({27, 10, 1, 1});
    const at::Tensor plain = at::conv2d(wide, kernel, b);
    const c10::IValue none;
    using kernels::Activation;
    expect_near(plain, run(none, none, Activation::clamp, -kInfinite, kInfinite, false), type_);
    expect_near(at::silu(plain), run(none, none, Activation::silu, 0, 0, false), type_);
    expect_near(at::gelu(plain), run(none, none, Activation::gelu, 0, 0, false), type_);
    expect_near(at::gelu(plain, "tanh"), run(none, none, Activation::gelu_tanh, 0, 0, false), type_);
    expect_near(at::hardsigmoid(plain), run(none, none, Activation::hardsigmoid, 0, 0, false), type_);
    expect_near(at::sigmoid(plain), run(none, none, Activation::sigmoid, 0, 0, false), type_);
    expect_near(at::relu(plain + other), run(none, other, Activation::clamp, 0, kInfinite, true), type_);
    expect_near(at::relu(plain) + other, run(none, other, Activation::clamp, 0, kInfinite, false), type_);
    expect_near(at::hardswish(plain) + other, run(none, other, Activation::hardswish, 0, 0, false), type_);
    const at::Tensor gated = at::conv2d((x * gate).to(at::kFloat), kernel, b);
    expect_near(gated, run(gate, none, Activation::clamp, -kInfinite, kInfinite, false), type_);
    expect_near(gated + other, run(gate, other, Activation::clamp, -kInfinite, kInfinite, false), type_);
    EXPECT_TRUE(run(none, none, Activation::clamp, 0, 1, false).is_contiguous(at::MemoryFormat::ChannelsLast));
  }
}

// As the interpreter of graphs hands over what nobody reads afterwards.
TEST_P(FusedOperators, ASummandThatNobodyElseHoldsBecomesTheResult) {
  for (const std::int64_t size : {1, 3, 13}) {
    for (const std::int64_t columns : {27, 64}) {
      SCOPED_TRACE(::testing::Message() << size << " " << columns);
      const at::Tensor x = numbers({3, 10, size, 7}, 0.1).to(type_);
      const at::Tensor w = numbers({columns, 10}, 0.2).to(type_).to(at::kFloat);
      const at::Tensor b = numbers({columns}, 0.3);
      at::Tensor other = numbers({3, columns, size, 7}, 0.5).to(type_).contiguous(at::MemoryFormat::ChannelsLast);
      const at::Tensor kept = other.clone();
      const at::Tensor plain = at::conv2d(x.to(at::kFloat), w.reshape({columns, 10, 1, 1}), b);
      const auto run = [&](c10::IValue summand) {
        std::vector<c10::IValue> stack = {x, {}, call("ptrun::pack_pointwise", {w, type_, 0}), {}, padded_bias(b)};
        stack.push_back(std::move(summand));
        for (const c10::IValue& value : std::vector<c10::IValue>{columns, true, 0, 0.0, kInfinite, true})
          stack.push_back(value);
        return call("ptrun::pointwise", std::move(stack));
      };
      expect_near(at::relu(plain + kept), run(other), type_);
      EXPECT_TRUE(at::equal(other, kept));
      const at::Tensor part = other.narrow(0, 0, 3);  // holds the memory, not the tensor
      expect_near(at::relu(plain + kept), run(std::move(other)), type_);
      EXPECT_TRUE(at::equal(part, kept));
      at::Tensor last = kept.clone();
      const void* memory = last.const_data_ptr();
      const at::Tensor same = run(std::move(last));
      EXPECT_EQ(same.const_data_ptr(), memory);
      expect_near(at::relu(plain + kept), same, type_);
    }
  }
}

TEST_P(FusedOperators, PointwiseIsALinearLayerOverTheLastDimension) {
  for (const std::vector<std::int64_t>& sizes :
       {std::vector<std::int64_t>{12}, {1, 12}, {5, 12}, {2, 3, 12}, {2, 3, 5, 12}}) {
    const at::Tensor x = numbers(sizes, 0.1).to(type_);
    const at::Tensor w = numbers({70, 12}, 0.2).to(type_).to(at::kFloat);
    const at::Tensor b = numbers({70}, 0.3);
    const at::Tensor found = call("ptrun::pointwise", {x, c10::IValue(), call("ptrun::pack_pointwise", {w, type_, 0}),
                                                       c10::IValue(), padded_bias(b), c10::IValue(), 70, false,
                                                       id(kernels::Activation::clamp), -kInfinite, kInfinite, false});
    expect_near(at::linear(x.to(at::kFloat), w, b), found, type_);
  }
}

// Enough work for several threads.
TEST_P(FusedOperators, LargeConvolutions) {
  const at::Tensor x = numbers({3, 64, 40, 40}, 0.1).to(type_);
  const at::Tensor w = numbers({64, 64, 3, 3}, 0.2).to(type_).to(at::kFloat);
  const at::Tensor b = numbers({64}, 0.3);
  const std::vector<double> nothing = {static_cast<double>(id(kernels::Activation::clamp)), -kInfinite, kInfinite, 0.0};
  const at::Tensor packed = call("ptrun::pack_pointwise", {w.permute({0, 2, 3, 1}).reshape({64, -1}), type_, 0});
  expect_near(at::conv2d(x.to(at::kFloat), w, b, 1, 1),
              call("ptrun::convolution",
                   {x, packed, c10::IValue(), b, c10::IValue(), 64, std::vector<std::int64_t>{3, 3}, 1, 1, nothing}),
              type_);
  const at::Tensor taps = numbers({7, 7, 64}, 0.4);
  expect_near(at::conv2d(x.to(at::kFloat), taps.permute({2, 0, 1}).unsqueeze(1), b, 1, 3, 1, 64),
              call("ptrun::depthwise", {x, taps, b, 7, 1, 3, id(kernels::Activation::clamp), -kInfinite, kInfinite}),
              type_);
}

// Rows of 4096 bytes are copied apart.
TEST_P(FusedOperators, PointwiseOfRowsThatShareCachePlaces) {
  for (const std::int64_t rows : {3, 30, 200}) {
    const at::Tensor x = numbers({rows, 2048}, 0.1).to(type_);
    const at::Tensor w = numbers({512, 2048}, 0.2).to(type_).to(at::kFloat);
    const at::Tensor b = numbers({512}, 0.3);
    const at::Tensor other = numbers({rows, 512}, 0.4).to(type_);
    const at::Tensor found = call("ptrun::pointwise", {x, c10::IValue(), call("ptrun::pack_pointwise", {w, type_, 0}),
                                                       c10::IValue(), padded_bias(b), other, 512, false,
                                                       id(kernels::Activation::clamp), -kInfinite, kInfinite, false});
    expect_near(at::linear(x.to(at::kFloat), w, b) + other.to(at::kFloat), found, type_);
  }
}

// Threads share panels of weights, and tiles of rows in one of them.
TEST_P(FusedOperators, TheNumberOfThreadsDoesNotReachTheBytes) {
  const auto compare = [](const auto& run) {
    at::set_num_threads(1);
    const at::Tensor expected = run();
    for (const int threads : {2, 3, 4, 7}) {
      at::set_num_threads(threads);
      EXPECT_TRUE(at::equal(run(), expected)) << threads << " threads";
    }
  };
  for (const std::int64_t rows : {1, 5, 8, 49, 60, 197}) {
    for (const std::int64_t columns : {24, 160, 167}) {
      SCOPED_TRACE(::testing::Message() << rows << " x " << columns);
      const at::Tensor x = numbers({rows, 4000}, 0.1).to(type_);
      const at::Tensor w = call("ptrun::pack_pointwise", {numbers({columns, 4000}, 0.2), type_, 0});
      const at::Tensor b = padded_bias(numbers({columns}, 0.3));
      compare([&] {
        return call("ptrun::pointwise", {x, c10::IValue(), w, c10::IValue(), b, c10::IValue(), columns, false,
                                         id(kernels::Activation::silu), 0.0, 0.0, false});
      });
    }
  }
  const at::Tensor image = numbers({3, 72, 100, 101}, 0.4).to(type_);
  compare([&] { return call("ptrun::global_mean", {image}); });
}

TEST_P(FusedOperators, ConvolutionIsDense) {
  for (const std::int64_t kernel : {1, 2, 3, 7}) {
    for (const std::int64_t stride : {1, 2, 3}) {
      for (const std::int64_t padding : {std::int64_t{0}, kernel / 2, kernel + 1}) {
        SCOPED_TRACE(::testing::Message() << kernel << " " << stride << " " << padding);
        const at::Tensor x = numbers({3, 9, 17, 23}, 0.1).to(type_);
        const at::Tensor w = numbers({27, 9, kernel, kernel + 1}, 0.2).to(type_).to(at::kFloat);
        const at::Tensor b = numbers({27}, 0.3);
        at::Tensor flat = w.permute({0, 2, 3, 1}).reshape({27, -1});
        if (type_ != at::kFloat && flat.size(1) % 2 != 0) flat = at::constant_pad_nd(flat, {0, 1});
        const at::Tensor plain = at::conv2d(x.to(at::kFloat), w, b, stride, padding);
        const at::Tensor other = numbers(plain.sizes().vec(), 0.4).to(type_);
        const at::Tensor found =
            call("ptrun::convolution",
                 {x, call("ptrun::pack_pointwise", {flat, type_, 0}), c10::IValue(), padded_bias(b), other, 27,
                  std::vector<std::int64_t>{kernel, kernel + 1}, stride, padding,
                  std::vector<double>{static_cast<double>(id(kernels::Activation::clamp)), 0.0, kInfinite, 1.0}});
        expect_near(at::relu(plain + other.to(at::kFloat)), found, type_);
        if (type_ != at::kFloat) continue;
        if (flat.size(1) % 2 != 0) flat = at::constant_pad_nd(flat, {0, 1});
        const auto packed = call_all("ptrun::pack_integers", {flat, false});
        const at::Tensor close = call(
            "ptrun::convolution",
            {x, packed[0], packed[1], padded_bias(b), c10::IValue(), 27, std::vector<std::int64_t>{kernel, kernel + 1},
             stride, padding,
             std::vector<double>{static_cast<double>(id(kernels::Activation::clamp)), -kInfinite, kInfinite, 0.0}});
        EXPECT_LT((plain - close).abs().max().item<double>(), 2e-3 * plain.abs().max().item<double>());
      }
    }
  }
}

TEST_P(FusedOperators, DepthwiseIsAConvolutionWithAFilterForEachChannel) {
  for (const std::int64_t kernel : {3, 5, 7}) {
    for (const std::int64_t stride : {1, 2}) {
      for (const std::int64_t padding : {std::int64_t{0}, kernel / 2, kernel - 1}) {
        const at::Tensor x = numbers({2, 27, 9, 16}, 0.1).to(type_);
        const at::Tensor w = numbers({27, 1, kernel, kernel}, 0.2);
        const at::Tensor b = numbers({27}, 0.3);
        const at::Tensor taps = w.squeeze(1).permute({1, 2, 0}).contiguous();
        const at::Tensor found =
            call("ptrun::depthwise", {x, taps, b, kernel, stride, padding, id(kernels::Activation::clamp), 0.0, 6.0});
        const at::Tensor plain = at::conv2d(x.to(at::kFloat), w, b, stride, padding, 1, 27);
        expect_near(plain.clamp(0, 6), found, type_);
      }
    }
  }
}

TEST_P(FusedOperators, AttentionOfHeadsThatStandSideBySide) {
  for (const std::int64_t tokens : {1, 19, 70}) {
    const at::Tensor packed = numbers({2, tokens, 3, 4, 24}, 0.1).to(type_);
    const auto part = [&](std::int64_t i) { return packed.select(2, i).transpose(1, 2); };
    const at::Tensor found = call("ptrun::attention", {part(0), part(1), part(2), 0.5});
    const at::Tensor scores = at::matmul(part(0).to(at::kFloat), part(1).to(at::kFloat).transpose(2, 3)) * 0.5;
    expect_near(at::matmul(at::softmax(scores, -1), part(2).to(at::kFloat)), found, type_);
    EXPECT_TRUE(found.transpose(1, 2).is_contiguous());
  }
  // Queries of another number than keys, and values that do not stand side by side.
  const at::Tensor query = numbers({1, 2, 5, 8}, 0.1).to(type_);
  const at::Tensor key = numbers({1, 2, 33, 8}, 0.2).to(type_);
  const at::Tensor value = numbers({1, 2, 8, 33}, 0.3).to(type_).transpose(2, 3);
  const at::Tensor scores = at::matmul(query.to(at::kFloat), key.to(at::kFloat).transpose(2, 3));
  expect_near(at::matmul(at::softmax(scores, -1), value.to(at::kFloat)),
              call("ptrun::attention", {query, key, value, 1.0}), type_);
}

TEST_P(FusedOperators, GlobalMean) {
  const at::Tensor x = numbers({3, 37, 6, 11}, 0.1).to(type_);
  expect_near(x.to(at::kFloat).mean({2, 3}, true), call("ptrun::global_mean", {x}), type_);
}

INSTANTIATE_TEST_SUITE_P(Types, FusedOperators,
                         ::testing::Combine(::testing::Values(at::kFloat, at::kBFloat16), ::testing::Values(1, 2)));

TEST_P(FusedOperators, DeepLinearLayersGiveTheSameNumbers) {
  register_fused_operators();
  if (type_ != at::kFloat) return;
  const kernels::Loops& floats = *kernels::best_loops(kernels::Element::float32);
  const at::Tensor x = numbers({5, 11, 260}, 0.1);
  const at::Tensor w = numbers({128, 260}, 0.2);
  const at::Tensor b = numbers({128}, 0.3);
  const at::Tensor other = numbers({5, 11, 128}, 0.4);
  const at::Tensor expected = at::gelu(at::linear(x, w, b)) + other;
  const auto run = [&](const at::Tensor& in, const at::Tensor& packed, const c10::IValue& scales, const at::Tensor& o) {
    return call("ptrun::pointwise", {in, c10::IValue(), packed, scales, padded_bias(b), o, 128, false,
                                     id(kernels::Activation::gelu), 0.0, 0.0, false});
  };
  for (const kernels::DeepProduct* deep : {floats.deep, floats.coarse, floats.digits}) {
    if (deep == nullptr) continue;
    const auto parts = static_cast<std::int64_t>(deep->parts);
    const at::Tensor packed = call("ptrun::pack_pointwise", {w, type_, parts});
    EXPECT_EQ(packed.size(0), parts);
    if (deep == floats.digits) {
      const double apart = (expected - run(x, packed, c10::IValue(), other)).abs().max().item<double>();
      EXPECT_LT(apart, 2e-4 * expected.abs().max().item<double>());
      continue;
    }
    expect_near(expected, run(x, packed, c10::IValue(), other), type_);
    // Fewer rows than two threads want: they share the columns.
    expect_near(expected.narrow(1, 0, 1), run(x.narrow(1, 0, 1), packed, c10::IValue(), other.narrow(1, 0, 1)), type_);
  }
  if (kernels::best_loops(kernels::Element::int16)->deep != nullptr) {
    const auto usual = call_all("ptrun::pack_integers", {w, false});
    const auto deep = call_all("ptrun::pack_integers", {w, true});
    EXPECT_TRUE(run(x, usual[0].toTensor(), usual[1], other).equal(run(x, deep[0].toTensor(), deep[1], other)));
  }
  EXPECT_THROW(call("ptrun::pack_pointwise", {numbers({128, 6}, 0), type_, 5}), c10::Error);
}

TEST_P(FusedOperators, DeepProductsTakeAGate) {
  register_fused_operators();
  if (type_ != at::kFloat) return;
  const kernels::Loops& floats = *kernels::best_loops(kernels::Element::float32);
  const at::Tensor x = numbers({3, 260, 13, 7}, 0.1).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor w = numbers({128, 260}, 0.2);
  const at::Tensor b = numbers({128}, 0.3);
  const at::Tensor gate = numbers({3, 260, 1, 1}, 0.4);
  const at::Tensor expected = at::conv2d(x * gate, w.reshape({128, 260, 1, 1}), b);
  for (const kernels::DeepProduct* deep : {floats.deep, floats.coarse, floats.digits}) {
    if (deep == nullptr) continue;
    const at::Tensor packed = call("ptrun::pack_pointwise", {w, type_, static_cast<std::int64_t>(deep->parts)});
    const auto run = [&](const at::Tensor& in) {
      return call("ptrun::pointwise", {in, gate, packed, c10::IValue(), padded_bias(b), c10::IValue(), 128, true,
                                       id(kernels::Activation::clamp), -kInfinite, kInfinite, false});
    };
    const double allowed = (deep == floats.digits ? 1e-3 : 1e-4) * expected.abs().max().item<double>();
    EXPECT_LT((expected - run(x)).abs().max().item<double>(), allowed);
    // A pixel that is not finite spoils no other one.
    at::Tensor odd = x.clone();
    odd[1][5][3][2] = std::numeric_limits<float>::infinity();
    at::Tensor found = run(odd);
    const at::Tensor wanted = at::conv2d(odd * gate, w.reshape({128, 260, 1, 1}), b);
    EXPECT_TRUE(at::equal(found.isinf(), wanted.isinf()) || !deep->gates);
    found.select(0, 1).select(1, 3).select(1, 2).copy_(expected.select(0, 1).select(1, 3).select(1, 2));
    EXPECT_LT((expected - found).abs().max().item<double>(), allowed);
  }
}

TEST_P(FusedOperators, DenseConvolutionsGiveTheSameNumbers) {
  register_fused_operators();
  const kernels::Loops& loops =
      *kernels::best_loops(type_ == at::kFloat ? kernels::Element::float32 : kernels::Element::bfloat16);
  const at::Tensor x = numbers({3, 40, 13, 17}, 0.1).to(type_).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor w = numbers({27, 40, 3, 5}, 0.2).to(type_).to(at::kFloat);
  const at::Tensor b = numbers({27}, 0.3);
  const at::Tensor other = numbers({3, 27, 13, 15}, 0.4).to(type_).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor expected = at::relu(at::conv2d(x.to(at::kFloat), w, b, 1, 1)) + other.to(at::kFloat);
  const std::vector<double> relu = {static_cast<double>(kernels::Activation::clamp), 0, kInfinite, 0};
  for (const kernels::DenseLoops* dense : {loops.dense, loops.coarse_dense}) {
    if (dense == nullptr) continue;
    const at::Tensor packed = call("ptrun::pack_dense", {w, type_, static_cast<std::int64_t>(dense->parts)});
    const auto run = [&](const at::Tensor& in) {
      return call("ptrun::dense", {in, packed, padded_bias(b), other, 27, std::vector<std::int64_t>{3, 5}, 1, relu});
    };
    if (dense == loops.coarse_dense) {
      EXPECT_LT((expected - run(x)).abs().max().item<double>(), 1e-4 * expected.abs().max().item<double>());
    } else {
      expect_near(expected, run(x), type_);
    }
    EXPECT_THROW(run(x.narrow(1, 0, 7)), c10::Error);
    EXPECT_THROW(run(x.narrow(3, 0, 2)), c10::Error);
  }
  EXPECT_THROW(call("ptrun::pack_dense", {w, type_, 9}), c10::Error);
}

TEST_P(FusedOperators, PointwiseOfIntegersIsCloseToFloat32) {
  if (type_ != at::kFloat) return;
  register_fused_operators();
  const at::Tensor x = numbers({3, 130, 13, 7}, 0.1).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor w = numbers({27, 130}, 0.2);
  const at::Tensor b = numbers({27}, 0.3);
  const at::Tensor gate = numbers({3, 130, 1, 1}, 0.4);
  const at::Tensor other = numbers({3, 27, 13, 7}, 0.5);
  std::vector<c10::IValue> packed = {w, false};
  c10::Dispatcher::singleton().findSchemaOrThrow("ptrun::pack_integers", "").callBoxed(&packed);
  const auto run = [&](const at::Tensor& in, const c10::IValue& g, const c10::IValue& o, double low) {
    return call("ptrun::pointwise", {in, g, packed[0], packed[1], padded_bias(b), o, 27, true,
                                     id(kernels::Activation::clamp), low, kInfinite, true});
  };
  const at::Tensor kernel = w.reshape({27, 130, 1, 1});
  const at::Tensor plain = at::conv2d(x, kernel, b);
  // Of the sum of what is added: terms cancel. bfloat16 is some 1e-3 apart.
  const double bound = 1e-4 * at::conv2d(x.abs(), kernel.abs()).max().item<double>();
  const c10::IValue none;
  EXPECT_LT((run(x, none, none, -kInfinite) - plain).abs().max().item<double>(), bound);
  EXPECT_LT((run(x, none, other, 0) - at::relu(plain + other)).abs().max().item<double>(), bound);
  EXPECT_LT((run(x, gate, none, -kInfinite) - at::conv2d(x * gate, kernel, b)).abs().max().item<double>(), bound);
  EXPECT_TRUE(
      at::equal(run(at::zeros_like(x), none, none, -kInfinite), b.reshape({1, 27, 1, 1}).expand({3, 27, 13, 7})));
  at::Tensor odd = x.clone();
  odd[1][5][3][2] = NAN;
  const at::Tensor spoiled = run(odd, none, none, -kInfinite);
  EXPECT_TRUE(spoiled.select(0, 1).select(1, 3).select(1, 2).isnan().all().item<bool>());
  EXPECT_EQ(spoiled.isnan().sum().item<std::int64_t>(), 27);
}

TEST(FusedOperators, WrongShapesThrowAndTouchNothing) {
  const at::Tensor packed = call("ptrun::pack_pointwise", {numbers({9, 4}, 0), at::kFloat, 0});
  const at::Tensor bias = at::zeros({16});
  const auto run = [&](const at::Tensor& x, const c10::IValue& gate, const at::Tensor& b, const c10::IValue& other) {
    return call("ptrun::pointwise", {x, gate, packed, c10::IValue(), b, other, 9, true, 0, -1.0, 1.0, false});
  };
  const at::Tensor x = at::zeros({1, 4, 2, 2});
  EXPECT_NO_THROW(run(x, c10::IValue(), bias, c10::IValue()));
  EXPECT_THROW(run(at::zeros({1, 6, 2, 2}), c10::IValue(), bias, c10::IValue()), c10::Error);
  EXPECT_THROW(run(at::zeros({4, 2, 2}), c10::IValue(), bias, c10::IValue()), c10::Error);
  EXPECT_THROW(run(x, c10::IValue(), at::zeros({9}), c10::IValue()), c10::Error);
  EXPECT_THROW(run(x, at::zeros({1, 3, 1, 1}), bias, c10::IValue()), c10::Error);
  EXPECT_THROW(run(x, c10::IValue(), bias, at::zeros({1, 9, 2, 1})), c10::Error);
  EXPECT_THROW(run(x.to(at::kBFloat16), c10::IValue(), bias, c10::IValue()), c10::Error);
  EXPECT_THROW(run(x.to(at::kDouble), c10::IValue(), bias, c10::IValue()), c10::Error);
  EXPECT_THROW(call("ptrun::pack_pointwise", {numbers({9, 3}, 0), at::kBFloat16, 0}), c10::Error);
  const at::Tensor heads = at::zeros({1, 2, 3, 4});
  EXPECT_THROW(call("ptrun::attention", {heads, heads, at::zeros({1, 2, 4, 4}), 1.0}), c10::Error);
  const at::Tensor taps = at::zeros({3, 3, 4});
  EXPECT_THROW(call("ptrun::depthwise", {at::zeros({1, 4, 1, 1}), taps, at::zeros({4}), 3, 1, 0, 0, 0.0, 0.0}),
               c10::Error);
  EXPECT_THROW(call("ptrun::depthwise", {at::zeros({1, 4, 9, 9}), taps, at::zeros({4}), 4, 1, 0, 0, 0.0, 0.0}),
               c10::Error);
  EXPECT_THROW(call("ptrun::depthwise", {at::zeros({1, 5, 9, 9}), taps, at::zeros({5}), 3, 1, 1, 0, 0.0, 0.0}),
               c10::Error);
}

}  // namespace
}  // namespace ptrun
