// The plans on trial against "plain", on networks that real files hold and on odd ones that must not crash.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/ir/irparser.h>

#include <thread>

#include "executor/executor.h"
#include "executor/folded.h"
#include "executor/plan.h"
#include "executor/trial.h"
#include "loader/int8_ranges.h"

namespace ptrun {
namespace {

const std::string kFloatBetween = "cpu_int8";

// A model from the text of its graph; %wN are constants.
Model parsed(const std::string& text, const std::vector<at::Tensor>& weights) {
  auto graph = std::make_shared<torch::jit::Graph>();
  std::unordered_map<std::string, torch::jit::Value*> names;
  torch::jit::parseIR(text, graph.get(), names);
  // Inputs after the first become the weights.
  for (std::size_t i = weights.size(); i > 0; --i) {
    const torch::jit::WithInsertPoint guard(*graph->nodes().begin());
    graph->inputs()[i]->replaceAllUsesWith(graph->insertConstant(weights[i - 1]));
    graph->eraseInput(i);
  }
  auto impl = std::make_shared<Model::Impl>();
  impl->path = "odd.pt";
  impl->module = GraphModule{graph};
  Signature signature;
  signature.inputs.push_back({});
  signature.inputs.back().dimensions.resize(4);
  for (Dimension& dimension : signature.inputs.back().dimensions) dimension.size = -1;
  impl->signature = signature;
  return Model(impl);
}

struct Odd {
  const char* name;
  const char* text;
  std::vector<at::Tensor> weights;
  std::int64_t height = 9;
  std::int64_t width = 7;
  bool one_shape = false;  // its plans are made for the example's shape and no other
};

at::Tensor weight(std::vector<std::int64_t> sizes) {
  std::int64_t count = 1;
  for (const std::int64_t size : sizes) count *= size;
  return at::linspace(-1, 1, count).sin().reshape(sizes);
}

const std::vector<Odd>& odd_models() {
  static const std::vector<Odd> kModels = {
      {"conv, batch norm, relu, residual",
       R"(
graph(%x : Tensor, %w : Tensor, %g : Tensor, %b : Tensor, %m : Tensor, %v : Tensor, %u : Tensor):
  %none : NoneType = prim::Constant()
  %one : int[] = prim::Constant[value=[1, 1]]()
  %zero : int[] = prim::Constant[value=[0, 0]]()
  %groups : int = prim::Constant[value=1]()
  %no : bool = prim::Constant[value=0]()
  %eps : float = prim::Constant[value=0.001]()
  %t = aten::conv2d(%x, %w, %none, %one, %one, %one, %groups)
  %n = aten::batch_norm(%t, %g, %b, %m, %v, %no, %eps, %eps, %no)
  %r = aten::relu(%n)
  %c = aten::conv2d(%r, %u, %none, %one, %zero, %one, %groups)
  %s = aten::add(%c, %r, %groups)
  %y = aten::relu(%s)
  return (%y))",
       {weight({16, 3, 3, 3}), weight({16}).add(2), weight({16}), weight({16}), weight({16}).abs().add(0.5),
        weight({16, 16, 1, 1})}},
      {"lists of one number",
       R"(
graph(%x : Tensor, %w : Tensor, %b : Tensor):
  %two : int[] = prim::Constant[value=[2]]()
  %one : int[] = prim::Constant[value=[1]]()
  %groups : int = prim::Constant[value=1]()
  %three : int[] = prim::Constant[value=[3]]()
  %empty : int[] = prim::Constant[value=annotate(List[int], [])]()
  %no : bool = prim::Constant[value=0]()
  %zero : int[] = prim::Constant[value=[0]]()
  %t = aten::conv2d(%x, %w, %b, %two, %one, %one, %groups)
  %y = aten::max_pool2d(%t, %three, %empty, %zero, %one, %no)
  return (%y))",
       {weight({4, 3, 3, 3}), weight({4})}},
      {"depthwise, dilation, silu and squeeze-excite",
       R"(
graph(%x : Tensor, %w : Tensor, %d : Tensor, %e : Tensor, %b : Tensor):
  %one : int[] = prim::Constant[value=[1, 1]]()
  %two : int[] = prim::Constant[value=[2, 2]]()
  %zero : int[] = prim::Constant[value=[0, 0]]()
  %groups : int = prim::Constant[value=1]()
  %eight : int = prim::Constant[value=8]()
  %t = aten::conv2d(%x, %w, %b, %one, %one, %one, %groups)
  %a = aten::silu(%t)
  %f = aten::conv2d(%a, %d, %b, %one, %two, %two, %eight)
  %h = aten::hardswish(%f)
  %p = aten::adaptive_avg_pool2d(%h, %one)
  %q = aten::conv2d(%p, %e, %b, %one, %zero, %one, %groups)
  %s = aten::hardsigmoid(%q)
  %y = aten::mul(%s, %h)
  return (%y))",
       {weight({8, 3, 3, 3}), weight({8, 1, 3, 3}), weight({8, 8, 1, 1}), weight({8})}},
      {"an inverted residual with squeeze-excite, an activation before and one after an addition",
       R"(
graph(%x : Tensor, %e : Tensor, %d : Tensor, %r : Tensor, %g : Tensor, %p : Tensor, %b : Tensor, %c : Tensor, %i : Tensor):
  %one : int[] = prim::Constant[value=[1, 1]]()
  %two : int[] = prim::Constant[value=[2, 2]]()
  %zero : int[] = prim::Constant[value=[0, 0]]()
  %groups : int = prim::Constant[value=1]()
  %each : int = prim::Constant[value=18]()
  %yes : bool = prim::Constant[value=1]()
  %none : NoneType = prim::Constant()
  %dims : int[] = prim::Constant[value=[2, 3]]()
  %low : float = prim::Constant[value=0.]()
  %high : float = prim::Constant[value=6.]()
  %x4 = aten::conv2d(%x, %i, %c, %one, %one, %one, %groups)
  %a = aten::conv2d(%x4, %e, %b, %one, %zero, %one, %groups)
  %a2 = aten::silu(%a)
  %f = aten::conv2d(%a2, %d, %none, %one, %two, %one, %each)
  %f2 = aten::hardtanh(%f, %low, %high)
  %m = aten::mean(%f2, %dims, %yes, %none)
  %s = aten::conv2d(%m, %r, %c, %one, %zero, %one, %groups)
  %s2 = aten::relu(%s)
  %t = aten::conv2d(%s2, %g, %b, %one, %zero, %one, %groups)
  %t2 = aten::sigmoid(%t)
  %u = aten::mul(%t2, %f2)
  %v = aten::conv2d(%u, %p, %none, %one, %zero, %one, %groups)
  %v2 = aten::add(%v, %x4, %groups)
  %w = aten::conv2d(%a2, %p, %c, %one, %zero, %one, %groups)
  %w2 = aten::relu(%w)
  %z = aten::add(%v2, %w2, %groups)
  %k = aten::conv2d(%z, %e, %b, %one, %zero, %one, %groups)
  %k2 = aten::add(%a2, %k, %groups)
  %y = aten::hardswish(%k2)
  return (%y))",
       {weight({18, 4, 1, 1}), weight({18, 1, 5, 5}), weight({4, 18, 1, 1}), weight({18, 4, 1, 1}),
        weight({4, 18, 1, 1}), weight({18}), weight({4}), weight({4, 3, 3, 3})}},
      {"transposed convolution and a dictionary of lists",
       R"(
graph(%x : Tensor, %w : Tensor, %b : Tensor):
  %one : int[] = prim::Constant[value=[1, 1]]()
  %two : int[] = prim::Constant[value=[2, 2]]()
  %zero : int[] = prim::Constant[value=[0, 0]]()
  %groups : int = prim::Constant[value=1]()
  %key : str = prim::Constant[value="out"]()
  %t = aten::conv_transpose2d(%x, %w, %b, %two, %one, %zero, %groups, %one)
  %l : Tensor[] = prim::ListConstruct(%t, %x)
  %y : Dict(str, Tensor[]) = prim::DictConstruct(%key, %l)
  return (%y))",
       {weight({3, 5, 3, 3}), weight({5})}},
      {"a branch on the values",
       R"(
graph(%x : Tensor, %w : Tensor, %b : Tensor):
  %one : int[] = prim::Constant[value=[1, 1]]()
  %groups : int = prim::Constant[value=1]()
  %none : NoneType = prim::Constant()
  %s : Tensor = aten::sum(%x, %none)
  %c : bool = aten::Bool(%s)
  %y : Tensor = prim::If(%c)
    block0():
      %t : Tensor = aten::conv2d(%x, %w, %b, %one, %one, %one, %groups)
      -> (%t)
    block1():
      %n : Tensor = aten::neg(%x)
      -> (%n)
  return (%y))",
       {weight({2, 3, 3, 3}), weight({2})}},
      {"a stride that is no constant",
       R"(
graph(%x : Tensor, %w : Tensor, %b : Tensor):
  %dim : int = prim::Constant[value=1]()
  %one : int[] = prim::Constant[value=[1, 1]]()
  %groups : int = prim::Constant[value=1]()
  %n : int = aten::size(%x, %dim)
  %s : int[] = prim::ListConstruct(%n, %n)
  %y = aten::conv2d(%x, %w, %b, %s, %one, %one, %groups)
  return (%y))",
       {weight({4, 3, 3, 3}), weight({4})}},
      {"nothing of one pixel",
       R"(
graph(%x : Tensor, %w : Tensor, %b : Tensor):
  %one : int[] = prim::Constant[value=[1, 1]]()
  %zero : int[] = prim::Constant[value=[0, 0]]()
  %groups : int = prim::Constant[value=1]()
  %begin : int = prim::Constant[value=0]()
  %t = aten::conv2d(%x, %w, %b, %one, %zero, %one, %groups)
  %e = aten::slice(%t, %groups, %begin, %begin, %groups)
  %l : Tensor[] = prim::ListConstruct(%t, %e)
  %y = aten::cat(%l, %groups)
  return (%y))",
       {weight({4, 3, 1, 1}), weight({4})},
       1,
       1},
      {"attention's linears with gelu, on tokens out of order",
       R"(
graph(%x : Tensor, %w : Tensor, %b : Tensor, %u : Tensor, %c : Tensor):
  %two : int = prim::Constant[value=2]()
  %one : int = prim::Constant[value=1]()
  %end : int = prim::Constant[value=-1]()
  %gelu : str = prim::Constant[value="none"]()
  %f = aten::flatten(%x, %two, %end)
  %t = aten::transpose(%f, %one, %two)
  %a = aten::linear(%t, %w, %b)
  %g = aten::gelu(%a, %gelu)
  %l = aten::linear(%g, %u, %c)
  %s = aten::add(%l, %t, %one)
  %none : NoneType = prim::Constant()
  %y = aten::softmax(%s, %end, %none)
  return (%y))",
       {weight({12, 3}), weight({12}), weight({3, 12}), weight({3})}},
      {"a script's checks of dimensions and sizes",
       R"(
graph(%x : Tensor, %w : Tensor, %g : Tensor, %b : Tensor, %m : Tensor, %v : Tensor):
  %none : NoneType = prim::Constant()
  %text : str = prim::Constant[value="expected 4D input"]()
  %one : int[] = prim::Constant[value=[1, 1]]()
  %groups : int = prim::Constant[value=1]()
  %four : int = prim::Constant[value=4]()
  %last : int = prim::Constant[value=-1]()
  %seven : int = prim::Constant[value=7]()
  %no : bool = prim::Constant[value=0]()
  %eps : float = prim::Constant[value=0.001]()
  %t = aten::conv2d(%x, %w, %none, %one, %one, %one, %groups)
  %d : int = aten::dim(%t)
  %bad : bool = aten::ne(%d, %four)
  prim::If(%bad)
    block0():
      prim::RaiseException(%text, %none)
      -> ()
    block1():
      -> ()
  %n = aten::batch_norm(%t, %g, %b, %m, %v, %no, %eps, %eps, %no)
  %s : int = aten::size(%n, %last)
  %narrow : bool = aten::eq(%s, %seven)
  %y : Tensor = prim::If(%narrow)
    block0():
      %r : Tensor = aten::relu(%n)
      -> (%r)
    block1():
      %k : Tensor = aten::neg(%n)
      -> (%k)
  return (%y))",
       {weight({16, 3, 3, 3}), weight({16}).add(2), weight({16}), weight({16}), weight({16}).abs().add(0.5)},
       9,
       7,
       true},
      {"a list of sizes that a script changes",
       R"(
graph(%x : Tensor, %w : Tensor):
  %none : NoneType = prim::Constant()
  %text : str = prim::Constant[value="expected 4D input"]()
  %one : int[] = prim::Constant[value=[1, 1]]()
  %groups : int = prim::Constant[value=1]()
  %four : int = prim::Constant[value=4]()
  %t = aten::conv2d(%x, %w, %none, %one, %one, %one, %groups)
  %d : int = aten::dim(%t)
  %bad : bool = aten::ne(%d, %four)
  prim::If(%bad)
    block0():
      prim::RaiseException(%text, %none)
      -> ()
    block1():
      -> ()
  %s : int[] = aten::size(%t)
  %longer : int[] = aten::append(%s, %groups)
  %y = aten::reshape(%t, %s)
  return (%y))",
       {weight({16, 3, 3, 3})}},
  };
  return kModels;
}

