#include "executor/executor.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/irparser.h>

#include <thread>

#include "executor/batch.h"
#include "executor/plan.h"
#include "graph/builder_impl.h"
#include "loader/torchscript/program.h"
#include "operators/operators.h"
#include "ptrun/error.h"
#include "support/made_model.h"

namespace ptrun {
namespace {

using test::error_of;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::int64_t kDynamic = -1;

Signature image_signature(std::vector<std::int64_t> sizes) {
  Signature signature;
  TensorSpec spec;
  for (const std::int64_t size : sizes) spec.dimensions.push_back({size});
  signature.inputs.push_back(spec);
  return signature;
}

Model model_of(Module module, Signature signature) {
  return test::made_model({.module = std::move(module), .signature = std::move(signature)});
}

// A convolution, global pooling and a second output without a batch.
Model convolution_model(Signature signature = image_signature({kDynamic, 3, kDynamic, kDynamic})) {
  static WeightTable table = [] {
    WeightTable made;
    WeightTable::Entry entry;
    entry.name = "weight";
    entry.shape = {8, 3, 3, 3};
    made.add(entry);
    return made;
  }();
  GraphBuilder g = make_builder(
      table, [](const WeightTable::Entry& entry) { return at::linspace(-1, 1, 8 * 3 * 9).reshape(entry.shape); });
  const Value x = g.input("x");
  const Value y = g.conv2d(Weights(table), x, {.padding = 1});
  g.output(g.mean(y, {2, 3}));
  g.output(g.op("aten::sum", {y}));
  return model_of(finish(g), std::move(signature));
}

Model scripted(const std::string& source, Signature signature) {
  auto module = std::make_shared<torch::jit::Module>("m");
  module->define(source);
  return model_of(ScriptModule{module}, std::move(signature));
}

ExecutorOptions with_batch(int size) {
  ExecutorOptions options;
  options.batch_size = size;
  return options;
}

TEST(Batch, PadsWithTheLastImageAndCutsTheWholeTree) {
  const at::Tensor batch = at::arange(4, at::kFloat).reshape({2, 2});
  const at::Tensor padded = pad_batch(batch, 4);
  EXPECT_TRUE(at::equal(padded, at::tensor({0.F, 1.F, 2.F, 3.F, 2.F, 3.F, 2.F, 3.F}).reshape({4, 2})));
  EXPECT_TRUE(pad_batch(batch, 2).is_same(batch));

  c10::Dict<std::string, at::Tensor> dict;
  dict.insert("a", at::zeros({4, 1}));
  dict.insert("other", at::zeros({3, 1}));
  const c10::IValue tree =
      c10::ivalue::Tuple::create({at::zeros({4}), dict, c10::List<at::Tensor>({at::zeros({4, 2})}), at::zeros({})});
  const c10::IValue shorter = cut_batch(tree, 4, 2);
  const auto& cut = shorter.toTupleRef().elements();
  EXPECT_EQ(cut[0].toTensor().size(0), 2);
  EXPECT_EQ(cut[1].toGenericDict().at("a").toTensor().size(0), 2);
  EXPECT_EQ(cut[1].toGenericDict().at("other").toTensor().size(0), 3);
  EXPECT_EQ(cut[2].toTensorVector()[0].size(0), 2);
  EXPECT_EQ(cut[3].toTensor().dim(), 0);
}

TEST(Executor, ASmallerBatchGivesTheBitsOfTheFullOne) {
  const Model model = convolution_model();
  const Executor executor(model, with_batch(4));
  EXPECT_STREQ(executor.plan_name(), "plain");
  const at::Tensor images = at::rand({4, 3, 9, 7});
  const at::Tensor all = executor.run(images).toTupleRef().elements()[0].toTensor();
  ASSERT_EQ(all.size(0), 4);
  for (std::int64_t n = 1; n < 4; ++n) {
    const at::Tensor some = executor.run(images.narrow(0, 0, n)).toTupleRef().elements()[0].toTensor();
    EXPECT_TRUE(at::equal(some, all.narrow(0, 0, n))) << n;
  }
}

TEST(Executor, TwoThreadsGiveTheBitsOfOne) {
  const Model model = convolution_model();
  const Executor executor(model, with_batch(2));
  constexpr int kRuns = 50;
  std::vector<at::Tensor> images;
  std::vector<at::Tensor> expected;
  const auto logits = [&](const at::Tensor& x) { return executor.run(x).toTupleRef().elements()[0].toTensor(); };
  at::set_num_threads(1);
  for (int i = 0; i < kRuns; ++i) {
    images.push_back(at::rand({2, 3, 16, 16}));
    expected.push_back(logits(images.back()));
  }
  std::vector<int> differences(2, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      at::set_num_threads(1);
      for (std::size_t i = 0; i < kRuns; ++i) {
        if (!at::equal(logits(images[i]), expected[i])) ++differences[t];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(differences[0] + differences[1], 0);
}

TEST(Executor, LeavesTheCallersThreadCountAlone) {
  const int before = at::get_num_threads();
  const Executor executor(convolution_model(), with_batch(1));
  executor.run(at::rand({1, 3, 8, 8}));
  EXPECT_EQ(at::get_num_threads(), before);
}

TEST(Executor, InputsTheSignatureForbidsAreNamed) {
  const Executor executor(convolution_model(image_signature({kDynamic, 3, 8, kDynamic})), with_batch(2));
  const auto refused = [&](const at::Tensor& batch, const char* problem) {
    const Error error = error_of([&] { executor.run(batch); });
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("test.pt"), HasSubstr(problem)));
  };
  refused(at::zeros({3, 3, 8, 8}), "3 images");
  refused(at::zeros({0, 3, 8, 8}), "0 images");
  refused(at::zeros({3, 8, 8}), "[3, 8, 8]");
  refused(at::zeros({1, 1, 8, 8}), "3 in dimension 1");
  refused(at::zeros({1, 3, 9, 8}), "8 in dimension 2");
  refused(at::zeros({1, 3, 8, 8}, at::kDouble), "float32");
  EXPECT_EQ(error_of([&] { executor.run_list({at::zeros({3, 8, 8})}); }).code(), ErrorCode::invalid_argument);
}

TEST(Executor, AFailingModelIsNamedOnce) {
  const Executor executor(convolution_model(image_signature({})), with_batch(1));
  const Error error = error_of([&] { executor.run(at::zeros({1, 5, 8, 8})); });
  EXPECT_EQ(error.code(), ErrorCode::model_failed);
  EXPECT_EQ(error.subject(), "test.pt");
  EXPECT_THAT(error.what(), AllOf(HasSubstr("5 channels"), ::testing::Not(HasSubstr("frame #"))));
}

TEST(Executor, FixedBatchSizesOfTheModuleWin) {
  EXPECT_EQ(Executor(convolution_model(image_signature({6, 3, 8, 8})), with_batch(2)).batch_size(), 6);
  Signature single = image_signature({kDynamic, 3, 8, 8});
  single.batchable = false;
  EXPECT_EQ(Executor(convolution_model(single), with_batch(8)).batch_size(), 1);
  EXPECT_EQ(error_of([] { Executor(convolution_model(), with_batch(0)); }).code(), ErrorCode::invalid_argument);
}

TEST(Executor, PrecisionsWithoutAPlanSayWhatIsThere) {
  ExecutorOptions options;
  options.precision = Precision::fp16;
  const Error error = error_of([&] { Executor(convolution_model(), options); });
  EXPECT_EQ(error.code(), ErrorCode::unsupported);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("fp16"), HasSubstr("--precision fp32")));
  options.precision = Precision::automatic;
  EXPECT_STREQ(Executor(convolution_model(), options).plan_name(), "plain");
}

