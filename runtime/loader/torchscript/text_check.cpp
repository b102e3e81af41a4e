// What is refused in TorchScript source before LibTorch compiles it. The compiler folds constants of numbers and text
// while it reads, and a load runs __setstate__: both happen before any graph can be looked at.
#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "core/text.h"
#include "loader/torchscript/allow.h"
#include "loader/torchscript/text.h"
#include "ptrun/error.h"

namespace ptrun::torchscript {
namespace {

constexpr std::string_view kSetState = "__setstate__";
constexpr std::string_view kGetState = "__getstate__";
// LibTorch imports a class while it compiles another one, by recursion.
constexpr std::size_t kMaxImports = 500;
// Bytes of text, or elements of nested tuples, that constants may fold to.
constexpr double kMaxFolded = 16e6;

struct ReadFile {
  const CodeFile* file;
  std::string module;
  std::vector<Line> lines;
};

[[noreturn]] void refuse(ErrorCode code, const std::string& subject, const ReadFile& read, const Line& line,
                         const Token& token, const std::string& what) {
  throw Error(code, subject, describe_place(*read.file, line, token) + " " + what);
}

bool next_is(const Line& line, std::size_t at, std::string_view symbol) {
  return at < line.tokens.size() && line.tokens[at].value == symbol;
}

bool starts_with(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

// Classes that PyTorch's quantisation exports with state methods of a known form.
constexpr std::array<std::string_view, 4> kQuantizedModules = {
    "__torch__.torch.ao.nn.quantized.", "__torch__.torch.nn.quantized.", "__torch__.torch.ao.nn.intrinsic.quantized.",
    "__torch__.torch.nn.intrinsic.quantized."};

bool is_quantized_class(const std::string& qualified) {
  return std::any_of(kQuantizedModules.begin(), kQuantizedModules.end(),
                     [&](std::string_view prefix) { return starts_with(qualified, prefix); });
}

// The name alone proves nothing, so the body is read as well: no loop, no call but packing weights and helpers of the
// same class that obey the same rule.
void check_state_method(const std::string& subject, const ReadFile& read, std::string_view class_name) {
  std::vector<std::string_view> pending = {kSetState, kGetState};
  std::set<std::string_view> seen;
  while (!pending.empty()) {
    const std::string_view function = pending.back();
    pending.pop_back();
    if (!seen.insert(function).second) continue;
    for (const Line& line : read.lines) {
      if (line.class_name != class_name || line.function != function) continue;
      const auto complain = [&](const Token& token, const std::string& what) {
        refuse(ErrorCode::bad_model, subject, read, line, token,
               what +
                   ", expected a state method that only packs weights; it would run while the file is loaded, "
                   "refuse the file");
      };
      const bool header = line.tokens[0].value == "def";
      for (std::size_t at = header ? 2 : 0, length = 0; at < line.tokens.size(); at += length == 0 ? 1 : length) {
        const Token& token = line.tokens[at];
        if (token.kind == Token::Kind::name && (token.value == "for" || token.value == "while")) {
          complain(token, "has a loop in a state method");
        }
        const std::string dotted = dotted_name(line, at, length);
        const std::string name = operator_of(dotted);
        if (!name.empty()) {
          const bool packs = starts_with(name, "quantized::") && name.size() > 7 &&
                             (name.find("_prepack") != std::string::npos || name.find("_unpack") != std::string::npos);
          if (!packs && name != "aten::eq" && name != "aten::ne" && name != "aten::len") {
            complain(token, "calls " + printable(name) + " in a state method");
          }
        } else if (length > 0 && starts_with(dotted, "__torch__.") && next_is(line, at + length, "(")) {
          complain(token, "calls " + printable(dotted) + " in a state method");
        } else if (length == 0 && token.kind == Token::Kind::name && next_is(line, at + 1, "(")) {
          pending.push_back(token.value);  // a method: (self).set_weight_bias(...)
        }
      }
    }
  }
}

void check_state_methods(const std::string& subject, const ReadFile& read) {
  std::set<std::string_view> checked;
  for (const Line& line : read.lines) {
    for (const Token& token : line.tokens) {
      if (token.kind == Token::Kind::text || (token.value != kSetState && token.value != kGetState)) continue;
      const std::string qualified = read.module + "." + std::string(line.class_name);
      if (!is_quantized_class(qualified)) {
        refuse(ErrorCode::bad_model, subject, read, line, token,
               "defines " + std::string(token.value) +
                   ", code that runs while the file is loaded; ptrun never runs it: export the model again without "
                   "state methods");
      }
      if (checked.insert(line.class_name).second) check_state_method(subject, read, line.class_name);
    }
  }
}

// Methods of text and tuples whose result is as large as its parts together, or larger.
constexpr std::array<std::string_view, 9> kGrowing = {"format", "join",  "replace",    "ljust",  "rjust",
                                                      "center", "zfill", "expandtabs", "__add__"};

// `(x).forward(...)`: a call of a method, which gives nothing to fold unless text has that method.
bool calls_method(const Line& line, std::size_t begin) {
  std::size_t depth = 0;
  for (std::size_t at = begin; at + 2 < line.tokens.size(); ++at) {
    if (line.tokens[at].kind == Token::Kind::text) continue;
    if (line.tokens[at].value == "(") ++depth;
    if (line.tokens[at].value != ")" || --depth != 0) continue;
    const std::string_view method = line.tokens[at + 2].value;
    return line.tokens[at + 1].value == "." && next_is(line, at + 3, "(") &&
           std::find(kGrowing.begin(), kGrowing.end(), method) == kGrowing.end();
  }
  return false;
}

// True when the value of this right side can be folded to text or a tuple that grows with its parts.
bool can_fold(const Line& line, std::size_t begin) {
  const Token& first = line.tokens[begin];
  if (first.value == "(" && calls_method(line, begin)) return false;
  if (first.kind == Token::Kind::text || first.value == "(" || first.value == "[") return true;
  std::size_t length = 0;
  const std::string name = operator_of(dotted_name(line, begin, length));
  if (!name.empty()) {
    return name == "aten::add" || name == "aten::format" || name == "aten::str" || name == "aten::percentFormat" ||
           name == "aten::mul" || name == "aten::add_" || name == "aten::__interpolate";
  }
  return length > 0 && !next_is(line, begin + length, "(");
}

// An upper bound of what each constant of a function can fold to: sums double and double again in a few lines.
void check_folding(const std::string& subject, const ReadFile& read) {
  std::unordered_map<std::string_view, double> sizes;
  std::string_view function;
  for (const Line& line : read.lines) {
    if (line.function != function || line.tokens[0].value == "def") sizes.clear();
    function = line.function;
    if (line.tokens.size() < 3 || line.tokens[0].kind != Token::Kind::name) continue;
    std::size_t equals = 1;
    while (equals < line.tokens.size() && line.tokens[equals].value != "=") ++equals;
    if (equals + 1 >= line.tokens.size() || !can_fold(line, equals + 1)) {
      sizes.erase(line.tokens[0].value);
      continue;
    }
    double total = 0;
    for (std::size_t at = equals + 1; at < line.tokens.size(); ++at) {
      const Token& token = line.tokens[at];
      if (token.kind == Token::Kind::text) total += static_cast<double>(token.value.size());
      if (token.value == "(") total += 1;
      if (token.kind != Token::Kind::name || next_is(line, at - 1, ".")) continue;
      const auto known = sizes.find(token.value);
      if (known != sizes.end()) total += known->second;
    }
    if (total > kMaxFolded) {
      refuse(ErrorCode::limit_exceeded, subject, read, line, line.tokens[0],
             "builds a constant of more than " + human_bytes(static_cast<std::uint64_t>(kMaxFolded)) +
                 ", which would be folded while the file is loaded; refuse the file");
    }
    sizes[line.tokens[0].value] = total;
  }
}

// How deep classes and functions import one another, in the order in which LibTorch would meet them.
void check_imports(const std::string& subject, const std::vector<ReadFile>& files) {
  std::unordered_map<std::string, std::vector<std::string>> uses;
  for (const ReadFile& read : files) {
    for (const Line& line : read.lines) {
      const std::string_view name = line.class_name.empty() ? line.function : line.class_name;
      std::vector<std::string>& names = uses[read.module + "." + std::string(name)];
      for (std::size_t at = 0, length = 0; at < line.tokens.size(); at += length == 0 ? 1 : length) {
        std::string dotted = dotted_name(line, at, length);
        if (starts_with(dotted, "__torch__.")) names.push_back(std::move(dotted));
      }
    }
  }
  std::unordered_set<std::string> visited;
  for (const auto& [root, unused] : uses) {
    std::vector<std::pair<const std::vector<std::string>*, std::size_t>> stack;
    const auto enter = [&](const std::string& name) {
      const auto found = uses.find(name);
      if (found != uses.end() && visited.insert(name).second) stack.emplace_back(&found->second, 0);
    };
    enter(root);
    while (!stack.empty()) {
      if (stack.size() > kMaxImports) {
        throw Error(ErrorCode::limit_exceeded, subject,
                    "classes in code/ refer to one another more than " + std::to_string(kMaxImports) +
                        " deep; no exporter writes this, refuse the file");
      }
      auto& [names, next] = stack.back();
      if (next == names->size()) {
        stack.pop_back();
      } else {
        enter((*names)[next++]);
      }
    }
  }
}

// Methods of one class call one another, which LibTorch compiles by recursion too.
void check_methods(const std::string& subject, const ReadFile& read) {
  std::size_t methods = 0;
  for (const Line& line : read.lines) {
    if (line.tokens[0].value == "class") methods = 0;
    if (line.tokens[0].value == "def" && ++methods > kMaxImports) {
      refuse(ErrorCode::limit_exceeded, subject, read, line, line.tokens[0],
             "is one of more than " + std::to_string(kMaxImports) +
                 " functions; no exporter writes this, refuse the file");
    }
  }
}

std::unordered_set<std::string_view> defined_names(const std::vector<ReadFile>& files) {
  // Methods of the packed weights that LibTorch itself defines.
  std::unordered_set<std::string_view> names = {"unpack", "bias", "weight"};
  for (const ReadFile& read : files) {
    for (const Line& line : read.lines) {
      if (line.tokens.size() > 1 && (line.tokens[0].value == "def" || line.tokens[0].value == "class")) {
        names.insert(line.tokens[1].value);
      }
    }
  }
  return names;
}

void check_operators(const std::string& subject, const ReadFile& read,
                     const std::unordered_set<std::string_view>& defined, const AllowRule& rule) {
  for (const Line& line : read.lines) {
    for (std::size_t at = 0, length = 0; at < line.tokens.size(); at += length == 0 ? 1 : length) {
      const Token& token = line.tokens[at];
      std::string name = operator_of(dotted_name(line, at, length));
      if (name.empty()) {
        const bool method_call =
            token.kind == Token::Kind::name && at > 0 && line.tokens[at - 1].value == "." && next_is(line, at + 1, "(");
        // x.f(...) begins in the middle of a dotted name, or follows a bracket.
        std::size_t last = at + (length > 1 ? length - 1 : 0);
        const bool dotted_call = length > 1 && next_is(line, last + 1, "(") && token.value != "__torch__";
        if (!method_call && !dotted_call) continue;
        const std::string_view method = line.tokens[method_call ? at : last].value;
        if (defined.count(method) != 0 || is_allowed_method(method)) continue;
        name = "aten::" + std::string(method);
      } else if (rule.allows(name)) {
        continue;
      }
      const std::string_view reason = refusal_reason(name);
      refuse(ErrorCode::unsupported, subject, read, line, token,
             "uses the operator " + printable(name) + ", which " +
                 (reason.empty() ? "is not among those that image models use" : std::string(reason)) +
                 "; --trust runs it, only for a file that you wrote or trust like a program");
    }
  }
}

}  // namespace

void require_operators(const std::vector<CodeFile>& files, const std::string& subject, const AllowRule& rule) {
  const std::vector<std::string> missing = missing_operators(operators_in(files, subject), rule);
  if (missing.empty()) return;
  std::vector<std::string> shown;
  shown.reserve(missing.size());
  for (const std::string& name : missing) shown.push_back(printable(name));
  throw Error(ErrorCode::unsupported, subject,
              "needs operators that neither LibTorch nor ptrun has (" + join_some(shown) +
                  "); give the library that registers them with --op-library FILE, or export the model without them");
}

void check_text(const std::vector<CodeFile>& files, const std::string& subject, const AllowRule& rule) {
  std::vector<ReadFile> read;
  read.reserve(files.size());
  for (const CodeFile& file : files) read.push_back({&file, module_name(file), read_lines(file, subject)});
  for (const ReadFile& file : read) {
    check_state_methods(subject, file);
    check_folding(subject, file);
    check_methods(subject, file);
  }
  check_imports(subject, read);
  if (rule.trust) return;
  const std::unordered_set<std::string_view> defined = defined_names(read);
  for (const ReadFile& file : read) check_operators(subject, file, defined, rule);
}

}  // namespace ptrun::torchscript
