// Scores of classes from logits [N, classes].
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ptrun/error.h"
#include "task/heads.h"

namespace ptrun {
namespace {

// One row of scores in place. softmax as torch.nn.functional.softmax: the maximum is taken off first.
void activate(std::vector<float>& scores, Activation activation) {
  if (activation == Activation::none) return;
  if (activation == Activation::sigmoid) {
    for (float& score : scores) score = 1.0F / (1.0F + std::exp(-score));
    return;
  }
  const float highest = *std::max_element(scores.begin(), scores.end());
  double sum = 0.0;
  for (float& score : scores) {
    score = std::exp(score - highest);
    sum += score;
  }
  for (float& score : scores) score = static_cast<float>(score / sum);
}

class Classify : public TaskHead {
 public:
  Classify(const Model& model, const PredictOptions& options)
      : model_(model),
        activation_(options.activation == Activation::automatic ? Activation::softmax : options.activation),
        topk_(static_cast<std::size_t>(std::max(options.topk, 0))) {
    if (options.topk < 1) {
      throw Error(ErrorCode::invalid_argument, "topk " + std::to_string(options.topk), "expected at least 1");
    }
  }

  void read(const c10::IValue& output, std::vector<Outcome>& outcomes) const override {
    const at::Tensor logits = checked(output, outcomes.size());
    const auto classes = static_cast<std::size_t>(logits.size(1));
    const float* row = logits.const_data_ptr<float>();
    std::vector<float> scores(classes);
    for (Outcome& outcome : outcomes) {
      std::copy_n(row, classes, scores.begin());
      row += classes;
      if (outcome.ok()) read_one(scores, outcome);
    }
  }

 private:
  [[noreturn]] void refuse(const std::string& found) const {
    throw Error(ErrorCode::model_failed, model_.path(),
                "returned " + found +
                    ", expected scores [images, classes] of a classifier; use --task tensors to see the raw outputs");
  }

  // The scores as contiguous float32 [N, classes] on the CPU.
  at::Tensor checked(const c10::IValue& output, std::size_t images) const {
    if (!output.isTensor()) refuse("a " + output.tagKind());
    at::Tensor logits = output.toTensor();
    // Global pooling without flatten leaves [N, classes, 1, 1].
    while (logits.dim() > 2 && logits.size(-1) == 1) logits = logits.squeeze(-1);
    if (logits.dim() != 2 || logits.size(0) != static_cast<std::int64_t>(images) || logits.size(1) < 1 ||
        !logits.is_floating_point()) {
      refuse("a tensor of shape " + shape_text(output.toTensor().sizes().vec()));
    }
    return logits.to(at::kCPU, at::kFloat).contiguous();
  }

  void read_one(std::vector<float>& scores, Outcome& outcome) const {
    if (!std::all_of(scores.begin(), scores.end(), [](float score) { return std::isfinite(score); })) {
      fail_image(outcome, model_.path() +
                              ": returned NaN or infinite scores for this image, expected finite numbers; the weights "
                              "or the preprocessing do not fit");
      return;
    }
    std::vector<int> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    const std::size_t count = std::min(topk_, scores.size());
    // Ranked by logits: probabilities can round to equal numbers where the logits still differ.
    const auto better = [&](int a, int b) {
      const float left = scores[static_cast<std::size_t>(a)];
      const float right = scores[static_cast<std::size_t>(b)];
      return left > right || (left == right && a < b);
    };
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(), better);
    activate(scores, activation_);
    Prediction& prediction = *outcome.prediction;
    prediction.task = Task::classify;
    prediction.logits = activation_ == Activation::none;
    prediction.classes.clear();
    const std::vector<std::string>& names = model_.labels().names;
    for (std::size_t i = 0; i < count; ++i) {
      const auto index = static_cast<std::size_t>(order[i]);
      prediction.classes.push_back({order[i], index < names.size() ? names[index] : std::string(), scores[index]});
    }
  }

  Model model_;
  Activation activation_;
  std::size_t topk_;
};

}  // namespace

std::unique_ptr<TaskHead> make_classify(const Model& model, const PredictOptions& options) {
  return std::make_unique<Classify>(model, options);
}

}  // namespace ptrun
