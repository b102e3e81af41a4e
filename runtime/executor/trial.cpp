#include "executor/trial.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/InferenceMode.h>

#include <cmath>
#include <cstdio>
#include <ctime>
#include <limits>
#include <utility>

namespace ptrun {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

// Folding and fusing reorder sums; more than this share of the output's range is no rounding.
constexpr double kTolerance = 1e-4;
// What a plan must win over the one before it, so that chance does not choose between equals.
constexpr double kGain = 0.95;

// Of this thread: other programs on the machine do not count.
double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double seconds_of(const Plan& plan, const std::vector<c10::IValue>& inputs) {
  double best = kInfinite;
  for (int i = 0; i < 2; ++i) {
    const double start = processor_seconds();
    plan.run(inputs);
    best = std::min(best, processor_seconds() - start);
  }
  return best;
}

double tensor_difference(const at::Tensor& expected, const at::Tensor& found) {
  if (expected.defined() != found.defined()) return kInfinite;
  if (!expected.defined()) return 0;
  if (expected.sizes() != found.sizes() || expected.scalar_type() != found.scalar_type()) return kInfinite;
  if (expected.numel() == 0) return 0;
  if (!expected.is_floating_point()) return at::equal(expected, found) ? 0 : kInfinite;
  const at::Tensor a = expected.to(at::kDouble);
  const at::Tensor b = found.to(at::kDouble);
  if (!at::equal(a.isfinite(), b.isfinite())) return kInfinite;
  const at::Tensor zero = at::zeros({}, at::kDouble);
  const at::Tensor finite = at::where(a.isfinite(), a, zero);
  const double distance = (at::where(b.isfinite(), b, zero) - finite).abs().max().item<double>();
  const double range = finite.abs().max().item<double>();
  return distance == 0 ? 0 : distance / std::max(range, 1e-30);
}

std::string shown(double value, const char* format) {
  char text[32];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

}  // namespace

// NOLINTNEXTLINE(misc-no-recursion): the depth is that of the module's output type.
double difference(const c10::IValue& expected, const c10::IValue& found) {
  if (expected.isTensor())
    return found.isTensor() ? tensor_difference(expected.toTensor(), found.toTensor()) : kInfinite;
  double most = 0;
  if (expected.isTuple()) {
    if (!found.isTuple()) return kInfinite;
    const auto& a = expected.toTupleRef().elements();
    const auto& b = found.toTupleRef().elements();
    if (a.size() != b.size()) return kInfinite;
    for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, difference(a[i], b[i]));
    return most;
  }
  if (expected.isList()) {
    if (!found.isList() || expected.toListRef().size() != found.toListRef().size()) return kInfinite;
    const c10::List<c10::IValue> a = expected.toList();
    const c10::List<c10::IValue> b = found.toList();
    for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, difference(a.get(i), b.get(i)));
    return most;
  }
  if (expected.isGenericDict()) {
    if (!found.isGenericDict()) return kInfinite;
    const auto a = expected.toGenericDict();
    const auto b = found.toGenericDict();
    if (a.size() != b.size()) return kInfinite;
    for (const auto& item : a) {
      if (!b.contains(item.key())) return kInfinite;
      most = std::max(most, difference(item.value(), b.at(item.key())));
    }
    return most;
  }
  return expected == found ? 0 : kInfinite;
}

at::Tensor example_batch(const std::vector<std::int64_t>& sizes) {
  // A generator of its own: the host's random numbers go on as if nothing had happened.
  at::Generator generator = at::detail::createCPUGenerator(20);
  at::Tensor batch = at::randn(sizes, generator, at::TensorOptions().dtype(at::kFloat));
  if (sizes.size() != 4) return batch;
  const at::Tensor rows = at::arange(sizes[2], at::kFloat).mul_(0.07).sin_().reshape({1, 1, -1, 1});
  const at::Tensor columns = at::arange(sizes[3], at::kFloat).mul_(0.05).cos_().reshape({1, 1, 1, -1});
  return batch.mul_(0.5).add_(rows).add_(columns);
}

Winner choose(const Trial& trial) {
  const c10::InferenceMode inference;
  Winner winner;
  const auto say = [&](LogLevel level, const std::string& text) {
    if (trial.log) trial.log(level, trial.model.path() + ": " + text);
  };
  const std::vector<c10::IValue>& example = trial.request.example;
  c10::IValue expected;
  double best = 0;
  try {
    expected = trial.reference.run(example);
    best = seconds_of(trial.reference, example);
  } catch (const std::exception&) {
    return winner;  // the job's own images will say why
  }
  const double plain = best;
  for (const PlanKind* kind : trial.kinds) {
    const std::string name = std::string("plan ") + kind->name;
    try {
      std::unique_ptr<Plan> plan = kind->make(trial.model.impl().module, trial.request);
      if (!plan) {
        say(LogLevel::debug, name + " does not serve this model");
        continue;
      }
      const double apart = difference(expected, plan->run(example));
      if (apart > kTolerance) {
        say(LogLevel::info, name + " is not used: its numbers differ from " + trial.reference_kind.name + "'s by " +
                                shown(apart, "%.2g") + " of their range");
        continue;
      }
      const double seconds = seconds_of(*plan, example);
      say(LogLevel::debug, name + " takes " + shown(seconds / plain, "%.2f") + " of the time of " +
                               trial.reference_kind.name + " and differs by " + shown(apart, "%.1g"));
      if (seconds > kGain * best) continue;
      best = seconds;
      winner.kind = kind;
      winner.plan = std::move(plan);
    } catch (const std::exception& error) {
      const std::string what = error.what();
      say(LogLevel::info, name + " is not used: " + what.substr(0, what.find('\n')));
    }
  }
  return winner;
}

}  // namespace ptrun
