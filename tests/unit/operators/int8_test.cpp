// The operators on bytes against their definitions in float64, with sizes that leave a rest behind whole vectors.
#include "operators/int8.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <gtest/gtest.h>

namespace ptrun {
namespace {

at::Tensor run(const char* name, std::vector<c10::IValue> stack) {
  register_int8_operators();
  c10::Dispatcher::singleton().findSchemaOrThrow((std::string("ptrun::") + name).c_str(), "").callBoxed(&stack);
  return stack.front().toTensor();
}

at::Tensor numbers(std::vector<std::int64_t> sizes, double factor) {
  std::int64_t count = 1;
  for (const std::int64_t size : sizes) count *= size;
  const at::Tensor values = at::arange(count, at::kDouble).mul(factor).sin().mul(3).reshape(sizes).to(at::kFloat);
  return sizes.size() == 4 ? values.contiguous(at::MemoryFormat::ChannelsLast) : values;
}

at::Tensor some_bytes(std::vector<std::int64_t> sizes, double factor) {
  return numbers(sizes, factor).mul(42).add(127).round().clamp(0, 255).to(at::kByte);
}

at::Tensor quantised(const at::Tensor& value, double scale, double zero) {
  return (value.to(at::kDouble) / scale).round().add(zero).clamp(0, 255).to(at::kByte);
}

at::Tensor number_of(const at::Tensor& bytes, double scale, double zero) {
  return (bytes.to(at::kDouble) - zero) * scale;
}

// Halves may fall to either side where a float32 product is a hair off.
void expect_same_bytes(const at::Tensor& found, const at::Tensor& expected) {
  ASSERT_EQ(found.sizes(), expected.sizes());
  ASSERT_EQ(found.scalar_type(), at::kByte);
  const at::Tensor apart = (found.to(at::kInt) - expected.to(at::kInt)).abs();
  EXPECT_LE(apart.max().item<int>(), 1);
  EXPECT_LE((apart > 0).sum().item<std::int64_t>(), found.numel() / 500);
}

TEST(Int8Operators, QuantiseAndBackInBothTypesAndLayouts) {
  for (const std::vector<std::int64_t>& sizes : {std::vector<std::int64_t>{2, 37, 5, 3}, {3, 701}, {2, 3, 67}}) {
    const at::Tensor values = numbers(sizes, 0.77);
    const at::Tensor found = run("quantize_u8", {values, 0.02, 131});
    expect_same_bytes(found, quantised(values, 0.02, 131));
    const at::Tensor halves = values.to(at::kBFloat16);
    expect_same_bytes(run("quantize_u8", {halves, 0.02, 131}), quantised(halves.to(at::kFloat), 0.02, 131));
    const at::Tensor back = run("dequantize_u8", {found, 0.02, 131, static_cast<std::int64_t>(at::kFloat)});
    EXPECT_TRUE(at::allclose(back.to(at::kDouble), number_of(found, 0.02, 131), 1e-6, 1e-7));
    const at::Tensor half = run("dequantize_u8", {found, 0.02, 131, static_cast<std::int64_t>(at::kBFloat16)});
    EXPECT_TRUE(at::equal(half, back.to(at::kBFloat16)));
  }
}

TEST(Int8Operators, ValuesOutsideTheRangeAndNoNumbersSaturate) {
  const at::Tensor values = at::tensor({-1e30F, 1e30F, INFINITY, -INFINITY, 0.0F});
  EXPECT_TRUE(
      at::equal(run("quantize_u8", {values, 0.1, 7}), at::tensor({0, 255, 255, 0, 7}, at::TensorOptions(at::kByte))));
}

TEST(Int8Operators, MaxPoolIsTheLargestByteInsideTheImage) {
  for (const std::int64_t channels : {1, 64, 77}) {
    const at::Tensor bytes = some_bytes({2, channels, 11, 9}, 0.913);
    const at::Tensor expected = at::max_pool2d(bytes.to(at::kFloat), {3, 2}, {2, 3}, {1, 1}, {1, 1}, true);
    const std::vector<std::int64_t> size = {expected.size(2), expected.size(3)};
    const at::Tensor found =
        run("max_pool2d_u8", {bytes, std::vector<std::int64_t>{3, 2}, std::vector<std::int64_t>{2, 3},
                              std::vector<std::int64_t>{1, 1}, size});
    EXPECT_TRUE(at::equal(found.to(at::kFloat), expected)) << channels;
  }
}

TEST(Int8Operators, MeanAndGateOfChannels) {
  const at::Tensor bytes = some_bytes({3, 77, 7, 5}, 1.271);
  const at::Tensor value = number_of(bytes, 0.031, 90);
  const at::Tensor mean = run("mean_u8", {bytes, 0.031, 90, static_cast<std::int64_t>(at::kFloat)});
  EXPECT_TRUE(at::allclose(mean.to(at::kDouble), value.mean({2, 3}, true), 1e-6, 1e-6));
  const at::Tensor gate = numbers({3, 77, 1, 1}, 0.4).abs().mul(0.3);
  const at::Tensor found = run("scale_u8", {bytes, 0.031, 90, gate, 0.025, 60});
  expect_same_bytes(found, quantised(value * gate.to(at::kDouble), 0.025, 60));
}

TEST(Int8Operators, SumOfTwoScales) {
  const at::Tensor a = some_bytes({2, 41, 5, 3}, 1.7);
  const at::Tensor b = some_bytes({2, 41, 5, 3}, 0.3);
  const at::Tensor found = run("add_u8", {a, 0.0213, 128, b, 0.0517, 3, 0.0631, 20});
  expect_same_bytes(found, quantised(number_of(a, 0.0213, 128) + number_of(b, 0.0517, 3), 0.0631, 20));
}

TEST(Int8Operators, OtherShapesAndTypesAreRefused) {
  const at::Tensor bytes = some_bytes({2, 4, 3, 3}, 1);
  EXPECT_THROW(run("quantize_u8", {bytes, 0.1, 0}), c10::Error);
  EXPECT_THROW(run("quantize_u8", {at::ones({2}), 0.0, 0}), c10::Error);
  EXPECT_THROW(run("quantize_u8", {at::ones({2}), 0.1, 256}), c10::Error);
  EXPECT_THROW(run("mean_u8", {bytes.flatten(), 0.1, 0, static_cast<std::int64_t>(at::kFloat)}), c10::Error);
  EXPECT_THROW(run("scale_u8", {bytes, 0.1, 0, at::ones({2, 3, 1, 1}), 0.1, 0}), c10::Error);
  EXPECT_THROW(run("add_u8", {bytes, 0.1, 0, bytes.narrow(0, 0, 1), 0.1, 0, 0.1, 0}), c10::Error);
  const std::vector<std::int64_t> none;
  EXPECT_THROW(run("max_pool2d_u8", {bytes, none, none, none, none}), c10::Error);
}

}  // namespace
}  // namespace ptrun