const PlanKind& kind_named(const std::string& name) {
  for (const PlanKind& kind : plan_kinds()) {
    if (name == kind.name) return kind;
  }
  ADD_FAILURE() << name;
  return plan_kinds().front();
}

// Those of the CPU that this processor runs.
std::vector<const PlanKind*> trial_kinds() {
  std::vector<const PlanKind*> kinds;
  for (const PlanKind& kind : plan_kinds()) {
    const bool runs = kind.precision == Precision::int8 ? has_int8() && (has_bf16() || kind.name == kFloatBetween)
                                                        : kind.precision == Precision::fp32 || has_bf16();
    if (kind.on_trial && kind.device == Device::Kind::cpu && runs) kinds.push_back(&kind);
  }
  return kinds;
}

// What calibration on this batch would find.
std::shared_ptr<const Int8Ranges> ranges_of(const Model& model, const at::Tensor& batch) {
  const auto& module = std::get<GraphModule>(model.impl().module);
  jit::RangeObserver observer(fold_for(module, {batch}, true).graph);
  observer.add({batch});
  return std::make_shared<const Int8Ranges>(Int8Ranges{0, "minmax", 1, observer.extremes()});
}

TEST(TrialPlans, OddModelsGiveTheNumbersOfPlainOrAreDeclined) {
  for (const Odd& odd : odd_models()) {
    const Model model = parsed(odd.text, odd.weights);
    const at::Tensor batch = example_batch({2, 3, odd.height, odd.width});
    const auto plain = kind_named("plain").make(model.impl().module, {});
    const c10::IValue expected = plain->run({batch});
    const auto ranges = ranges_of(model, batch);
    for (const PlanKind* kind : trial_kinds()) {
      const auto plan = kind->make(model.impl().module, {Device{}, {batch}, false, nullptr, ranges});
      if (!plan) continue;
      const double most = kind->precision == Precision::fp32   ? 1e-5
                          : kind->precision == Precision::int8 ? 0.06
                                                               : tolerance(kind->precision);
      for (int run = 0; run < 3; ++run) {
        EXPECT_LT(difference(expected, plan->run({batch})), most) << odd.name << ", " << kind->name;
      }
      // Another shape is not what the plan was made for, and right all the same.
      const auto any_batch = kind->make(model.impl().module, {Device{}, {batch}, true, nullptr, ranges});
      const at::Tensor larger = example_batch({5, 3, odd.height, odd.width});
      if (any_batch) {
        EXPECT_LT(difference(plain->run({larger}), any_batch->run({larger})), most) << odd.name;
      }
      // A plan of one shape says so, and never runs past the ends of its kernels' memory.
      const at::Tensor other = example_batch({3, 3, odd.height + 2, odd.width + 5});
      try {
        const c10::IValue found = plan->run({other});
        // Bytes end where the values of the first batch did.
        const double farther = kind->precision == Precision::int8 ? 0.2 : most;
        if (!odd.one_shape) {
          EXPECT_LT(difference(plain->run({other}), found), farther) << odd.name << ", " << kind->name;
        }
      } catch (const std::exception& error) {
        EXPECT_THAT(error.what(), ::testing::HasSubstr("made for inputs of another shape")) << odd.name;
        EXPECT_THAT(kind->name, ::testing::HasSubstr("onednn"));
      }
    }
  }
}

