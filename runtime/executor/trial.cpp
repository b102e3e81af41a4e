#include "executor/trial.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/InferenceMode.h>

#include <cmath>
#include <cstdio>
#include <ctime>
#include <limits>
#include <utility>

#include "executor/folded.h"

namespace ptrun {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

// The share of a chosen plan's time that another one may take to be chosen instead.
constexpr double kDisplaces = 0.75;
// A time above this one is measured once.
constexpr double kLongEnough = 0.1;
// Of a network that takes longer than this, trying a further plan takes seconds, and saving less ends the search.
constexpr double kSlow = 0.25;
constexpr double kEnoughOfSlow = 0.85;

// bfloat16 rounds alike in every plan (ViT-B/16: 1.5, 1.4 and 1.4 % of the range): so far beyond what is wanted, no
// other one is tried.
constexpr double kFarOff = 1.5;

double enough_of(const Trial& trial, double reference_seconds) {
  return reference_seconds > kSlow && trial.enough > 0 ? std::max(trial.enough, kEnoughOfSlow) : trial.enough;
}

double seconds_of_run(const Plan& plan, const Trial& trial) {
  const double start = trial.seconds();
  plan.run(trial.request.example);
  return trial.seconds() - start;
}

// Of a plan that has run before: first runs take longer, by half with large batches. The better time of two where one
// is short enough to be chance.
double seconds_of(const Plan& plan, const Trial& trial) {
  const double first = seconds_of_run(plan, trial);
  return first > kLongEnough ? first : std::min(first, seconds_of_run(plan, trial));
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

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double tolerance(Precision precision) {
  // Folding and fusing reorder sums. bfloat16 has 8 binary digits; published networks lose 0.5 to 2 % of the range.
  if (precision == Precision::bf16) return 0.05;
  // Bytes have fewer, and their ranges are those of photos, not of a made-up batch: this only tells wrong kernels.
  if (precision == Precision::int8) return 0.5;
  return precision == Precision::automatic ? 0.005 : 1e-4;
}

bool has_bf16() {
#ifdef __x86_64__
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

bool has_int8() {
#ifdef __x86_64__
  return __builtin_cpu_supports("avx512vnni") != 0;
#else
  return false;
#endif
}

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

namespace {

// The example through one plan after the other.
class Comparison {
 public:
  explicit Comparison(Trial& trial) : trial_(trial) {}

  // False when the reference fails on the example; the job's own images will then say why.
  bool measure_reference() {
    const std::vector<c10::IValue>& example = trial_.request.example;
    try {
      expected_ = trial_.reference.run(example);
      seconds_ = seconds_of(trial_.reference, trial_);
      const auto* graph = std::get_if<GraphModule>(&trial_.model.impl().module);
      if (graph == nullptr || stopped()) return false;
      trial_.request.folded = std::make_shared<const Folded>(fold_for(*graph, example, !trial_.request.any_batch));
      return true;
    } catch (const std::exception& error) {
      say(LogLevel::debug, std::string("no plan is tried: ") + error.what());
      return false;
    }
  }

  double reference_seconds() const { return seconds_; }
  bool stopped() const { return trial_.stopped != nullptr && *trial_.stopped; }

  struct Result {
    std::unique_ptr<Plan> plan;  // null: it cannot be used
    double seconds = kInfinite;
    double apart = kInfinite;
  };

  Result measure(const PlanKind& kind) {
    Result result;
    const std::string name = std::string("plan ") + kind.name;
    try {
      std::unique_ptr<Plan> plan = kind.make(trial_.model.impl().module, trial_.request);
      if (!plan) {
        say(LogLevel::debug, name + " does not serve this model");
        return result;
      }
      result.apart = difference(expected_, plan->run(trial_.request.example));
      if (result.apart > std::min(trial_.leeway * tolerance(kind.precision), trial_.agreement)) {
        say(LogLevel::info, name + " is not used: its numbers differ from " + trial_.reference_kind.name + "'s by " +
                                shown(result.apart, "%.2g") + " of their range");
        return result;
      }
      result.seconds = seconds_of(*plan, trial_);
      // A neighbour on the machine can double a time, the reference's too: what does not win clearly is timed again,
      // one after the other.
      if (result.seconds > enough_of(trial_, seconds_) * seconds_) {
        seconds_ = std::min(seconds_, seconds_of_run(trial_.reference, trial_));
        result.seconds = std::min(result.seconds, seconds_of_run(*plan, trial_));
      }
      say(LogLevel::debug, name + " takes " + shown(result.seconds / seconds_, "%.2f") + " of the time of " +
                               trial_.reference_kind.name + " and differs by " + shown(result.apart, "%.1g"));
      result.plan = std::move(plan);
    } catch (const std::exception& error) {
      const std::string what = error.what();
      say(LogLevel::info, name + " is not used: " + what.substr(0, what.find('\n')));
    }
    return result;
  }

  void say(LogLevel level, const std::string& text) const {
    if (trial_.log) trial_.log(level, trial_.model.path() + ": " + text);
  }

 private:
  Trial& trial_;
  c10::IValue expected_;
  double seconds_ = 0;
};

}  // namespace

Winner choose(Trial trial) {
  const c10::InferenceMode inference;
  Winner winner;
  Comparison comparison(trial);
  if (!comparison.measure_reference()) return winner;
  double displaced_by = Trial::kAnyTime;
  bool rounds_badly = false;
  for (const PlanKind* kind : trial.kinds) {
    if (comparison.stopped()) break;
    if (rounds_badly && kind->precision == Precision::bf16) continue;
    Comparison::Result result = comparison.measure(*kind);
    if (kind->precision == Precision::bf16 && std::isfinite(result.apart)) {
      rounds_badly = result.apart > kFarOff * trial.agreement;
    }
    const double limit = std::min(trial.limit * comparison.reference_seconds(), displaced_by);
    if (!result.plan || result.seconds > limit) continue;
    winner.kind = kind;
    winner.plan = std::move(result.plan);
    const double reference = comparison.reference_seconds();
    if (result.seconds < enough_of(trial, reference) * reference) break;
    displaced_by = kDisplaces * result.seconds;
  }
  return winner;
}

void tell_gain(Trial trial, const Plan& used) {
  const c10::InferenceMode inference;
  Comparison comparison(trial);
  try {
    const double now = seconds_of(used, trial);
    if (!comparison.measure_reference()) return;
    Comparison::Result best;
    const char* name = "";
    for (const PlanKind* kind : trial.kinds) {
      Comparison::Result result = comparison.measure(*kind);
      if (!result.plan || result.seconds >= best.seconds) continue;
      best = std::move(result);
      name = kind->name;
    }
    if (!best.plan || best.seconds > 0.8 * now) return;
    comparison.say(LogLevel::warning, "--precision auto would take " + shown(best.seconds / now, "%.2f") +
                                          " of the model's time here (" + name + "; its numbers differ by " +
                                          shown(100 * best.apart, "%.1g") + " % of their range)");
  } catch (const std::exception&) {
    return;  // a hint is worth no failure
  }
}

}  // namespace ptrun
