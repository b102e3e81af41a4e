#include "archive/exported_program_shapes.h"

#include <algorithm>

#include "archive/fail.h"

namespace ptrun::archive::exported {
namespace {

using Shape = std::vector<std::int64_t>;

class Values final : public Expression::Scope {
 public:
  explicit Values(const Shape* shape) : shape_(shape) {}
  std::map<std::string, std::int64_t> symbols;

  std::optional<std::int64_t> symbol(const std::string& name) const override {
    const auto found = symbols.find(name);
    return found == symbols.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<std::int64_t> size(const std::string& /*path*/, std::int64_t dimension) const override {
    if (shape_ == nullptr || dimension < 0 || static_cast<std::size_t>(dimension) >= shape_->size())
      return std::nullopt;
    return (*shape_)[static_cast<std::size_t>(dimension)];
  }

 private:
  const Shape* shape_;
};

std::optional<std::int64_t> value_at(const Expression& expression, const std::string& symbol, std::int64_t value) {
  Values values(nullptr);
  values.symbols[symbol] = value;
  return expression.evaluate(values);
}

// By trying: four values on one line. A bent expression such as Max(8, s0) is found out by the larger ones.
std::optional<Linear> linear_in(const Expression& expression) {
  if (expression.symbols().size() != 1) return std::nullopt;
  const std::string& symbol = expression.symbols()[0];
  const auto at = [&](std::int64_t value) { return value_at(expression, symbol, value); };
  // Larger ones could leave the range of numbers when they meet a bound.
  constexpr std::int64_t kLargest = 1 << 20;
  const auto small = [](const std::optional<std::int64_t>& value) {
    return value && *value >= -kLargest && *value <= kLargest;
  };
  const auto zero = at(0);
  const auto one = at(1);
  if (!small(zero) || !small(one) || *one <= *zero) return std::nullopt;
  const Linear line{*one - *zero, *zero};
  for (const std::int64_t value : {2, 7, 1001}) {
    if (at(value) != std::optional(line.factor * value + line.offset)) return std::nullopt;
  }
  return line;
}

// Export gives every dynamic size at least 2 and, like its own check, does not mean it.
std::int64_t real_minimum(const Range& range) { return range.minimum > 2 ? range.minimum : 1; }

SizeBounds bounds_of(const Linear& line, const Range& range) {
  SizeBounds bounds;
  bounds.minimum = std::max<std::int64_t>(1, line.factor * real_minimum(range) + line.offset);
  if (range.maximum >= 0) bounds.maximum = line.factor * range.maximum + line.offset;
  if (line.offset % line.factor == 0) bounds.multiple = line.factor;
  return bounds;
}

// What fulfils the line, where not every size does.
std::string wanted(const Linear& line) {
  const std::int64_t rest = (line.offset % line.factor + line.factor) % line.factor;
  return text_of("expected a multiple of ", line.factor, rest == 0 ? std::string() : text_of(" plus ", rest));
}

}  // namespace

ShapeRules::ShapeRules(const TensorMeta& meta, const Program& program, bool guards) {
  for (const Size& size : meta.sizes) {
    SizeBounds bounds;
    Rule rule;
    if (size.fixed) {
      bounds.size = *size.fixed;
    } else if ((rule.expression = Expression::parse(size.expression))) {
      if (rule.expression->symbols().empty()) {
        bounds.size = rule.expression->evaluate(Values(nullptr)).value_or(-1);
        rule.expression.reset();
      } else if ((rule.line = linear_in(*rule.expression))) {
        const auto range = program.ranges.find(rule.expression->symbols()[0]);
        bounds = bounds_of(*rule.line, range == program.ranges.end() ? Range() : range->second);
      }
    }
    bounds_.push_back(bounds);
    rules_.push_back(std::move(rule));
  }
  for (const std::string& text : program.guards) {
    auto expression = guards ? Expression::parse(text) : std::nullopt;
    if (expression) {
      guards_.push_back({text, std::move(*expression)});
    } else {
      unknown_guards_.push_back(text);
    }
  }
}

std::string ShapeRules::problem(const Shape& shape) const {
  if (shape.size() != rules_.size()) return text_of("has ", shape.size(), " dimensions, expected ", rules_.size());
  Values values(&shape);
  std::map<std::string, std::size_t> first;  // dimension that gave a symbol its value
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const SizeBounds& bounds = bounds_[i];
    if (bounds.size >= 0 && shape[i] != bounds.size)
      return text_of("has ", shape[i], " in dimension ", i, ", expected ", bounds.size);
    if (bounds.size >= 0) continue;
    if (shape[i] < bounds.minimum || (bounds.maximum >= 0 && shape[i] > bounds.maximum)) {
      return text_of(
          "has ", shape[i], " in dimension ", i, ", expected ",
          bounds.maximum < 0 ? text_of("at least ", bounds.minimum) : text_of(bounds.minimum, " to ", bounds.maximum));
    }
    const auto& [expression, line] = rules_[i];
    if (!line) continue;
    if ((shape[i] - line->offset) % line->factor != 0)
      return text_of("has ", shape[i], " in dimension ", i, ", ", wanted(*line));
    const std::string& symbol = expression->symbols()[0];
    values.symbols.emplace(symbol, (shape[i] - line->offset) / line->factor);
    first.emplace(symbol, i);
  }
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::optional<Expression>& expression = rules_[i].expression;
    if (!expression) continue;
    const auto expected = expression->evaluate(values);
    if (!expected || *expected == shape[i]) continue;
    const auto other = first.find(expression->symbols()[0]);
    return text_of("has ", shape[i], " in dimension ", i, ", expected ", *expected,
                   other == first.end() ? std::string() : text_of(", which follows from dimension ", other->second));
  }
  for (const Guard& guard : guards_) {
    const auto holds = guard.expression.evaluate(values);
    if (holds && *holds == 0)
      return text_of("does not fulfil ", printable(guard.text, 200), ", which the program was exported for");
  }
  return {};
}

}  // namespace ptrun::archive::exported
