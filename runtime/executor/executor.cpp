#include "executor/executor.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <system_error>
#include <thread>

#include "core/apart.h"
#include "core/signals.h"
#include "core/text.h"
#include "executor/batch.h"
#include "executor/openmp.h"
#include "executor/plan.h"
#include "executor/trial.h"
#include "graph/dtype.h"
#include "graph/failure_text.h"
#include "loader/int8_ranges.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

const char* name_of(Precision precision) {
  switch (precision) {
    case Precision::fp32: return "fp32";
    case Precision::automatic: return "auto";
    case Precision::bf16: return "bf16";
    case Precision::fp16: return "fp16";
    case Precision::int8: return "int8";
  }
  return "unknown";
}

// A trial runs its example six to ten times and compiles for 0.1 to 1 s, while the job waits; a plan saves a third to
// three quarters of an image's time. On two CPUs jobs of ten networks broke even at 40 to 150 images with batch 2, at
// 100 to 320 with batch 8. The rule knows nothing of clocks and workers, so that the same job gets the same plan.
std::size_t pays_from(int trial_batch) { return 96 + 48 * static_cast<std::size_t>(trial_batch); }

// How far the numbers of a plan that --precision auto takes may be from fp32's, as a share of their range.
// MobileNetV2's published weights on 600 photographs: 1.6e-3 left every first label as it was, 1.1e-2 (bf16) changed 2
// of 100.
constexpr double kAgreement = 0.005;

// From this many images on it pays to measure what --precision auto would save.
constexpr std::size_t kToldFrom = 1000;

// Larger batches run no faster on a CPU, and a trial with them would keep the first row waiting: it is held with fewer
// images, by the kinds that serve any batch.
constexpr int kLargestTrial = 8;
constexpr int kShortTrial = 4;

std::vector<const PlanKind*> kinds_on_trial(const Model& model, const ExecutorOptions& options, bool many);

// The plan that always works, and that those on trial are held against.
const PlanKind& choose_plan(const Model& model, const ExecutorOptions& options) {
  const bool bf16 = options.precision == Precision::bf16;
  if (bf16 && options.device.kind == Device::Kind::cpu && !has_bf16()) {
    throw Error(ErrorCode::unsupported, "precision bf16",
                "this processor does not calculate in it (AVX512_BF16); use --precision fp32");
  }
  // fp32 is the precision that every device has.
  const bool on_trial = options.precision == Precision::automatic || ((bf16 || options.precision == Precision::int8) &&
                                                                      !kinds_on_trial(model, options, false).empty());
  const Precision precision = on_trial ? Precision::fp32 : options.precision;
  std::vector<std::string> precisions;
  for (const PlanKind& kind : plan_kinds()) {
    if (kind.on_trial || kind.device != options.device.kind || !kind.accepts(model.impl().module)) continue;
    if (kind.precision == precision) return kind;
    precisions.emplace_back(name_of(kind.precision));
  }
  if (precisions.empty()) {
    throw Error(ErrorCode::unsupported, model.path(),
                "runs on the CPU only, because " + why_not_cuda(model.impl().module) +
                    ", expected a model that can be moved to " + to_string(options.device) + "; use --device cpu");
  }
  throw Error(ErrorCode::unsupported, std::string("precision ") + name_of(options.precision),
              "this build has no plan for it on " + to_string(options.device) + ", there is " + join_some(precisions) +
                  "; use --precision " + precisions.front());
}

// What int8 needs to know of the model; null for other precisions.
std::shared_ptr<const Int8Ranges> int8_ranges(const Model& model, const ExecutorOptions& options) {
  if (options.precision != Precision::int8 || options.device.kind != Device::Kind::cpu) return nullptr;
  if (!has_int8()) {
    throw Error(ErrorCode::unsupported, "precision int8",
                "this processor does not calculate in it (AVX512_VNNI); use --precision fp32");
  }
  return options.ranges ? options.ranges : read_int8_ranges(model);
}

