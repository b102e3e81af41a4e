#include "loader/probe.h"

#include <ATen/ATen.h>
#include <ATen/core/ivalue.h>
#include <c10/core/InferenceMode.h>

#include <memory>
#include <optional>
#include <regex>

#include "core/text.h"
#include "graph/jit_api.h"
#include "graph/trial_guard.h"

namespace ptrun {
namespace {

void add_shapes(const c10::IValue& value, std::vector<std::vector<std::int64_t>>& shapes) {
  if (value.isTensor()) shapes.push_back(value.toTensor().sizes().vec());
  if (!value.isTuple()) return;
  for (const c10::IValue& item : value.toTupleRef().elements()) add_shapes(item, shapes);
}

// LibTorch puts the reason last and frames of its interpreter before it.
std::string reason_of(const std::exception& error) {
  std::string text = error.what();
  text.resize(std::min(text.find("\nException raised from"), text.size()));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  const std::size_t line = text.rfind('\n');
  return printable(std::string_view(text).substr(line == std::string::npos ? 0 : line + 1), 300);
}

class Prober {
 public:
  Prober(const GraphModule& module, std::int64_t channels) : module_(module), channels_(channels) {}

  bool run(int height, int width) {
    const jit::TrialGuard guard(limits_);
    try {
      if (!program_) program_ = std::make_unique<jit::Program>(module_.graph);
      const at::Tensor image = at::full({1, channels_, height, width}, 0.5, at::kFloat);
      add_shapes(program_->run({image}), result.outputs);
      result.ran = true;
      result.height = height;
      result.width = width;
      return true;
    } catch (const std::exception& error) {
      if (guard.too_large() || guard.too_long()) return over_limit(guard.too_large(), height, width);
      failure_ = reason_of(error);
      if (result.failure.empty()) result.failure = failure_;
      result.outputs.clear();
      return false;
    }
  }

  // The first run that met the limit of memory is repeated with less, then with more memory. False when none ended.
  bool retry() {
    if (!too_large_ || out_of_time_) return false;
    const auto [height, width] = *too_large_;
    too_large_.reset();
    for (const int small : {32, 64}) {
      if (run(small, small)) return true;
      if (too_large_ || out_of_time_) return false;
    }
    limits_.bytes = 1ULL << 30U;
    return run(height, width);
  }

  // A network that flattens its features into a linear layer fits one size: the more pixels, the more features. A size
  // that gives too few of them is followed by larger ones.
  bool search() {
    int low = 1;
    int high = 1025;
    while (low < high) {
      const int middle = low + (high - low) / 2;
      if (run(middle, middle)) return true;
      if (met_limit()) return false;
      const std::optional<bool> more = too_few();
      // A size too small for the kernels fails in other words.
      if (more.value_or(true)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return false;
  }

  // What at::linear said: "mat1 and mat2 shapes cannot be multiplied (1xFOUND and WANTEDxCLASSES)".
  std::optional<bool> too_few() const {
    static const std::regex kMessage(R"(cannot be multiplied \(1x(\d{1,12}) and (\d{1,12})x\d+\))");
    std::smatch match;
    if (!std::regex_search(failure_, match, kMessage)) return std::nullopt;
    return std::stoll(match[1]) < std::stoll(match[2]);
  }

  bool met_limit() const { return too_large_ || out_of_time_; }

  ProbeResult result;

 private:
  bool over_limit(bool memory, int height, int width) {
    if (memory) {
      too_large_ = {height, width};
    } else {
      out_of_time_ = true;
    }
    result.over_limit = true;
    result.failure = "its layers take more than " +
                     (memory ? human_bytes(limits_.bytes)
                             : std::to_string(static_cast<int>(limits_.seconds)) + " s of processor time") +
                     " for one image of " + std::to_string(height) + " x " + std::to_string(width) + " pixels";
    result.outputs.clear();
    return false;
  }

  const GraphModule& module_;
  std::int64_t channels_;
  std::unique_ptr<jit::Program> program_;
  std::string failure_;
  jit::TrialLimits limits_;
  std::optional<std::pair<int, int>> too_large_;  // height and width of the last run that met the limit of memory
  bool out_of_time_ = false;
};

}  // namespace

ProbeResult probe_graph(const GraphModule& module, std::int64_t channels, int height, int width) {
  constexpr int kUsual = 224;
  const c10::InferenceMode guard;
  Prober prober(module, channels);
  const bool asked = height > 0 && width > 0;
  if (prober.run(asked ? height : kUsual, asked ? width : kUsual)) return prober.result;
  if (prober.met_limit()) {
    if (prober.retry()) prober.result.over_limit = false;
    return prober.result;
  }
  if (asked) return prober.result;
  const bool linear = prober.too_few().has_value();
  prober.result.fixed_size = true;
  for (const int size : {32, 28, 64, 96, 128, 256, 299, 384, 512, 640}) {
    if (prober.run(size, size)) return prober.result;
    if (prober.met_limit()) return prober.result;
  }
  if (linear) prober.search();
  return prober.result;
}

}  // namespace ptrun
