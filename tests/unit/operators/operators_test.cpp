// The operators against torchvision's own numbers (make_golden_operators.py), called through LibTorch's dispatcher.
#include "operators/operators.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "operators/kernels.h"

namespace ptrun {
namespace {

at::Tensor tensor_of(const nlohmann::json& value) {
  const std::string dtype = value.at("dtype");
  const at::ScalarType type = dtype == "float32"   ? at::kFloat
                              : dtype == "float64" ? at::kDouble
                              : dtype == "int64"   ? at::kLong
                                                   : at::kInt;
  std::vector<double> data;
  for (const nlohmann::json& number : value.at("data")) data.push_back(number.is_null() ? NAN : number.get<double>());
  return at::tensor(data, at::kDouble).view(value.at("shape").get<std::vector<std::int64_t>>()).to(type);
}

c10::IValue argument_of(const nlohmann::json& value) {
  if (value.contains("tensor")) return tensor_of(value["tensor"]);
  const nlohmann::json& plain = value.at("value");
  if (plain.is_boolean()) return plain.get<bool>();
  if (plain.is_number_integer()) return plain.get<std::int64_t>();
  return plain.get<double>();
}

std::vector<c10::IValue> call(const std::string& name, std::vector<c10::IValue> stack) {
  c10::Dispatcher::singleton().findSchemaOrThrow(("torchvision::" + name).c_str(), "").callBoxed(stack);
  return stack;
}

TEST(Operators, EqualTorchvision) {
  register_operators();
  register_operators();  // a second call changes nothing
  std::ifstream file(PTRUN_TEST_DATA "/golden/operators.json");
  const nlohmann::json golden = nlohmann::json::parse(file);
  std::size_t compared = 0;
  for (const nlohmann::json& one : golden.at("cases")) {
    const std::string name = one.at("name");
    SCOPED_TRACE("case " + std::to_string(compared) + ", " + name);
    std::vector<c10::IValue> arguments;
    for (const nlohmann::json& argument : one.at("arguments")) arguments.push_back(argument_of(argument));
    const std::vector<c10::IValue> results = call(name, std::move(arguments));
    ASSERT_EQ(results.size(), one.at("outputs").size());
    for (std::size_t i = 0; i < results.size(); ++i) {
      const at::Tensor expected = tensor_of(one["outputs"][i]);
      const at::Tensor result = results[i].toTensor();
      ASSERT_EQ(result.sizes(), expected.sizes());
      ASSERT_EQ(result.scalar_type(), expected.scalar_type());
      if (expected.numel() == 0) continue;
      // Relative to 1; a region without samples is NaN for some operators, and has to be here as well.
      const double tolerance = expected.scalar_type() == at::kFloat ? 2e-5 : 1e-9;
      EXPECT_TRUE(at::allclose(result.to(at::kDouble), expected.to(at::kDouble), tolerance, tolerance, true))
          << "largest difference " << (result.to(at::kDouble) - expected.to(at::kDouble)).abs().max().item<double>();
    }
    ++compared;
  }
  EXPECT_GT(compared, 25U);
}

TEST(Operators, AreAllRegistered) {
  register_operators();
  for (const std::string& name : provided_operators()) {
    EXPECT_TRUE(c10::Dispatcher::singleton().findSchema({name, ""}).has_value()) << name;
  }
}

// What a model file may feed them must not reach outside of a tensor, nor run for ever.
TEST(Operators, RefuseWhatDoesNotFit) {
  const at::Tensor image = at::zeros({1, 1, 4, 4});
  const auto rois = [](std::vector<float> values) { return at::tensor(values).view({1, 5}); };
  EXPECT_ANY_THROW(operators::roi_align(image, rois({1, 0, 0, 2, 2}), 1.0, 2, 2, 2, false));
  EXPECT_ANY_THROW(operators::roi_align(image, rois({-1, 0, 0, 2, 2}), 1.0, 2, 2, 2, false));
  EXPECT_ANY_THROW(operators::roi_align(image, rois({NAN, 0, 0, 2, 2}), 1.0, 2, 2, 2, false));
  EXPECT_ANY_THROW(operators::roi_align(image, rois({0, 0, 0, 1e30F, 2}), 1.0, 2, 2, 0, false));
  EXPECT_ANY_THROW(operators::roi_align(image, rois({0, 0, 0, 2, 2}), 1.0, 0, 2, 2, false));
  EXPECT_NO_THROW(operators::roi_align(image, rois({0, NAN, 0, 2, 2}), 1.0, 2, 2, 2, false));
  EXPECT_NO_THROW(operators::roi_pool(image, rois({0, NAN, -1e30F, 1e30F, 2}), 1.0, 2, 2));
  EXPECT_NO_THROW(operators::ps_roi_pool(at::zeros({1, 4, 4, 4}), rois({0, NAN, -1e30F, 1e30F, 2}), 1.0, 2, 2));
  EXPECT_ANY_THROW(operators::ps_roi_align(image, rois({0, 0, 0, 2, 2}), 1.0, 2, 2, 2));
  // A product of the two sides that overflows to 0.
  constexpr std::int64_t kHuge = std::int64_t{1} << 32;
  EXPECT_ANY_THROW(operators::ps_roi_align(image, rois({0, 0, 0, 2, 2}), 1.0, kHuge, kHuge, 2));
  EXPECT_ANY_THROW(operators::ps_roi_pool(image, rois({0, 0, 0, 2, 2}), 1.0, kHuge, kHuge));
  EXPECT_ANY_THROW(operators::nms(at::zeros({3, 5}), at::zeros({3}), 0.5));
  EXPECT_ANY_THROW(operators::nms(at::zeros({3, 4}), at::zeros({2}), 0.5));
}

}  // namespace
}  // namespace ptrun
