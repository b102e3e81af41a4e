#include "loader/torchscript/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "core/text.h"
#include "ptrun/error.h"

namespace ptrun::torchscript {
namespace {

// LibTorch parses and compiles by recursion; printed code stays far below these.
constexpr std::size_t kMaxBrackets = 200;
constexpr std::size_t kMaxIndents = 100;
// Tokens between two commas, brackets or line ends: a longer chain of operators makes a tree as deep.
constexpr std::size_t kMaxChain = 1000;

bool is_name_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

class Lexer {
 public:
  Lexer(const CodeFile& file, const std::string& subject) : file_(file), text_(file.text), subject_(subject) {}

  std::vector<Line> run() {
    while (at_ < text_.size()) step();
    end_line();
    return std::move(lines_);
  }

 private:
  [[noreturn]] void refuse(const std::string& what, std::size_t limit) const {
    throw Error(ErrorCode::limit_exceeded, subject_,
                "record " + printable(file_.record) + " line " + std::to_string(line_number_) + ": " + what +
                    ", the limit is " + std::to_string(limit) + "; no exporter writes this, refuse the file");
  }

  void step() {
    const char c = text_[at_];
    if (c == '\n') {
      ++line_number_;
      ++at_;
      if (chains_.size() == 1) end_line();
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
      ++at_;
    } else if (c == '\\' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') {
      ++line_number_;
      at_ += 2;
    } else if (c == '#') {
      comment();
    } else if (c == '"' || c == '\'') {
      quoted_text(c);
    } else if (is_name_start(c)) {
      take_while(Token::Kind::name, is_name);
    } else if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
      number();
    } else {
      symbol(c);
    }
  }

  void comment() {
    // LibTorch reads type comments as code, so they are read here as well.
    constexpr std::string_view kType = "# type:";
    if (text_.substr(at_, kType.size()) == kType) {
      at_ += kType.size();
      return;
    }
    while (at_ < text_.size() && text_[at_] != '\n') ++at_;
  }

  void quoted_text(char quote) {
    const std::size_t begin = at_;
    const std::array<char, 3> triple = {quote, quote, quote};
    const std::string_view long_quote(triple.data(), triple.size());
    const bool is_long = text_.substr(at_, 3) == long_quote;
    at_ += is_long ? 3 : 1;
    const int line = line_number_;
    while (at_ < text_.size()) {
      if (text_[at_] == '\\') {
        at_ += 2;
      } else if (is_long ? text_.substr(at_, 3) == long_quote : (text_[at_] == quote || text_[at_] == '\n')) {
        break;
      } else {
        if (text_[at_] == '\n') ++line_number_;
        ++at_;
      }
    }
    at_ = std::min(at_ + (is_long ? 3U : 1U), text_.size());
    push(Token::Kind::text, begin, line);
  }

  template <typename Accept>
  void take_while(Token::Kind kind, Accept accept) {
    const std::size_t begin = at_;
    while (at_ < text_.size() && accept(text_[at_])) ++at_;
    push(kind, begin, line_number_);
  }

  void number() {
    const std::size_t begin = at_;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      const bool exponent_sign =
          (c == '-' || c == '+') && at_ > begin && (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E');
      if (!is_name(c) && c != '.' && !exponent_sign) break;
      ++at_;
    }
    push(Token::Kind::number, begin, line_number_);
  }

  void symbol(char c) {
    ++at_;
    push(Token::Kind::symbol, at_ - 1, line_number_);
    if (c == '(' || c == '[' || c == '{') {
      chains_.push_back(0);
      if (chains_.size() > kMaxBrackets + 1) refuse("brackets nest too deep", kMaxBrackets);
    } else if (c == ')' || c == ']' || c == '}') {
      if (chains_.size() > 1) chains_.pop_back();
    } else if (c == ',') {
      chains_.back() = 0;
    }
  }

  void push(Token::Kind kind, std::size_t begin, int line) {
    if (current_.tokens.empty()) open_line(begin);
    if (++chains_.back() > kMaxChain) refuse("an expression has too many parts", kMaxChain);
    current_.tokens.push_back({kind, text_.substr(begin, at_ - begin), line});
  }

