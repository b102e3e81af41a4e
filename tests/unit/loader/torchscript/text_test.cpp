#include "loader/torchscript/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/torchscript/allow.h"
#include "ptrun/error.h"

namespace ptrun::torchscript {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

CodeFile code(const std::string& text) { return {"code/__torch__/net.py", text}; }

std::vector<std::string> tokens_of(const std::string& text) {
  const CodeFile file = code(text);
  std::vector<std::string> values;
  for (const Line& line : read_lines(file, "m.pt")) {
    for (const Token& token : line.tokens) values.emplace_back(token.value);
  }
  return values;
}

std::string refusal(const std::string& text, bool trust = false) {
  try {
    check_text({code(text)}, "m.pt", {.trust = trust, .more = {}});
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(TorchScriptText, SplitsIntoTokens) {
  EXPECT_THAT(tokens_of("x = torch.conv2d(a, [1.5e-3, -2]) # note\n"),
              ElementsAre("x", "=", "torch", ".", "conv2d", "(", "a", ",", "[", "1.5e-3", ",", "-", "2", "]", ")"));
}

TEST(TorchScriptText, TextHidesNoCodeAndCodeHidesInNoText) {
  EXPECT_THAT(tokens_of(R"(a = "torch.save('\"' # (" + b)"),
              ElementsAre("a", "=", R"("torch.save('\"' # (")", "+", "b"));
  EXPECT_THAT(tokens_of("a = \"\"\"one\ntwo\"\"\" + b"), ElementsAre("a", "=", "\"\"\"one\ntwo\"\"\"", "+", "b"));
  // LibTorch reads type comments as code.
  EXPECT_THAT(tokens_of("a = b # type: Tensor"), ElementsAre("a", "=", "b", "Tensor"));
}

TEST(TorchScriptText, KnowsClassAndFunctionOfALine) {
  const CodeFile file =
      code("class Net(Module):\n  def forward(self, x) -> Tensor:\n    return x\ndef f(x):\n  return x\n");
  const std::vector<Line> lines = read_lines(file, "m.pt");
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_EQ(lines[2].class_name, "Net");
  EXPECT_EQ(lines[2].function, "forward");
  EXPECT_EQ(lines[4].class_name, "");
  EXPECT_EQ(lines[4].function, "f");
  EXPECT_EQ(describe_place(file, lines[2], lines[2].tokens[0]),
            "forward of __torch__.net.Net (code/__torch__/net.py, line 3)");
}

TEST(TorchScriptText, LinesGoOnInsideBrackets) {
  const CodeFile file = code("x = f(a,\n  b)\ny = 1\n");
  ASSERT_EQ(read_lines(file, "m.pt").size(), 2U);
}

TEST(TorchScriptText, NamesOperators) {
  EXPECT_EQ(operator_of("torch.conv2d"), "aten::conv2d");
  EXPECT_EQ(operator_of("ops.torchvision.nms"), "torchvision::nms");
  EXPECT_EQ(operator_of("self.conv"), "");
  EXPECT_THAT(
      operators_in({code("y = torch.relu(torch.conv2d(x))\nz = ops.prim.max(y)\nz = __torch__.torch.f(y)\n")}, "m.pt"),
      ElementsAre("aten::conv2d", "aten::relu", "prim::max"));
}

TEST(TorchScriptText, RefusesWhatIsNotOnTheList) {
  EXPECT_EQ(refusal("def f(x):\n  return torch.relu_(x)\n"), "");
  EXPECT_THAT(refusal("def f(x):\n  return torch.save(x, 'f')\n"),
              HasSubstr("f of __torch__.net (code/__torch__/net.py, line 2) uses the operator aten::save"));
  EXPECT_THAT(refusal("def f(x):\n  return torch.brand_new(x)\n"),
              HasSubstr("is not among those that image models use"));
  EXPECT_THAT(refusal("def f(x):\n  return x.as_strided([1])\n"), HasSubstr("aten::as_strided"));
  EXPECT_THAT(refusal("def f(x):\n  return (x).as_strided([1])\n"), HasSubstr("aten::as_strided"));
  EXPECT_EQ(refusal("def f(x):\n  return torch.save(x, 'f')\n", /*trust=*/true), "");
  // A method of the model's own may have any name.
  EXPECT_EQ(refusal("class A(Module):\n  def save(self):\n    return 1\n  def f(self):\n    return (self).save()\n"),
            "");
}

TEST(TorchScriptText, RefusesStateMethodsUnlessTheyOnlyPack) {
  const std::string good =
      "class Linear(Module):\n  def __setstate__(self, state):\n    _0 = (self).pack(state)\n    return None\n"
      "  def pack(self, w):\n    self._packed = ops.quantized.linear_prepack(w, None)\n    return None\n";
  EXPECT_THAT(refusal(good, true), HasSubstr("__setstate__"));
  const auto quantized = [](const std::string& text) {
    try {
      check_text({{"code/__torch__/torch/ao/nn/quantized/modules/linear.py", text}}, "m.pt",
                 {.trust = true, .more = {}});
      return std::string();
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  EXPECT_EQ(quantized(good), "");
  std::string looping = good;
  looping.insert(looping.find("    self._packed"), "    while True:\n      pass\n");
  EXPECT_THAT(quantized(looping), HasSubstr("has a loop in a state method"));
  std::string calling = good;
  calling.replace(calling.find("ops.quantized.linear_prepack"), 28, "torch.zeros");
  EXPECT_THAT(quantized(calling), HasSubstr("calls aten::zeros"));
}

TEST(TorchScriptText, BoundsWhatFolds) {
  std::string text = "def f(x):\n  a = \"0123456789\"\n";
  for (int i = 0; i < 10; ++i) text += "  a = torch.add(a, a)\n";
  EXPECT_EQ(refusal(text + "  return x\n"), "");
  for (int i = 0; i < 20; ++i) text += "  a = torch.add(a, a)\n";
  EXPECT_THAT(refusal(text + "  return x\n"), HasSubstr("builds a constant"));
  // Residual networks double tensors, not text.
  std::string residual = "def f(x):\n";
  for (int i = 0; i < 200; ++i) {
    residual += "  y = torch.pad(x, [1, 1], \"reflect\")\n  x = torch.add(y, torch.add(y, torch.relu(x)))\n";
  }
  EXPECT_EQ(refusal(residual + "  return x\n"), "");
}

TEST(TorchScriptAllow, InPlaceFormsFollowPlainOnes) {
  EXPECT_TRUE(is_allowed("aten::relu"));
  EXPECT_TRUE(is_allowed("aten::relu_"));
  EXPECT_TRUE(is_allowed("aten::__and__"));
  EXPECT_TRUE(is_allowed("torchvision::nms"));
  EXPECT_FALSE(is_allowed("aten::resize_"));
  EXPECT_FALSE(is_allowed("other::relu"));
  EXPECT_FALSE(is_allowed("relu"));
  EXPECT_FALSE(is_allowed_method("from_file"));
  EXPECT_EQ(refusal_reason("aten::resize_"), "shows memory that was never written");
}

TEST(TorchScriptAllow, NothingIsBothAllowedAndRefused) {
  for (const std::string& name : allowed_operators()) EXPECT_EQ(refusal_reason(name), "") << name;
}

// A traced DenseNet hands every layer the results of all layers before it.
TEST(TorchScriptText, ResultsOfCallsAreNoConstants) {
  const auto layers = [](const std::string& before, const std::string& after) {
    std::string text = "class Net(Module):\n  def forward(self, x: Tensor) -> Tensor:\n    a = \"0123456789\"\n";
    std::string all = "a";
    for (int i = 0; i < 40; ++i) {
      const std::string name = "_" + std::to_string(i);
      text.append("    ").append(name).append(" = ").append(before).append(all).append(after).append("\n");
      all += ", " + name;
    }
    return text + "    return x\n";
  };
  EXPECT_EQ(refusal(layers("(layer).forward(", ", )")), "");
  EXPECT_EQ(refusal(layers("(getattr(self, \"0\")).forward(", ", )")), "");
  // Text that grows by its own methods is still seen, and tuples are.
  EXPECT_THAT(refusal(layers("(\"{}{}\").format(", ", )")), HasSubstr("builds a constant"));
  EXPECT_THAT(refusal(layers("(", ", )")), HasSubstr("builds a constant"));
}

}  // namespace
}  // namespace ptrun::torchscript