// In order of preference, the precision asked for; "auto" asks for bf16 where the processor has it, then for fp32.
std::vector<const PlanKind*> kinds_on_trial(const Model& model, const ExecutorOptions& options, bool many) {
  std::vector<const PlanKind*> kinds;
  if (options.height < 1 || options.width < 1 || model.signature().form != InputForm::batched_nchw) return kinds;
  const bool asked = options.precision == Precision::bf16 || options.precision == Precision::int8;
  if (!many && !asked) return kinds;
  const auto wanted = [&](Precision precision) {
    if (options.precision != Precision::automatic) return precision == options.precision;
    return precision != Precision::bf16 || has_bf16();
  };
  for (const PlanKind& kind : plan_kinds()) {
    const bool serves = kind.on_trial && kind.device == options.device.kind && wanted(kind.precision);
    if (serves && kind.accepts(model.impl().module)) kinds.push_back(&kind);
  }
  std::stable_partition(kinds.begin(), kinds.end(),
                        [](const PlanKind* kind) { return kind->precision != Precision::fp32; });
  // The last is made fastest.
  if (!many && options.precision != Precision::int8) std::reverse(kinds.begin(), kinds.end());
  return kinds;
}

// The batch size that the module allows nearest to the one asked for.
int allowed_batch_size(const Model& model, int asked) {
  if (asked < 1) {
    throw Error(ErrorCode::invalid_argument, "batch size " + std::to_string(asked), "expected at least 1");
  }
  const Signature& signature = model.signature();
  if (!signature.batchable) return 1;
  if (signature.form != InputForm::batched_nchw || signature.inputs.empty()) return asked;
  const auto& dimensions = signature.inputs.front().dimensions;
  if (dimensions.empty()) return asked;
  const Dimension& batch = dimensions.front();
  if (batch.size > 0) return static_cast<int>(batch.size);
  std::int64_t size = std::max<std::int64_t>(asked, batch.minimum);
  size = (size + batch.multiple - 1) / batch.multiple * batch.multiple;
  if (batch.maximum > 0) size = std::min(size, batch.maximum / batch.multiple * batch.multiple);
  return static_cast<int>(size);
}

// The images of the example that plans are tried with.
int trial_batch(const Model& model, int batch_size, const ExecutorOptions& options) {
  const int few = allowed_batch_size(model, batch_size > kLargestTrial ? kShortTrial : batch_size);
  const auto& problem = model.impl().input_problem;
  const bool taken = !problem || problem({few, 3, options.height, options.width}).empty();
  return taken ? std::min(few, batch_size) : batch_size;
}

std::string shape_text(const at::Tensor& tensor) {
  std::string text = "[";
  for (const std::int64_t size : tensor.sizes()) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

// Runs `work`; LibTorch's exceptions become `model_failed` naming the model.
template <typename Work>
auto translated(const Model& model, const std::string& what, const Work& work) {
  try {
    return work();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(ErrorCode::model_failed, model.path(), what + jit::failure_text(error));
  }
}

}  // namespace

struct Executor::Impl {
  Model model;
  const PlanKind* kind = nullptr;
  int batch_size = 1;
  std::unique_ptr<Plan> plan;                // of `kind`
  std::shared_ptr<const Int8Ranges> ranges;  // for int8
  // Decided on a thread of its own while the first images are decoded; invalid when nothing is on trial.
  std::vector<std::int64_t> trial_shape;  // of the batches that the winner serves
  int trial_batch = 1;                    // images of the example
  std::shared_future<Winner> winner;
  std::atomic<bool> stopped{false};
  std::thread trial;

