// Sizes that an exported program accepts: symbols, their ranges, expressions of them and guards.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "archive/exported_program.h"

namespace ptrun::archive::exported {

// An arithmetic or logical expression in SymPy's spelling (Add(Symbol('s0', integer=True), Integer(-2))) or Python's
// ("2*s0 + 1", "L['x'].size()[2] % 32 == 0"). Immutable; any thread.
class Expression {
 public:
  // Nothing for text that is longer than 4096 bytes, nested deeper than 64, or not understood.
  static std::optional<Expression> parse(const std::string& text);

  // What names stand for; nothing for one that is not known.
  struct Scope {
    virtual ~Scope() = default;
    virtual std::optional<std::int64_t> symbol(const std::string& name) const = 0;
    // L['x'].size()[dimension] of the guard language.
    virtual std::optional<std::int64_t> size(const std::string& path, std::int64_t dimension) const = 0;
  };
  // Truth values are 0 and 1. Nothing when a name is not known, a division is by zero or a result does not fit.
  std::optional<std::int64_t> evaluate(const Scope& scope) const;
  // Symbols in it, each once.
  const std::vector<std::string>& symbols() const noexcept { return symbols_; }

  struct Term;

 private:
  std::shared_ptr<const Term> root_;
  std::vector<std::string> symbols_;
};

// What one dimension of the input may be.
struct SizeBounds {
  std::int64_t size = -1;  // -1: dynamic
  std::int64_t minimum = 1;
  std::int64_t maximum = -1;  // -1: no bound
  std::int64_t multiple = 1;
};

// factor * symbol + offset, factor above 0.
struct Linear {
  std::int64_t factor = 1;
  std::int64_t offset = 0;
};

// The rules for the only tensor that a program takes. Immutable; any thread.
class ShapeRules {
 public:
  // `meta` of the input; symbols and guards of `program`. `guards`: whether they speak of this input alone.
  ShapeRules(const TensorMeta& meta, const Program& program, bool guards);

  const std::vector<SizeBounds>& dimensions() const noexcept { return bounds_; }
  // Guards that are not understood and therefore not checked.
  const std::vector<std::string>& unknown_guards() const noexcept { return unknown_guards_; }
  // Why an input of `shape` is refused, as the rest of a sentence: "has 100 in dimension 2, expected a multiple of 32";
  // empty when it is allowed.
  std::string problem(const std::vector<std::int64_t>& shape) const;

 private:
  struct Guard {
    std::string text;
    Expression expression;
  };
  // Of one dimension; empty where it is fixed or not understood.
  struct Rule {
    std::optional<Expression> expression;  // has a symbol
    std::optional<Linear> line;            // what the expression is
  };
  std::vector<Rule> rules_;
  std::vector<Guard> guards_;
  std::vector<std::string> unknown_guards_;
  std::vector<SizeBounds> bounds_;
};

}  // namespace ptrun::archive::exported