TEST(ScriptPlan, DefaultsBranchesAndCallsRun) {
  const Model model = scripted(R"(
def double(self, x: Tensor) -> Tensor:
    return x * 2
def forward(self, x: Tensor, scale: float = 3.0, target: Optional[Tensor] = None):
    if target is not None:
        return {"y": x}
    if bool(x.sum() > 0):
        return {"y": self.double(x) * scale}
    return {"y": x}
)",
                               image_signature({}));
  const Executor executor(model, with_batch(2));
  EXPECT_STREQ(executor.plan_name(), "script");
  const at::Tensor y = executor.run(at::ones({1, 3, 2, 2})).toGenericDict().at("y").toTensor();
  EXPECT_EQ(y.sizes().vec(), (std::vector<std::int64_t>{1, 3, 2, 2}));
  EXPECT_EQ(y.max().item<float>(), 6.0F);
}

TEST(ScriptPlan, ListsOfImagesOfAnySize) {
  Signature signature;
  signature.form = InputForm::list_chw;
  const Model model = scripted(R"(
def forward(self, images: List[Tensor]) -> List[Dict[str, Tensor]]:
    result: List[Dict[str, Tensor]] = []
    for image in images:
        result.append({"size": torch.tensor(image.shape)})
    return result
)",
                               signature);
  const Executor executor(model, with_batch(8));
  const c10::IValue output = executor.run_list({at::zeros({3, 4, 5}), at::zeros({3, 7, 2})});
  ASSERT_EQ(output.toList().size(), 2U);
  const c10::IValue second = output.toList().get(1);
  EXPECT_EQ(second.toGenericDict().at("size").toTensor()[1].item<std::int64_t>(), 7);
  EXPECT_EQ(error_of([&] { executor.run(at::zeros({1, 3, 4, 4})); }).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(error_of([&] { executor.run_list({}); }).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(error_of([&] { executor.run_list({at::zeros({4, 5})}); }).code(), ErrorCode::invalid_argument);
}

TEST(ScriptPlan, AnExceptionOfTheModelIsTranslated) {
  const Model model = scripted(R"(
def forward(self, x: Tensor) -> Tensor:
    assert x.numel() == 0, "no pictures today"
    return x
)",
                               image_signature({}));
  const Executor executor(model, with_batch(1));
  const Error error = error_of([&] { executor.run(at::zeros({1, 3, 2, 2})); });
  EXPECT_EQ(error.code(), ErrorCode::model_failed);
  EXPECT_THAT(error.what(), HasSubstr("no pictures today"));
}

