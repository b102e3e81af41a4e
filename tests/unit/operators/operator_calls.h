// Calls of our own operators by name, and numbers for them.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/kernels.h"
#include "operators/fused.h"

namespace ptrun {

inline std::vector<c10::IValue> call_all(const char* name, std::vector<c10::IValue> stack) {
  register_fused_operators();
  c10::Dispatcher::singleton().findSchemaOrThrow(name, "").callBoxed(&stack);
  return stack;
}

inline at::Tensor call(const char* name, std::vector<c10::IValue> stack) {
  return call_all(name, std::move(stack)).front().toTensor();
}

inline at::Tensor numbers(const std::vector<std::int64_t>& sizes, double phase) {
  std::int64_t count = 1;
  for (const std::int64_t size : sizes) count *= size;
  return at::arange(count, at::kDouble).mul_(0.37).add_(phase).sin_().to(at::kFloat).reshape(sizes);
}

inline std::int64_t id(kernels::Activation activation) { return static_cast<std::int64_t>(activation); }

inline at::Tensor padded_bias(const at::Tensor& bias) { return at::constant_pad_nd(bias, {0, -bias.numel() & 7}); }

constexpr double kInfinite = std::numeric_limits<double>::infinity();

}  // namespace ptrun
