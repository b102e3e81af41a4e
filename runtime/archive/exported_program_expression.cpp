// Parser and evaluator of size expressions: precedence climbing over Python's operators; SymPy's functions by name.
#include <algorithm>
#include <array>
#include <charconv>

#include "archive/exported_program_shapes.h"

namespace ptrun::archive::exported {

struct Expression::Term {
  enum class Kind { number, symbol, size, call };
  Kind kind = Kind::number;
  std::int64_t number = 0;  // number; dimension of a size
  std::string name;         // symbol, function, or path of a size
  std::vector<std::unique_ptr<Term>> arguments;
};

namespace {

using Term = Expression::Term;
using TermPtr = std::unique_ptr<Term>;

constexpr std::size_t kMaxText = 4096;
constexpr int kMaxDepth = 64;
constexpr int kMaxSteps = 10'000;

struct Binary {
  std::string_view word;
  int level;  // larger binds stronger
  const char* function;
};
// Longest words first.
constexpr std::array<Binary, 17> kBinary = {{{"and", 2, "And"},
                                             {"or", 1, "Or"},
                                             {"==", 4, "Eq"},
                                             {"!=", 4, "Ne"},
                                             {"<=", 4, "Le"},
                                             {">=", 4, "Ge"},
                                             {"<", 4, "Lt"},
                                             {">", 4, "Gt"},
                                             {"|", 5, "Or"},
                                             {"&", 6, "And"},
                                             {"+", 7, "Add"},
                                             {"-", 7, "Subtract"},
                                             {"//", 8, "FloorDiv"},
                                             {"%", 8, "Mod"},
                                             {"**", 10, "Pow"},
                                             {"/", 8, "CleanDiv"},
                                             {"*", 8, "Mul"}}};
constexpr int kUnaryLevel = 9;
constexpr int kNotLevel = 3;
constexpr int kCompareLevel = 4;

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  TermPtr run() {
    TermPtr term = binary(0, 0);
    skip_blanks();
    return at_ == text_.size() ? std::move(term) : nullptr;
  }
  std::vector<std::string> symbols;

 private:
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }
  bool take(std::string_view word) {
    skip_blanks();
    if (text_.substr(at_, word.size()) != word) return false;
    const bool letters = is_word(word.back());
    if (letters && at_ + word.size() < text_.size() && is_word(text_[at_ + word.size()])) return false;
    at_ += word.size();
    return true;
  }

  static TermPtr call(std::string name, TermPtr first, TermPtr second = nullptr) {
    auto term = std::make_unique<Term>();
    term->kind = Term::Kind::call;
    term->name = std::move(name);
    term->arguments.push_back(std::move(first));
    if (second != nullptr) term->arguments.push_back(std::move(second));
    return term;
  }

  const Binary* next_operator(int level) {
    skip_blanks();
    const std::size_t start = at_;
    for (const Binary& row : kBinary) {
      // "*" of "**" and "/" of "//" are other operators.
      if ((row.word == "*" || row.word == "/") && text_.substr(at_, 2) == std::string(2, row.word[0])) continue;
      if (row.level < level || !take(row.word)) continue;
      return &row;
    }
    at_ = start;
    return nullptr;
  }

  // NOLINTNEXTLINE(misc-no-recursion): bounded by kMaxDepth.
  TermPtr binary(int level, int depth) {
    // The right side of a chained comparison is parsed twice.
    if (depth > kMaxDepth || ++steps_ > kMaxSteps) return nullptr;
    TermPtr left = unary(depth + 1);
    TermPtr before;  // of a chain a <= b <= c
    while (left != nullptr) {
      const Binary* row = next_operator(level);
      if (row == nullptr) break;
      const std::size_t right_at = at_;
      TermPtr right = binary(row->word == "**" ? row->level : row->level + 1, depth + 1);
      if (right == nullptr) return nullptr;
      left = call(row->function, std::move(left), std::move(right));
      if (before != nullptr) left = call("And", std::move(before), std::move(left));
      before = nullptr;
      if (row->level != kCompareLevel) continue;
      // The right side once more as the left side of the next comparison.
      const std::size_t end = at_;
      if (peek_comparison()) {
        before = std::move(left);
        at_ = right_at;
        left = binary(kCompareLevel + 1, depth + 1);
        at_ = end;
      }
    }
    return left;
  }

  bool peek_comparison() {
    const std::size_t start = at_;
    const Binary* row = next_operator(kCompareLevel);
    at_ = start;
    return row != nullptr && row->level == kCompareLevel;
  }

