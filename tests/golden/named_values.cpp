#include "golden/named_values.h"

#include <ATen/ATen.h>

#include <cmath>

namespace ptrun::testing {
namespace {

std::uint64_t fnv1a(const std::string& text) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  return hash;
}

double uniform(std::uint64_t seed, std::uint64_t i) {
  std::uint64_t x = seed + (i + 1) * 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  x = x ^ (x >> 31U);
  return static_cast<double>(x >> 40U) / 16777216.0;
}

// The buffer that torchvision's window attention makes for its table of relative positions.
at::Tensor relative_position_index(const std::vector<std::int64_t>& shape) {
  const at::Tensor index = at::empty(shape, at::kLong);
  const auto tokens = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(index.numel()))));
  const auto window = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(tokens))));
  auto* values = index.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < tokens; ++i) {
    for (std::int64_t j = 0; j < tokens; ++j) {
      const std::int64_t rows = i / window - j / window + window - 1;
      const std::int64_t columns = i % window - j % window + window - 1;
      *values++ = rows * (2 * window - 1) + columns;
    }
  }
  return index;
}

}  // namespace

at::Tensor named_values(const std::string& name, const std::vector<std::int64_t>& shape, double gain) {
  const std::string last = name.substr(name.rfind('.') + 1);
  if (last == "num_batches_tracked") return at::zeros(shape, at::kLong);
  if (last == "relative_position_index") return relative_position_index(shape);
  const auto ends_with = [&](const std::string& end) {
    return last.size() >= end.size() && last.compare(last.size() - end.size(), end.size(), end) == 0;
  };
  double scale = 4.0;
  double offset = -2.0;
  if (ends_with("weight") && shape.size() >= 2) {
    double fan_in = 1.0;
    for (std::size_t i = 1; i < shape.size(); ++i) fan_in *= static_cast<double>(shape[i]);
    scale = 2.0 * (std::sqrt(6.0 / fan_in) * gain);
    offset = -0.5 * scale;
  } else if (ends_with("weight")) {
    scale = 0.5;
    offset = 0.75;
  } else if (last == "running_var") {
    scale = 1.0;
    offset = 0.5;
  } else if (last == "running_mean" || ends_with("bias")) {
    scale = 0.2;
    offset = -0.1;
  }
  at::Tensor tensor = at::empty(shape, at::kFloat);
  auto* values = tensor.data_ptr<float>();
  const std::uint64_t seed = fnv1a(name);
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    values[i] = static_cast<float>(offset + scale * uniform(seed, static_cast<std::uint64_t>(i)));
  }
  return tensor;
}

}  // namespace ptrun::testing
