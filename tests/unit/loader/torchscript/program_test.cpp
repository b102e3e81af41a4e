#include "loader/torchscript/program.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/runtime/operator.h>
#include <torch/headeronly/version.h>

#include <set>

#include "graph/jit_api.h"
#include "loader/torchscript/allow.h"
#include "operators/operators.h"
#include "ptrun/error.h"

namespace ptrun::torchscript {
namespace {

using testing::HasSubstr;
using testing::Not;
using torch::jit::Module;

Module compiled(const std::string& source) {
  Module module("__torch__.Net");
  module.register_attribute("training", c10::BoolType::get(), false);
  module.register_buffer("weight", at::full({2}, 3.0));
  module.define(source);
  return module;
}

std::string refusal(const Module& module, bool trust = false) {
  try {
    check_program(module, "m.pt", {.trust = trust, .more = {}});
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

constexpr std::uint64_t kMemory = 1U << 20U;

at::Tensor run(const std::shared_ptr<torch::jit::Graph>& graph, const at::Tensor& input) {
  return jit::Program(graph).run({input}).toTensor();
}

// A misspelt name in the table would refuse honest models.
TEST(TorchScriptAllow, EveryNameExistsInLibTorch) {
  register_operators();
  // Words of the language; LibTorch's interpreter knows them without an operator.
  const std::string language =
      " Constant Param Return If Loop ListConstruct ListUnpack TupleConstruct TupleSlice DictConstruct GetAttr SetAttr "
      "CallMethod CallFunction isinstance CreateObject Enter Exit index ";
  // Newer than LibTorch 2.11, the oldest that ptrun builds with.
  std::set<std::string> newer;
  if (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR < 15) {
    newer = {"aten::_upsample_lanczos2d_aa", "aten::broadcast_shapes"};
  }
  for (const std::string& name : allowed_operators()) {
    if (newer.count(name) != 0) continue;
    if (name == "aten::__version__" || name == "aten::list_with_default") continue;
    if (name.rfind("prim::", 0) == 0 && language.find(" " + name.substr(6) + " ") != std::string::npos) continue;
    const auto exists = [](const std::string& full) {
      return !torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString(full)).empty();
    };
    EXPECT_TRUE(exists(name) || exists(name + "_")) << name;
  }
}

TEST(TorchScriptProgram, NamesTheOperatorAndItsPlace) {
  const Module bad = compiled("def forward(self, x):\n  return torch.as_strided(x, [1], [1])\n");
  EXPECT_THAT(refusal(bad), HasSubstr("__torch__.Net.forward (the model itself) uses the operator aten::as_strided, "
                                      "which reads memory outside of a tensor"));
  EXPECT_THAT(refusal(bad), HasSubstr("--trust"));
  EXPECT_EQ(refusal(bad, true), "");
  EXPECT_EQ(refusal(compiled("def forward(self, x):\n  return torch.relu(x)\n")), "");
}

TEST(TorchScriptProgram, RefusesACallThatCannotBeLookedAt) {
  Module module = compiled("def forward(self, x):\n  return torch.relu(x)\n");
  // Source has no way to write this; a graph has.
  const auto graph = torch::jit::toGraphFunction(module.get_method("forward").function()).graph();
  torch::jit::Value* function = graph->addInput("f");
  torch::jit::Node* call = graph->create(c10::prim::CallFunction, {function, graph->inputs()[1]});
  graph->appendNode(call);
  EXPECT_THAT(refusal(module), HasSubstr("calls a function that cannot be looked at"));
}

TEST(TorchScriptProgram, FreezesWithoutRunningTensors) {
  const Module module = compiled(
      "def forward(self, x):\n  if self.training:\n    x = x * 0\n  return x + self.weight * torch.ones([2])\n");
  std::string why_not;
  const auto graph = freeze_forward(module, why_not);
  ASSERT_NE(graph, nullptr) << why_not;
  EXPECT_EQ(graph->inputs().size(), 1U);
  EXPECT_TRUE(at::equal(run(graph, at::zeros({2})), at::full({2}, 3.0)));
  bool ones = false;
  for (const torch::jit::Node* node : graph->nodes()) ones = ones || node->kind() == c10::aten::ones;
  EXPECT_TRUE(ones) << "a tensor operator was folded";
}

TEST(TorchScriptProgram, EachCallIsLikeTheFirst) {
  const Module module = compiled(
      "def forward(self, x):\n  self.weight.add_(1.0)\n  self.weight = self.weight * 2.0\n  return x + self.weight\n");
  std::string why_not;
  const auto graph = freeze_forward(module, why_not);
  ASSERT_NE(graph, nullptr) << why_not;
  for (int call = 0; call < 3; ++call) EXPECT_TRUE(at::equal(run(graph, at::zeros({2})), at::full({2}, 8.0)));
  EXPECT_TRUE(at::equal(module.attr("weight").toTensor(), at::full({2}, 3.0)));
}

TEST(TorchScriptProgram, DoesNotWriteIntoItsInput) {
  const Module module = compiled("def forward(self, x):\n  x.add_(1.0)\n  return x * 2.0\n");
  std::string why_not;
  const auto graph = freeze_forward(module, why_not);
  ASSERT_NE(graph, nullptr) << why_not;
  const at::Tensor input = at::zeros({2});
  EXPECT_TRUE(at::equal(run(graph, input), at::full({2}, 2.0)));
  EXPECT_TRUE(at::equal(input, at::zeros({2})));
}

TEST(TorchScriptProgram, SaysWhyItCannotFreeze) {
  const Module module =
      compiled("def forward(self, x):\n  if bool(x.sum() > 0):\n    self.weight = x\n  return x + self.weight\n");
  std::string why_not;
  EXPECT_EQ(freeze_forward(module, why_not), nullptr);
  EXPECT_EQ(why_not, "forward assigns an attribute in a branch or loop");
}

TEST(TorchScriptProgram, BoundsTensorsOfConstantSize) {
  const auto check = [](const std::string& expression) {
    std::string why_not;
    const auto graph = freeze_forward(compiled("def forward(self, x):\n  return x + " + expression + "\n"), why_not);
    ASSERT_NE(graph, nullptr) << why_not;
    check_allocations(*graph, "m.pt");
  };
  EXPECT_NO_THROW(check("torch.zeros([1000, 1000]).sum()"));
  EXPECT_NO_THROW(check("torch.zeros([x.size(0), 1000]).sum()"));
  EXPECT_THROW(check("torch.zeros([100000, 100000]).sum()"), Error);
  EXPECT_THROW(check("torch.zeros([100 * 1000, 50000 + 50000]).sum()"), Error);
  EXPECT_THROW(check("torch.arange(100000000000).sum()"), Error);
  EXPECT_THROW(check("torch.eye(100000).sum()"), Error);
  EXPECT_THROW(check("x.repeat([100000, 100000]).sum()"), Error);
}

TEST(TorchScriptProgram, MovesDevicesAndDropsMessages) {
  Module module = compiled(
      "def forward(self, x):\n  print(x)\n  y = torch.ones([2], device=torch.device(\"cuda:0\"))\n  return x.cuda() + "
      "y\n");
  const Preparation done = prepare_program(module, Device{}, "m.pt", kMemory);
  EXPECT_TRUE(done.devices);
  EXPECT_TRUE(done.messages);
  EXPECT_FALSE(done.half_precision);
  std::string why_not;
  const auto graph = freeze_forward(module, why_not);
  ASSERT_NE(graph, nullptr) << why_not;
  testing::internal::CaptureStdout();
  EXPECT_TRUE(at::equal(run(graph, at::zeros({2})), at::ones({2})));
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  // A plan for another device names that one, for both.
  EXPECT_TRUE(retarget_devices(*graph, Device{Device::Kind::cuda, 1}));
  EXPECT_THAT(graph->toString(), HasSubstr("cuda:1"));
  EXPECT_THAT(graph->toString(), Not(HasSubstr("\"cpu\"")));
  EXPECT_FALSE(retarget_devices(*graph, Device{Device::Kind::cuda, 1}));
}

TEST(TorchScriptProgram, ReducedPrecisionBecomesFloat32) {
  Module module =
      compiled("def forward(self, x):\n  return x + torch.to(self.weight, dtype=5) + torch.ones([2], dtype=5)\n");
  module.setattr("weight", at::full({2}, 3.0).to(at::kHalf));
  EXPECT_TRUE(prepare_program(module, Device{}, "m.pt", kMemory).half_precision);
  std::string why_not;
  const auto graph = freeze_forward(module, why_not);
  ASSERT_NE(graph, nullptr) << why_not;
  const at::Tensor output = run(graph, at::zeros({2}));
  EXPECT_EQ(output.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(output, at::full({2}, 4.0)));
}

// Names that share a tensor share its float32 form, and what a view would grow to is charged before it is made.
TEST(TorchScriptProgram, Float32FormsAreSharedAndCharged) {
  Module module = compiled("def forward(self, x):\n  return x + self.weight\n");
  const at::Tensor weight = at::full({1}, 3.0, at::kHalf);
  module.setattr("weight", weight.expand({1000}));
  module.register_attribute("other", c10::TensorType::get(), weight.expand({1000}));
  EXPECT_THROW(prepare_program(module, Device{}, "m.pt", 3999), Error);
  EXPECT_TRUE(prepare_program(module, Device{}, "m.pt", 4000).half_precision);
  EXPECT_TRUE(module.attr("weight").toTensor().is_same(module.attr("other").toTensor()));
  EXPECT_EQ(module.attr("weight").toTensor().scalar_type(), at::kFloat);
}

}  // namespace
}  // namespace ptrun::torchscript