  // NOLINTNEXTLINE(misc-no-recursion): bounded by kMaxDepth.
  TermPtr unary(int depth) {
    if (depth > kMaxDepth) return nullptr;
    if (take("not")) {
      TermPtr inner = binary(kNotLevel, depth + 1);
      return inner == nullptr ? nullptr : call("Not", std::move(inner));
    }
    if (take("-")) {
      TermPtr inner = binary(kUnaryLevel, depth + 1);
      return inner == nullptr ? nullptr : call("Negative", std::move(inner));
    }
    return primary(depth + 1);
  }

  std::optional<std::int64_t> number() {
    skip_blanks();
    std::int64_t value = 0;
    const char* begin = text_.data() + at_;
    const auto parsed = std::from_chars(begin, text_.data() + text_.size(), value);
    if (parsed.ec != std::errc() || parsed.ptr == begin) return std::nullopt;
    at_ += static_cast<std::size_t>(parsed.ptr - begin);
    if (at_ < text_.size() && (is_word(text_[at_]) || text_[at_] == '.')) return std::nullopt;
    return value;
  }

  std::string word() {
    skip_blanks();
    const std::size_t start = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    return std::string(text_.substr(start, at_ - start));
  }

  std::optional<std::string> quoted() {
    skip_blanks();
    if (at_ >= text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) return std::nullopt;
    const std::size_t end = text_.find(text_[at_], at_ + 1);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string value(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return value;
  }

  TermPtr symbol(std::string name) {
    if (std::find(symbols.begin(), symbols.end(), name) == symbols.end()) symbols.push_back(name);
    auto term = std::make_unique<Term>();
    term->kind = Term::Kind::symbol;
    term->name = std::move(name);
    return term;
  }

  // L['x'][0].size()[2]; the path is everything before .size().
  TermPtr size_of_input() {
    const std::size_t start = at_;
    for (;;) {
      if (take(".size()[")) {
        auto term = std::make_unique<Term>();
        term->kind = Term::Kind::size;
        term->name = std::string(text_.substr(start, at_ - start - std::string_view(".size()[").size()));
        const auto dimension = number();
        if (!dimension || !take("]")) return nullptr;
        term->number = *dimension;
        return term;
      }
      if (!take("[")) return nullptr;
      if (!quoted() && !number()) return nullptr;
      if (!take("]")) return nullptr;
    }
  }

  // NOLINTNEXTLINE(misc-no-recursion): bounded by kMaxDepth.
  TermPtr primary(int depth) {
    if (take("(")) {
      TermPtr inner = binary(0, depth + 1);
      return inner != nullptr && take(")") ? std::move(inner) : nullptr;
    }
    skip_blanks();
    if (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') return constant(number());
    const std::string name = word();
    if (name.empty()) return nullptr;
    if (name == "L") return size_of_input();
    if (name == "True" || name == "False") return constant(name == "True" ? 1 : 0);
    if (!take("(")) return symbol(name);
    if (name == "Symbol") {
      const auto text = quoted();
      const std::size_t end = text_.find(')', at_);  // assumptions: integer=True, ...
      if (!text || end == std::string_view::npos) return nullptr;
      at_ = end + 1;
      return symbol(*text);
    }
    return function(name, depth);
  }

  static TermPtr constant(std::optional<std::int64_t> value) {
    if (!value) return nullptr;
    auto term = std::make_unique<Term>();
    term->number = *value;
    return term;
  }

  // NOLINTNEXTLINE(misc-no-recursion): bounded by kMaxDepth.
  TermPtr function(const std::string& name, int depth) {
    auto term = std::make_unique<Term>();
    term->kind = Term::Kind::call;
    term->name = name;
    if (take(")")) return nullptr;
    do {
      TermPtr argument = binary(0, depth + 1);
      if (argument == nullptr) return nullptr;
      term->arguments.push_back(std::move(argument));
    } while (take(","));
    return take(")") ? std::move(term) : nullptr;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int steps_ = 0;
};

using Result = std::optional<std::int64_t>;

Result floor_divide(std::int64_t a, std::int64_t b) {
  if (b == 0 || (b == -1 && a == INT64_MIN)) return std::nullopt;
  const std::int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

Result exact_divide(std::int64_t a, std::int64_t b) {
  const Result quotient = floor_divide(a, b);
  return quotient && a % b == 0 ? quotient : Result();
}

Result floor_modulo(std::int64_t a, std::int64_t b) {
  if (!floor_divide(a, b)) return std::nullopt;
  const std::int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

Result power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0 || exponent > 62) return std::nullopt;
  std::int64_t value = 1;
  for (std::int64_t i = 0; i < exponent; ++i) {
    if (__builtin_mul_overflow(value, base, &value)) return std::nullopt;
  }
  return value;
}

struct Function {
  std::string_view name;
  Result (*of)(std::int64_t a, std::int64_t b);
};

// Of two arguments, or folded over more.
constexpr std::array kFunctions = {
    Function{"Add",
             [](std::int64_t a, std::int64_t b) -> Result { return __builtin_add_overflow(a, b, &a) ? Result() : a; }},
    Function{"Subtract",
             [](std::int64_t a, std::int64_t b) -> Result { return __builtin_sub_overflow(a, b, &a) ? Result() : a; }},
    Function{"Mul",
             [](std::int64_t a, std::int64_t b) -> Result { return __builtin_mul_overflow(a, b, &a) ? Result() : a; }},
    Function{"FloorDiv", floor_divide},
    Function{"CleanDiv", exact_divide},
    Function{"IntTrueDiv", exact_divide},
    Function{"CeilDiv",
             [](std::int64_t a, std::int64_t b) -> Result {
               const Result down = floor_divide(a, b);
               return down ? Result(*down + (a % b != 0 ? 1 : 0)) : Result();
             }},
    Function{"Mod", floor_modulo},
    Function{"PythonMod", floor_modulo},
    Function{"Pow", power},
    Function{"PowByNatural", power},
    Function{"Max", [](std::int64_t a, std::int64_t b) -> Result { return std::max(a, b); }},
    Function{"Min", [](std::int64_t a, std::int64_t b) -> Result { return std::min(a, b); }},
    Function{"max", [](std::int64_t a, std::int64_t b) -> Result { return std::max(a, b); }},
    Function{"min", [](std::int64_t a, std::int64_t b) -> Result { return std::min(a, b); }},
    Function{"Eq", [](std::int64_t a, std::int64_t b) -> Result { return a == b; }},
    Function{"Ne", [](std::int64_t a, std::int64_t b) -> Result { return a != b; }},
    Function{"Lt", [](std::int64_t a, std::int64_t b) -> Result { return a < b; }},
    Function{"Le", [](std::int64_t a, std::int64_t b) -> Result { return a <= b; }},
    Function{"Gt", [](std::int64_t a, std::int64_t b) -> Result { return a > b; }},
    Function{"Ge", [](std::int64_t a, std::int64_t b) -> Result { return a >= b; }},
    Function{"And", [](std::int64_t a, std::int64_t b) -> Result { return a != 0 && b != 0; }},
    Function{"Or", [](std::int64_t a, std::int64_t b) -> Result { return a != 0 || b != 0; }},
};

// NOLINTNEXTLINE(misc-no-recursion): bounded by kMaxText, a chain of operators is as deep as it is long.
Result value_of(const Term& term, const Expression::Scope& scope) {
  switch (term.kind) {
    case Term::Kind::number: return term.number;
    case Term::Kind::symbol: return scope.symbol(term.name);
    case Term::Kind::size: return scope.size(term.name, term.number);
    case Term::Kind::call: break;
  }
  std::vector<std::int64_t> values;
  for (const auto& argument : term.arguments) {
    const Result value = value_of(*argument, scope);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  if (values.size() == 1) {
    if (term.name == "Not") return values[0] == 0;
    if (term.name == "Negative") return values[0] == INT64_MIN ? Result() : -values[0];
    return term.name == "Integer" || term.name == "Max" || term.name == "Min" ? Result(values[0]) : Result();
  }
  for (const Function& function : kFunctions) {
    if (function.name != term.name) continue;
    Result folded = values[0];
    for (std::size_t i = 1; i < values.size() && folded; ++i) folded = function.of(*folded, values[i]);
    return folded;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Expression> Expression::parse(const std::string& text) {
  if (text.size() > kMaxText) return std::nullopt;
  Parser parser(text);
  TermPtr root = parser.run();
  if (root == nullptr) return std::nullopt;
  Expression expression;
  expression.root_ = std::move(root);
  expression.symbols_ = std::move(parser.symbols);
  return expression;
}

std::optional<std::int64_t> Expression::evaluate(const Scope& scope) const { return value_of(*root_, scope); }

}  // namespace ptrun::archive::exported