  explicit Impl(const Model& given) : model(given) {}
  ~Impl() {
    stopped = true;
    if (trial.joinable()) trial.join();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // The plan on trial serves the shape it was checked with, and nothing else.
  const Plan& plan_for(const at::Tensor& batch) const {
    if (!winner.valid() || batch.sizes() != at::IntArrayRef(trial_shape)) return *plan;
    const Winner& chosen = winner.get();
    return chosen.plan ? *chosen.plan : *plan;
  }

  bool many(const ExecutorOptions& options) const { return options.images >= pays_from(trial_batch); }

  void start_trial(const ExecutorOptions& options, std::vector<const PlanKind*> kinds) {
    trial_shape = {batch_size, 3, options.height, options.width};
    auto decided = std::make_shared<std::promise<Winner>>();
    winner = decided->get_future().share();
    try {
      trial = std::thread([this, options, kinds = std::move(kinds), decided] {
        leave_signals_to_the_host();
        set_own_openmp_threads(options.threads);
        decided->set_value(decide(options, kinds));
        if (options.images >= kToldFrom) compare_others(options);
      });
    } catch (const std::system_error&) {
      winner = {};  // no thread to be had
    }
  }

  Trial trial_of(const ExecutorOptions& options, std::vector<const PlanKind*> kinds) const {
    std::vector<std::int64_t> shape = trial_shape;
    shape.front() = trial_batch;
    Trial made{model, *kind, *plan, std::move(kinds), {options.device, {typed(example_batch(shape))}}, options.log};
    made.request.any_batch = trial_batch != batch_size;
    made.request.ranges = ranges;
    made.stopped = &stopped;
    return made;
  }

  Winner decide(const ExecutorOptions& options, const std::vector<const PlanKind*>& kinds) const {
    try {
      Trial plans = trial_of(options, kinds);
      const bool asked = options.precision == Precision::bf16 || options.precision == Precision::int8;
      if (asked) {
        // Asked for, so it need not win, and may be as far off as bfloat16 takes networks that round badly (PyTorch's
        // own too); wrong kernels are further off. Few images do not pay for trying another one.
        plans.limit = Trial::kAnyTime;
        plans.leeway = options.precision == Precision::bf16 ? 3 : 1;
        // Whether bfloat16 or float32 between bytes is faster depends on the network.
        if (options.precision == Precision::int8) plans.enough = 0;
        if (!many(options)) plans.enough = Trial::kAnyTime;
      }
      if (options.precision == Precision::automatic) plans.agreement = kAgreement;
      Winner chosen = choose(std::move(plans));
      if (!chosen.plan && asked && options.log && !stopped) {
        const std::string precision = name_of(options.precision);
        options.log(LogLevel::warning, model.path() + ": runs in fp32, no " + precision + " plan gives its numbers");
      }
      return chosen;
    } catch (const std::exception&) {
      return {};  // not even memory for an example
    }
  }

  // What fp32 and int8 could gain by --precision auto: of each precision that it would try, the first kind, held to
  // what it holds them to.
  void compare_others(const ExecutorOptions& options) const {
    const bool fp32 = options.precision == Precision::fp32;
    if (!options.log || (!fp32 && options.precision != Precision::int8)) return;
    ExecutorOptions other = options;
    other.precision = Precision::automatic;
    std::vector<const PlanKind*> kinds;
    for (const PlanKind* next : kinds_on_trial(model, other, true)) {
      const bool known = std::any_of(kinds.begin(), kinds.end(),
                                     [&](const PlanKind* one) { return one->precision == next->precision; });
      if (!known && !(fp32 && next->precision == Precision::fp32)) kinds.push_back(next);
    }
    if (kinds.empty()) return;
    try {
      Trial others = trial_of(other, std::move(kinds));
      others.agreement = kAgreement;
      const Winner& chosen = winner.get();
      tell_gain(std::move(others), chosen.plan ? *chosen.plan : *plan);
    } catch (const std::exception&) {
      return;  // a hint is worth no failure
    }
  }

  c10::IValue call(const Plan& chosen, std::vector<c10::IValue> inputs) const {
    return translated(model, "the model failed: ", [&] { return chosen.run(std::move(inputs)); });
  }

  [[noreturn]] void refuse(const std::string& problem) const {
    throw Error(ErrorCode::invalid_argument, model.path(), problem);
  }

  void require_form(InputForm form, const char* method) const {
    if (model.signature().form != form) {
      refuse(std::string("the model takes its images in another form than Executor::") + method + " gives");
    }
  }

  void check_batch(const at::Tensor& batch) const {
    require_form(InputForm::batched_nchw, "run");
    if (batch.dim() != 4 || batch.scalar_type() != at::kFloat || !batch.device().is_cpu()) {
      refuse("the batch has shape " + shape_text(batch) + ", expected [N, C, H, W] of float32 on the CPU");
    }
    if (batch.size(0) < 1 || batch.size(0) > batch_size) {
      refuse("the batch has " + std::to_string(batch.size(0)) + " images, expected 1 to " + std::to_string(batch_size));
    }
    const auto& inputs = model.signature().inputs;
    if (inputs.empty() || inputs.front().dimensions.size() != 4) return;
    for (std::size_t i = 1; i < 4; ++i) {
      const Dimension& expected = inputs.front().dimensions[i];
      const std::int64_t size = batch.size(static_cast<std::int64_t>(i));
      const bool fits = expected.size > 0
                            ? size == expected.size
                            : size >= expected.minimum && (expected.maximum < 0 || size <= expected.maximum);
      if (fits) continue;
      refuse("the batch has shape " + shape_text(batch) + ", but the model takes " +
             (expected.size > 0 ? std::to_string(expected.size)
                                : std::to_string(expected.minimum) + " to " + std::to_string(expected.maximum)) +
             " in dimension " + std::to_string(i) + "; set --input-size");
    }
    if (!model.impl().input_problem) return;
    std::vector<std::int64_t> shape = batch.sizes().vec();
    shape[0] = batch_size;  // after padding
    const std::string problem = model.impl().input_problem(shape);
    if (!problem.empty()) refuse("the batch " + problem + "; set --input-size or --batch-size");
  }

  // The input in the element type that the module takes.
  at::Tensor typed(const at::Tensor& input) const {
    const auto& inputs = model.signature().inputs;
    const auto type = inputs.empty() ? std::nullopt : scalar_type(inputs.front().dtype);
    return type && *type != input.scalar_type() ? input.to(*type) : input;
  }
};

Executor::Executor(const Model& model, const ExecutorOptions& options) {
  std::shared_ptr<const Int8Ranges> ranges = int8_ranges(model, options);
  const PlanKind& kind = choose_plan(model, options);
  const int batch_size = allowed_batch_size(model, options.batch_size);
  impl_ = std::make_unique<Impl>(model);
  impl_->kind = &kind;
  impl_->ranges = std::move(ranges);
  impl_->batch_size = batch_size;
  impl_->plan = translated(model, std::string("cannot be prepared for plan ") + kind.name + ": ", [&] {
    return apart([&] { return kind.make(model.impl().module, {options.device, {}}); });
  });
  if (options.log && batch_size != options.batch_size) {
    options.log(LogLevel::info, model.path() + ": runs at batch size " + std::to_string(batch_size) +
                                    ", which the model is fixed to, instead of " + std::to_string(options.batch_size));
  }
  impl_->trial_batch = trial_batch(model, batch_size, options);
  std::vector<const PlanKind*> kinds = kinds_on_trial(model, options, impl_->many(options));
  if (!kinds.empty()) impl_->start_trial(options, std::move(kinds));
}

Executor::~Executor() = default;

const char* Executor::plan_name() const noexcept {
  if (!impl_->winner.valid()) return impl_->kind->name;
  const Winner& chosen = impl_->winner.get();
  return chosen.kind != nullptr ? chosen.kind->name : impl_->kind->name;
}
int Executor::batch_size() const noexcept { return impl_->batch_size; }

c10::IValue Executor::run(const at::Tensor& batch) const {
  impl_->check_batch(batch);
  const std::int64_t count = batch.size(0);
  const at::Tensor padded = pad_batch(impl_->typed(batch), impl_->batch_size);
  return cut_batch(impl_->call(impl_->plan_for(padded), {padded}), impl_->batch_size, count);
}

c10::IValue Executor::run_list(const std::vector<at::Tensor>& images) const {
  impl_->require_form(InputForm::list_chw, "run_list");
  if (images.empty()) impl_->refuse("the list holds no images, expected at least 1");
  c10::List<at::Tensor> list;
  for (const at::Tensor& image : images) {
    if (image.dim() != 3 || image.scalar_type() != at::kFloat || !image.device().is_cpu()) {
      impl_->refuse("an image has shape " + shape_text(image) + ", expected [C, H, W] of float32 on the CPU");
    }
    list.push_back(impl_->typed(image));
  }
  return impl_->call(*impl_->plan, {list});
}

}  // namespace ptrun
