// ptrun::strips gives the bits of the layers one after the other, whatever is cut where.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <tuple>

#include "operator_calls.h"

namespace ptrun {
namespace {

using kernels::Activation;

// A 1x1 convolution of `depth` channels to `columns`.
struct Pointwise {
  at::Tensor weight, bias;
  c10::IValue scales;
  std::int64_t columns;
  Activation activation;
  double low, high;

  Pointwise(std::int64_t depth, std::int64_t columns_, c10::ScalarType type, bool integers, Activation activation_,
            double low_, double high_)
      : bias(padded_bias(numbers({columns_}, 0.3))),
        columns(columns_),
        activation(activation_),
        low(low_),
        high(high_) {
    const at::Tensor w = numbers({columns, depth}, 0.2);
    const auto packed =
        integers ? call_all("ptrun::pack_integers", {w, false}) : call_all("ptrun::pack_pointwise", {w, type, 0});
    weight = packed[0].toTensor();
    if (integers) scales = packed[1];
  }

  at::Tensor operator()(const at::Tensor& x, const c10::IValue& other) const {
    return call("ptrun::pointwise", {x, c10::IValue(), weight, scales, bias, other, columns, true, id(activation), low,
                                     high, other.isTensor()});
  }

  std::vector<double> epilogue(bool after) const {
    return {static_cast<double>(id(activation)), low, high, after ? 1.0 : 0.0};
  }
};

// Type of the images, 16-bit integers in the products, threads.
class Strips : public ::testing::TestWithParam<std::tuple<c10::ScalarType, bool, int>> {
 protected:
  void SetUp() override {
    type_ = std::get<0>(GetParam());
    integers_ = std::get<1>(GetParam());
    at::set_num_threads(std::get<2>(GetParam()));
  }
  void TearDown() override { at::set_num_threads(1); }

  // channels: of the input, of the depthwise convolution, of the result; 0 where a 1x1 convolution is not there.
  void check(std::int64_t depth, std::int64_t middle, std::int64_t columns, std::int64_t height, std::int64_t width,
             std::int64_t kernel, std::int64_t stride, std::int64_t padding, bool adds) {
    SCOPED_TRACE(::testing::Message() << depth << " " << middle << " " << columns << ", " << height << "x" << width
                                      << ", kernel " << kernel << " stride " << stride << " padding " << padding);
    const std::int64_t in = depth == 0 ? middle : depth;
    const at::Tensor x = numbers({3, in, height, width}, 0.1).to(type_).contiguous(at::MemoryFormat::ChannelsLast);
    const at::Tensor taps = numbers({kernel, kernel, middle}, 0.5);
    const at::Tensor bias = numbers({middle}, 0.6);
    const Pointwise before(in, middle, type_, integers_, Activation::hardswish, 0, 0);
    const Pointwise behind(middle, columns == 0 ? 8 : columns, type_, integers_, Activation::clamp, -1, kInfinite);
    const at::Tensor wide = depth == 0 ? x : before(x, c10::IValue());
    const at::Tensor made =
        call("ptrun::depthwise", {wide, taps, bias, kernel, stride, padding, id(Activation::clamp), 0.0, 6.0});
    c10::IValue other;
    if (adds) other = numbers({3, columns, made.size(2), made.size(3)}, 0.7).to(type_);
    const at::Tensor expected = columns == 0 ? made : behind(made, other);
    const c10::IValue none;
    const std::vector<double> nothing(4, 0.0);
    const at::Tensor found =
        call("ptrun::strips",
             {x, depth == 0 ? none : before.weight, depth == 0 ? none : before.scales, depth == 0 ? none : before.bias,
              depth == 0 ? 0 : middle, depth == 0 ? nothing : before.epilogue(false), taps, bias, kernel, stride,
              padding, std::vector<double>{static_cast<double>(id(Activation::clamp)), 0.0, 6.0, 0.0},
              columns == 0 ? none : behind.weight, columns == 0 ? none : behind.scales,
              columns == 0 ? none : behind.bias, other, columns, columns == 0 ? nothing : behind.epilogue(adds)});
    EXPECT_TRUE(at::equal(expected, found)) << (expected.to(at::kFloat) - found.to(at::kFloat)).abs().max();
    EXPECT_TRUE(found.is_contiguous(at::MemoryFormat::ChannelsLast));
  }

  c10::ScalarType type_ = at::kFloat;
  bool integers_ = false;
};

TEST_P(Strips, GiveTheBitsOfTheLayersOneAfterTheOther) {
  for (const std::int64_t kernel : {3, 5, 7}) {
    for (const std::int64_t stride : {1, 2}) {
      check(10, 26, 12, 17, 9, kernel, stride, kernel / 2, false);
      // Three or four rows fill a strip.
      check(24, 640, 40, 23, 19, kernel, stride, kernel / 2, stride == 1);
      check(24, 640, 40, 11, 19, kernel, stride, 0, true);
      check(24, 640, 40, 11, 19, kernel, stride, kernel - 1, false);
    }
  }
}

TEST_P(Strips, WithOneOfThePointwiseLayers) {
  check(24, 640, 0, 23, 19, 3, 1, 1, false);
  check(24, 640, 0, 23, 19, 5, 2, 2, false);
  check(0, 640, 40, 23, 19, 3, 1, 1, true);
  check(0, 640, 40, 23, 19, 5, 2, 2, false);
}

TEST_P(Strips, OfOneRowAndOfOnePixel) {
  check(8, 16, 8, 1, 30, 3, 1, 1, true);
  check(8, 16, 8, 1, 1, 5, 2, 2, true);
  check(8, 4000, 8, 9, 31, 3, 1, 1, false);  // a row is more than a strip should hold
}

INSTANTIATE_TEST_SUITE_P(Types, Strips,
                         ::testing::Values(std::tuple(at::kFloat, false, 1), std::tuple(at::kFloat, false, 2),
                                           std::tuple(at::kFloat, true, 1), std::tuple(at::kFloat, true, 2),
                                           std::tuple(at::kBFloat16, false, 1), std::tuple(at::kBFloat16, false, 2)));

TEST(StripsOfNothing, AreRefusedOrEmpty) {
  const at::Tensor taps = numbers({3, 3, 8}, 0.1);
  const c10::IValue none;
  const std::vector<double> nothing(4, 0.0);
  const auto run = [&](const at::Tensor& x, const c10::IValue& weight, const std::vector<double>& epilogue) {
    return call("ptrun::strips", {x, none, none, none, 0, nothing, taps, at::zeros({8}), 3, 1, 1, epilogue, weight,
                                  none, none, none, 8, nothing});
  };
  EXPECT_EQ(run(at::zeros({0, 8, 5, 5}), none, nothing).sizes(), at::IntArrayRef({0, 8, 5, 5}));
  EXPECT_THROW(run(at::zeros({1, 7, 5, 5}), none, nothing), c10::Error);
  EXPECT_THROW(run(at::zeros({8, 5, 5}), none, nothing), c10::Error);
  EXPECT_THROW(run(at::zeros({1, 8, 5, 5}), at::zeros({8, 8}), nothing), c10::Error);  // no bias
  EXPECT_THROW(run(at::zeros({1, 8, 5, 5}), none, {0.0}), c10::Error);
}

}  // namespace
}  // namespace ptrun
