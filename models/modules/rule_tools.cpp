#include "modules/rule_tools.h"

#include <string>

namespace ptrun::models {

std::vector<std::int64_t> bounded(const PickledModule& m, std::string_view name, std::size_t count, std::int64_t low,
                                  std::int64_t high, std::optional<std::int64_t> fallback) {
  std::vector<std::int64_t> values = m.sizes(name, count, fallback);
  for (const std::int64_t value : values) {
    if (value >= low && value <= high) continue;
    m.fail("has " + std::string(name) + " " + std::to_string(value) + ", expected " + std::to_string(low) + " to " +
           std::to_string(high));
  }
  return values;
}

Value chain(ModuleWriter& w, const PickledModule& m, Value x, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) x = w.forward(m.child(name), x);
  return x;
}

Value pad(ModuleWriter& w, Value x, const std::vector<std::int64_t>& amounts, std::string_view mode, double value) {
  Argument fill;
  if (mode == "constant") fill = value;
  return w.graph().op("aten::pad", {x, amounts, std::string(mode), fill});
}

Value calculate(ModuleWriter& w, std::string_view operation, Value a, std::int64_t b) {
  return w.graph().op(operation, {a, b});
}

Value resize_like(ModuleWriter& w, Value x, Value like) {
  const std::vector<Value> size = {w.graph().size(like, 2), w.graph().size(like, 3)};
  return w.graph().op("aten::upsample_bilinear2d.vec", {x, size, false, Argument{}});
}

}  // namespace ptrun::models