TEST(TrialPlans, TheFuserIsKeptFromWhatItDividesBy) {
  const PlanKind& onednn = kind_named("cpu_onednn");
  for (const Odd& odd : odd_models()) {
    const Model model = parsed(odd.text, odd.weights);
    const at::Tensor batch = example_batch({2, 3, odd.height, odd.width});
    const bool made = onednn.make(model.impl().module, {Device{}, {batch}}) != nullptr;
    const std::string name = odd.name;
    const bool declined = name == "a branch on the values" || name == "a stride that is no constant" ||
                          name == "nothing of one pixel" || name == "a list of sizes that a script changes";
    EXPECT_EQ(made, !declined) << name;
  }
}

TEST(TrialPlans, OnePlanServesTwoThreadsWithTheSameBits) {
  const Odd& odd = odd_models().front();
  const Model model = parsed(odd.text, odd.weights);
  const at::Tensor batch = example_batch({2, 3, 64, 64});
  for (const PlanKind* kind : trial_kinds()) {
    const auto plan = kind->make(model.impl().module, {Device{}, {batch}, false, nullptr, ranges_of(model, batch)});
    ASSERT_NE(plan, nullptr) << kind->name;
    const at::Tensor expected = plan->run({batch}).toTensor().clone();
    std::vector<int> wrong(2, 0);
    std::vector<std::thread> threads;
    for (int& count : wrong) {
      threads.emplace_back([&] {
        for (int i = 0; i < 20; ++i) count += at::equal(plan->run({batch}).toTensor(), expected) ? 0 : 1;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_THAT(wrong, ::testing::Each(0)) << kind->name;
  }
}

TEST(Difference, CountsShapesTypesAndWhatIsNoNumber) {
  const at::Tensor a = at::tensor({1.F, 2.F, -4.F});
  EXPECT_EQ(difference(a, a), 0);
  EXPECT_NEAR(difference(a, at::tensor({1.F, 2.F, -4.1F})), 0.025, 1e-6);
  const double infinite = std::numeric_limits<double>::infinity();
  EXPECT_EQ(difference(a, a.reshape({3, 1})), infinite);
  EXPECT_EQ(difference(a, a.to(at::kDouble)), infinite);
  EXPECT_EQ(difference(a, at::tensor({1.F, 2.F, NAN})), infinite);
  EXPECT_EQ(difference(at::tensor({1, 2}), at::tensor({1, 3})), infinite);
  EXPECT_EQ(difference(c10::ivalue::Tuple::create({a, a}), a), infinite);
  EXPECT_EQ(difference(c10::List<at::Tensor>({a}), c10::List<at::Tensor>({a, a})), infinite);
}

TEST(Executor, ManyImagesRunCompiledAndGiveTheSameBitsEveryTime) {
  const Odd& odd = odd_models().front();
  const Model model = parsed(odd.text, odd.weights);
  ExecutorOptions options;
  options.batch_size = 2;
  const Executor plain(model, options);
  options.height = 96;
  options.width = 96;
  options.images = 1000;
  const Executor first(model, options);
  const at::Tensor images = example_batch({2, 3, 96, 96});
  const c10::IValue expected = plain.run(images);
  const c10::IValue found = first.run(images);
  EXPECT_LT(difference(expected, found), 1e-5);
  EXPECT_TRUE(at::equal(first.run(images).toTensor(), found.toTensor()));
  // Fewer images are padded to the same shape, another size runs on plain.
  EXPECT_TRUE(at::equal(first.run(images.narrow(0, 0, 1)).toTensor(), found.toTensor().narrow(0, 0, 1)));
  const at::Tensor small = example_batch({2, 3, 32, 32});
  EXPECT_TRUE(at::equal(first.run(small).toTensor(), plain.run(small).toTensor()));
}

TEST(Executor, FewImagesStayOnPlainAndLargeBatchesAreTriedWithFewer) {
  const Odd& odd = odd_models().at(1);  // without a layer that cpu_fused replaces
  const Model model = parsed(odd.text, odd.weights);
  ExecutorOptions options;
  options.batch_size = 32;
  options.height = options.width = 96;
  options.images = 200;
  std::vector<std::string> lines;
  options.log = [&](LogLevel, const std::string& text) { lines.push_back(text); };
  const at::Tensor images = example_batch({32, 3, 96, 96});
  const Executor plain(model, options);
  EXPECT_STREQ(plain.plan_name(), "plain");
  EXPECT_THAT(lines, ::testing::IsEmpty()) << "nothing is tried";
  options.images = 999;
  const Executor many(model, options);
  EXPECT_LT(difference(plain.run(images), many.run(images)), 1e-5);
  EXPECT_THAT(lines, ::testing::Contains(::testing::HasSubstr("cpu_onednn does not serve")));
  EXPECT_THAT(lines, ::testing::Contains(::testing::HasSubstr("plan cpu_packed")));
}

}  // namespace
}  // namespace ptrun
