// What LibTorch says when a program fails, in one line for a person.
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace ptrun::jit {

// The cause first, then where: "shape '[1, 4]' is invalid for input of size 8, in forward (code/__torch__.py, line 8):
// torch.view(x, [1, 4])". TorchScript's own text has the cause last, below a trace of source, and C++ frames behind it.
// Always one line of printable text, at most about 700 bytes. Any thread.
std::string failure_text(std::string_view text);
std::string failure_text(const std::exception& error);

}  // namespace ptrun::jit
