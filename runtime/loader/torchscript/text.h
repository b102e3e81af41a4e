// TorchScript source text (the code/ records) read without LibTorch: the operators it names, and what could harm the
// loader that compiles it. Links no LibTorch.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "loader/torchscript/allow.h"

namespace ptrun::torchscript {

// One record below code/: "code/__torch__/torch/nn/modules/conv.py".
struct CodeFile {
  std::string record;
  std::string text;
};

struct Token {
  enum class Kind { name, number, text, symbol };
  Kind kind = Kind::symbol;
  std::string_view value;  // points into the text
  int line = 1;
};

// One logical line: tokens up to a line end outside of brackets, and the class and function around it.
struct Line {
  std::vector<Token> tokens;
  std::string_view class_name;
  std::string_view function;
};

// The logical lines of TorchScript source, by the rules of its lexer (pytorch/pytorch:torch/csrc/jit/frontend/lexer.h).
// Throws Error(limit_exceeded) where nesting would exhaust the stack of LibTorch's recursive parser.
std::vector<Line> read_lines(const CodeFile& file, const std::string& subject);

// "__torch__.torch.nn.modules.conv" for record "code/__torch__/torch/nn/modules/conv.py".
std::string module_name(const CodeFile& file);

// "forward of __torch__.Net (code/__torch__.py, line 12)".
std::string describe_place(const CodeFile& file, const Line& line, const Token& token);

// The dotted name that begins at token `at` ("torch.conv2d"), its parts joined without blanks; empty when `at` is not
// the first name of one. `length`: tokens that it covers.
std::string dotted_name(const Line& line, std::size_t at, std::size_t& length);

// "torch.conv2d" -> "aten::conv2d", "ops.torchvision.nms" -> "torchvision::nms"; empty for other names.
std::string operator_of(std::string_view dotted);

// Every operator that `files` name, sorted, each once.
std::vector<std::string> operators_in(const std::vector<CodeFile>& files, const std::string& subject);

// Throws Error(unsupported) with the names of operators that no library has brought, and --op-library.
void require_operators(const std::vector<CodeFile>& files, const std::string& subject, const AllowRule& rule);

// Refuses, before LibTorch compiles anything: state methods, which would run during the load (bad_model), nesting and
// constants that would exhaust memory (limit_exceeded) and, operators that `rule` does not
// allow (unsupported). `subject` is the model file. Defined in text_check.cpp.
void check_text(const std::vector<CodeFile>& files, const std::string& subject, const AllowRule& rule);

}  // namespace ptrun::torchscript