  void open_line(std::size_t begin) {
    std::size_t indent = 0;
    while (indent < begin && text_[begin - indent - 1] == ' ') ++indent;
    while (!indents_.empty() && indents_.back() >= indent) indents_.pop_back();
    indents_.push_back(indent);
    if (indents_.size() > kMaxIndents) refuse("blocks nest too deep", kMaxIndents);
    if (indent <= class_indent_) class_name_ = {};
    if (indent <= function_indent_) function_ = {};
  }

  void end_line() {
    chains_.assign(1, 0);
    if (current_.tokens.empty()) return;
    if (current_.tokens.size() > 1 && current_.tokens[0].kind == Token::Kind::name) {
      if (current_.tokens[0].value == "class") {
        class_name_ = current_.tokens[1].value;
        class_indent_ = indents_.back();
      } else if (current_.tokens[0].value == "def" && function_.empty()) {
        function_ = current_.tokens[1].value;
        function_indent_ = indents_.back();
      }
    }
    current_.class_name = class_name_;
    current_.function = function_;
    lines_.push_back(std::move(current_));
    current_ = {};
  }

  const CodeFile& file_;
  std::string_view text_;
  const std::string& subject_;
  std::size_t at_ = 0;
  int line_number_ = 1;
  std::vector<std::size_t> chains_ = {0};  // parts of the expression in each open bracket, outermost first
  std::vector<std::size_t> indents_;
  std::string_view class_name_;
  std::string_view function_;
  std::size_t class_indent_ = 0;
  std::size_t function_indent_ = 0;
  Line current_;
  std::vector<Line> lines_;
};

}  // namespace

std::vector<Line> read_lines(const CodeFile& file, const std::string& subject) { return Lexer(file, subject).run(); }

std::string module_name(const CodeFile& file) {
  std::string_view name = file.record;
  if (const std::size_t slash = name.find('/'); slash != std::string_view::npos) name.remove_prefix(slash + 1);
  if (name.size() > 3 && name.substr(name.size() - 3) == ".py") name.remove_suffix(3);
  std::string dotted(name);
  for (char& c : dotted) {
    if (c == '/') c = '.';
  }
  return dotted;
}

std::string describe_place(const CodeFile& file, const Line& line, const Token& token) {
  std::string place = line.function.empty() ? "top level" : printable(line.function);
  place += " of " + printable(module_name(file));
  if (!line.class_name.empty()) place += "." + printable(line.class_name);
  return place + " (" + printable(file.record) + ", line " + std::to_string(token.line) + ")";
}

std::string dotted_name(const Line& line, std::size_t at, std::size_t& length) {
  const std::vector<Token>& tokens = line.tokens;
  length = 0;
  if (at >= tokens.size() || tokens[at].kind != Token::Kind::name) return {};
  if (at > 0 && tokens[at - 1].value == ".") return {};
  std::string name(tokens[at].value);
  length = 1;
  while (at + length + 1 < tokens.size() && tokens[at + length].value == "." &&
         tokens[at + length + 1].kind == Token::Kind::name) {
    name.append(".").append(tokens[at + length + 1].value);
    length += 2;
  }
  return name;
}

std::string operator_of(std::string_view dotted) {
  constexpr std::string_view kTorch = "torch.";
  constexpr std::string_view kOps = "ops.";
  if (dotted.substr(0, kTorch.size()) == kTorch) {
    const std::string_view rest = dotted.substr(kTorch.size());
    return "aten::" + std::string(rest.substr(0, rest.find('.')));
  }
  if (dotted.substr(0, kOps.size()) != kOps) return {};
  const std::string_view rest = dotted.substr(kOps.size());
  const std::size_t dot = rest.find('.');
  if (dot == std::string_view::npos) return {};
  const std::string_view name = rest.substr(dot + 1);
  return std::string(rest.substr(0, dot)) + "::" + std::string(name.substr(0, name.find('.')));
}

std::vector<std::string> operators_in(const std::vector<CodeFile>& files, const std::string& subject) {
  std::set<std::string> names;
  for (const CodeFile& file : files) {
    for (const Line& line : read_lines(file, subject)) {
      for (std::size_t at = 0, length = 0; at < line.tokens.size(); at += length == 0 ? 1 : length) {
        std::string name = operator_of(dotted_name(line, at, length));
        // A dtype or a device is written like an operator.
        if (!name.empty() && name != "aten::device") names.insert(std::move(name));
      }
    }
  }
  return {names.begin(), names.end()};
}

}  // namespace ptrun::torchscript
