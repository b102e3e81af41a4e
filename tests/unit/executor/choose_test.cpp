// Which plan a trial takes, with plans whose time and numbers are made up.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/ir/irparser.h>

#include "executor/plan.h"
#include "executor/trial.h"

namespace ptrun {
namespace {

Model relu() {
  auto graph = std::make_shared<torch::jit::Graph>();
  torch::jit::parseIR(R"(
graph(%x : Tensor):
  %y = aten::relu(%x)
  return (%y))",
                      graph.get());
  auto impl = std::make_shared<Model::Impl>();
  impl->path = "relu.pt";
  impl->module = GraphModule{graph};
  return Model(impl);
}

// The clock of the tests of choose(), which a FixedPlan moves on by its work: real times depend on the machine's load.
double worked = 0;

class FixedPlan : public Plan {
 public:
  FixedPlan(at::Tensor result, int work, bool fails = false) : result_(std::move(result)), work_(work), fails_(fails) {}
  c10::IValue run(std::vector<c10::IValue> /*inputs*/) const override {
    if (fails_) throw std::runtime_error("no such kernel");
    worked += work_;
    return result_;
  }

 private:
  at::Tensor result_;
  int work_;
  bool fails_;
};

TEST(Choose, WhatDisagreesThrowsOrIsSlowerIsDroppedWithALine) {
  const Model model = relu();
  const at::Tensor right = at::linspace(-3, 3, 10);
  const FixedPlan reference(right, 400);
  const auto always = [](const Module&) { return true; };
  const PlanKind plain{"plain", Device::Kind::cpu, Precision::fp32, always, nullptr};
  using Make = std::unique_ptr<Plan> (*)(const Module&, const PlanRequest&);
  const auto kind = [&](const char* name, Make make) {
    return PlanKind{name, Device::Kind::cpu, Precision::fp32, always, make, true};
  };
  using Made = std::unique_ptr<Plan>;
  const PlanKind wrong = kind("wrong", [](const Module&, const PlanRequest&) -> Made {
    return std::make_unique<FixedPlan>(at::linspace(-3, 3.01, 10), 1);
  });
  const PlanKind broken = kind("broken", [](const Module&, const PlanRequest&) -> Made {
    return std::make_unique<FixedPlan>(at::linspace(-3, 3, 10), 1, true);
  });
  const PlanKind slow = kind("slow", [](const Module&, const PlanRequest&) -> Made {
    return std::make_unique<FixedPlan>(at::linspace(-3, 3, 10), 1200);
  });
  const PlanKind none = kind("none", [](const Module&, const PlanRequest&) -> Made { return nullptr; });
  const PlanKind fast = kind("fast", [](const Module&, const PlanRequest&) -> Made {
    return std::make_unique<FixedPlan>(at::linspace(-3, 3, 10), 40);
  });
  std::vector<std::string> lines;
  const LogCallback log = [&](LogLevel, const std::string& text) { lines.push_back(text); };
  const PlanRequest request{Device{}, {example_batch({1, 3, 8, 8})}};
  const auto chosen = [&](std::vector<const PlanKind*> kinds) {
    Trial trial{model, plain, reference, std::move(kinds), request, log};
    trial.seconds = [] { return worked; };
    return choose(std::move(trial));
  };
  EXPECT_EQ(chosen({&wrong, &broken, &slow, &none}).kind, nullptr);
  EXPECT_THAT(lines, ::testing::ElementsAre(::testing::HasSubstr("plan wrong is not used: its numbers differ"),
                                            ::testing::HasSubstr("plan broken is not used: no such kernel"),
                                            ::testing::HasSubstr("plan slow takes"),
                                            ::testing::HasSubstr("plan none does not serve")));
  const Winner winner = chosen({&wrong, &broken, &fast, &slow});
  ASSERT_NE(winner.kind, nullptr);
  EXPECT_STREQ(winner.kind->name, "fast");
}

// A plan whose first timed run was disturbed, and a reference whose first one was not.
class DisturbedPlan : public FixedPlan {
 public:
  DisturbedPlan() : FixedPlan(at::linspace(-3, 3, 10), 200) {}
  c10::IValue run(std::vector<c10::IValue> inputs) const override {
    if (++runs_ == 2) worked += 1000;
    return FixedPlan::run(std::move(inputs));
  }

 private:
  mutable int runs_ = 0;
};

TEST(Choose, OneDisturbedRunDoesNotDropAPlan) {
  const Model model = relu();
  const FixedPlan reference(at::linspace(-3, 3, 10), 400);
  const auto always = [](const Module&) { return true; };
  const PlanKind plain{"plain", Device::Kind::cpu, Precision::fp32, always, nullptr};
  const PlanKind disturbed{
      "disturbed",
      Device::Kind::cpu,
      Precision::fp32,
      always,
      [](const Module&, const PlanRequest&) -> std::unique_ptr<Plan> { return std::make_unique<DisturbedPlan>(); },
      true};
  Trial trial{model, plain, reference, {&disturbed}, {Device{}, {example_batch({1, 3, 8, 8})}}, {}};
  trial.seconds = [] { return worked; };
  EXPECT_EQ(choose(std::move(trial)).kind, &disturbed);
}

TEST(Choose, WhereOnePlanRoundsFarTooMuchNoOtherOfBfloat16IsTried) {
  const Model model = relu();
  const FixedPlan reference(at::linspace(-3, 3, 10), 400);
  const auto always = [](const Module&) { return true; };
  const PlanKind plain{"plain", Device::Kind::cpu, Precision::fp32, always, nullptr};
  using Made = std::unique_ptr<Plan>;
  const PlanKind rough{"rough",
                       Device::Kind::cpu,
                       Precision::bf16,
                       always,
                       [](const Module&, const PlanRequest&) -> Made {
                         return std::make_unique<FixedPlan>(at::linspace(-3, 3.03, 10), 40);
                       },
                       true};
  const auto right = [](const Module&, const PlanRequest&) -> Made {
    return std::make_unique<FixedPlan>(at::linspace(-3, 3, 10), 40);
  };
  const PlanKind other{"other", Device::Kind::cpu, Precision::bf16, always, right, true};
  const PlanKind mixed{"mixed", Device::Kind::cpu, Precision::automatic, always, right, true};
  const auto chosen = [&](double agreement) {
    Trial trial{model, plain, reference, {&rough, &other, &mixed}, {Device{}, {example_batch({1, 3, 8, 8})}}, {}};
    trial.seconds = [] { return worked; };
    trial.agreement = agreement;
    return choose(std::move(trial)).kind;
  };
  EXPECT_EQ(chosen(0.005), &mixed);
  // It is off by 0.01: the next one could be right.
  EXPECT_EQ(chosen(0.008), &other);
}

}  // namespace
}  // namespace ptrun
