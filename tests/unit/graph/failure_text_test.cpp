#include "graph/failure_text.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace ptrun::jit {
namespace {

TEST(FailureText, CauseFirstThenTheLineOfSource) {
  const char* text =
      "The following operation failed in the TorchScript interpreter.\n"
      "Traceback of TorchScript, serialized code (most recent call last):\n"
      "  File \"code/__torch__/net.py\", line 7, in forward\n"
      "    x: Tensor) -> Tensor:\n"
      "    return (self.head).forward(x, )\n"
      "            ~~~~~~~~~~~~~~~~~~ <--- HERE\n"
      "  File \"code/__torch__/head.py\", line 12, in forward\n"
      "    x: Tensor) -> Tensor:\n"
      "    size: int = 4\n"
      "    return torch.view(x, [1, 4])\n"
      "           ~~~~~~~~~~ <--- HERE\n"
      "  def other(self: __torch__.head.Head) -> int:\n"
      "\n"
      "RuntimeError: shape '[1, 4]' is invalid for input of size 8\n"
      "Exception raised from view at ../aten/src/ATen/native/View.cpp:1 (most recent call first):\n"
      "frame #0: c10::Error\n";
  EXPECT_EQ(failure_text(std::string_view(text)),
            "shape '[1, 4]' is invalid for input of size 8, in forward (code/__torch__/head.py, line 12): return "
            "torch.view(x, [1, 4])");
}

TEST(FailureText, AClassOfItsOwnIsKept) {
  EXPECT_EQ(failure_text(std::string_view("Traceback\n  File \"m.py\", line 2, in f\n    assert x\n    ~~~ <--- HERE\n"
                                          "AssertionError: too small\nand more\n")),
            "AssertionError: too small and more, in f (m.py, line 2): assert x");
}

TEST(FailureText, OtherTextsAreJoinedToOneSafeLine) {
  EXPECT_EQ(failure_text(std::runtime_error("\n first\n\n  second \033[31m\nException raised from x\nframe #0")),
            "first second \\x1B[31m");
  EXPECT_EQ(failure_text(std::string_view()), "");
  EXPECT_LT(failure_text(std::string_view(std::string(100000, 'a'))).size(), 500U);
  // A trace without a cause below it.
  EXPECT_EQ(failure_text(std::string_view("x\n ~~~ <--- HERE\n")), "x ~~~ <--- HERE");
}

}  // namespace
}  // namespace ptrun::jit
