// What several rules need.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "ptrun/modules.h"

namespace ptrun::models {

// `count` integers of attribute `name`, each between `low` and `high`; bad_model otherwise. Numbers beyond what any
// network uses would only make LibTorch allocate without end.
std::vector<std::int64_t> bounded(const PickledModule& m, std::string_view name, std::size_t count, std::int64_t low,
                                  std::int64_t high, std::optional<std::int64_t> fallback = {});

// Children `names` in turn, each fed with what the one before gave.
Value chain(ModuleWriter& w, const PickledModule& m, Value x, std::initializer_list<std::string_view> names);

// torch.nn.functional.pad; `amounts` begin with the last dimension.
Value pad(ModuleWriter& w, Value x, const std::vector<std::int64_t>& amounts, std::string_view mode = "constant",
          double value = 0.0);

// Arithmetic on an integer Value.
Value calculate(ModuleWriter& w, std::string_view operation, Value a, std::int64_t b);  // "aten::mul.int"

// Bilinear, not aligned, to height and width of `like`: F.interpolate(x, size=like.shape[-2:], mode="bilinear").
Value resize_like(ModuleWriter& w, Value x, Value like);

// torch.nn.MultiheadAttention of x with itself, batch first [N, L, E], without its averaged weights.
Value self_attention(ModuleWriter& w, const PickledModule& m, Value x);

}  // namespace ptrun::models