TEST(PlanKinds, NamesAreDistinctAndTheCpuRunsEveryForm) {
  std::vector<std::string> names;
  for (const PlanKind& kind : plan_kinds()) names.emplace_back(kind.name);
  EXPECT_THAT(names, ::testing::ElementsAre("cpu_fused", "cpu_onednn", "cpu_packed", "cpu_fused_bf16",
                                            "cpu_onednn_bf16", "cpu_packed_bf16", "cpu_mixed", "cpu_int8_bf16",
                                            "cpu_int8", "plain", "script", "native", "cuda_eager"));
}

Model parsed(const std::string& text) {
  const auto graph = std::make_shared<torch::jit::Graph>();
  torch::jit::parseIR(text, graph.get());
  return model_of(GraphModule{graph}, {});
}

// "auto" must not choose a GPU for what only the CPU can run, and says so.
TEST(DeviceFit, WhatOnlyTheCpuCanRunStaysThere) {
  register_operators();
  const Device gpu{Device::Kind::cuda, 1};
  std::string said;
  const auto log = [&](LogLevel /*level*/, const std::string& text) { said = text; };
  const auto kept = [&](const Model& model) {
    said.clear();
    return to_string(fit_device(model, gpu, log));
  };
  EXPECT_EQ(kept(convolution_model()), "cuda:1");
  EXPECT_EQ(said, "");
  EXPECT_EQ(kept(scripted("def forward(self, x):\n  return x + 1.0\n", {})), "cpu");
  EXPECT_THAT(said, AllOf(HasSubstr("test.pt: runs on the CPU"), HasSubstr("cuda:1"), HasSubstr("attributes")));
  // Below an If as well.
  const Model detector = parsed(R"IR(
graph(%boxes : Tensor, %scores : Tensor, %some : bool):
  %threshold : float = prim::Constant[value=0.5]()
  %kept : Tensor = prim::If(%some)
    block0():
      %best : Tensor = torchvision::nms(%boxes, %scores, %threshold)
      -> (%best)
    block1():
      -> (%scores)
  return (%kept))IR");
  EXPECT_EQ(kept(detector), "cpu");
  EXPECT_THAT(said, HasSubstr("torchvision::nms has no CUDA kernel"));
  EXPECT_EQ(to_string(fit_device(detector, Device{}, log)), "cpu");
  // Who names the GPU is told why it cannot be.
  ExecutorOptions options;
  options.device = gpu;
  EXPECT_THAT(error_of([&] { Executor(detector, options); }).what(), HasSubstr("torchvision::nms has no CUDA kernel"));
}

}  // namespace
}  // namespace ptrun
