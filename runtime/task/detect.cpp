// Boxes from one tensor a batch, in one of the forms that the rules of models/modules name:
//   cells    [N, 4 + classes, A]   centre, width and height in pixels of the input, a probability a class (ultralytics)
//   anchors  [N, A, 5 + classes]   the same with objectness before the classes (YOLOv5)
//   best     [N, K, 6]             corners, score, class, best first, without duplicates (end-to-end heads)
// The first two go through non-maximum suppression class by class, as ultralytics' predict does it.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ptrun/error.h"
#include "task/heads.h"

namespace ptrun {
namespace {

enum class Form { cells, anchors, best };

struct Box {
  float x1, y1, x2, y2;
  float score;
  int index;
};

// Boxes of different classes are moved apart by this many pixels, so that one suppression serves all classes.
constexpr float kClassOffset = 7680.0F;
constexpr std::size_t kMostCandidates = 30'000;  // suppression takes time in the square of them

float overlap(const Box& a, const Box& b) {
  const float width = std::max(std::min(a.x2, b.x2) - std::max(a.x1, b.x1), 0.0F);
  const float height = std::max(std::min(a.y2, b.y2) - std::max(a.y1, b.y1), 0.0F);
  const float both = width * height;
  return both / ((a.x2 - a.x1) * (a.y2 - a.y1) + (b.x2 - b.x1) * (b.y2 - b.y1) - both);
}

class Detect : public TaskHead {
 public:
  Detect(const Model& model, const PredictOptions& options)
      : model_(model),
        confidence_(options.confidence),
        iou_(options.iou),
        most_(static_cast<std::size_t>(std::max(options.max_detections, 0))) {
    const std::string& name = model.signature().output.spec.name;
    if (name == "cells") {
      form_ = Form::cells;
    } else if (name == "anchors") {
      form_ = Form::anchors;
    } else if (name == "best") {
      form_ = Form::best;
    } else {
      throw Error(ErrorCode::unsupported, model.path(),
                  "its boxes are in a form that ptrun does not know; --task tensors gives the raw outputs");
    }
  }

  void read(const c10::IValue& output, std::vector<Outcome>& outcomes) const override {
    if (!output.isTensor()) refuse("a " + output.tagKind());
    const at::Tensor tensor = output.toTensor().to(at::kCPU, at::kFloat);
    const bool fits = tensor.dim() == 3 && tensor.size(0) == static_cast<std::int64_t>(outcomes.size());
    if (!fits) refuse("a tensor of shape " + shape_text(tensor.sizes().vec()));
    const at::Tensor rows = (form_ == Form::cells ? tensor.transpose(1, 2) : tensor).contiguous();
    const std::int64_t least = form_ == Form::cells ? 5 : 6;
    if (rows.size(2) < least) refuse("a tensor of shape " + shape_text(tensor.sizes().vec()));
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (outcomes[i].ok()) read_one(rows[static_cast<std::int64_t>(i)], outcomes[i]);
    }
  }

 private:
  [[noreturn]] void refuse(const std::string& found) const {
    throw Error(ErrorCode::model_failed, model_.path(),
                "returned " + found + ", expected boxes of a detector; use --task tensors to see the raw outputs");
  }

  // One row of the tensor; nothing below the confidence.
  std::optional<Box> box_of(const float* row, std::int64_t numbers) const {
    if (form_ == Form::best) {
      if (!(row[4] > confidence_)) return std::nullopt;
      return Box{row[0], row[1], row[2], row[3], row[4], static_cast<int>(row[5])};
    }
    const std::int64_t first = form_ == Form::anchors ? 5 : 4;
    const float objectness = form_ == Form::anchors ? row[4] : 1.0F;
    if (form_ == Form::anchors && !(objectness > confidence_)) return std::nullopt;
    const float* best = std::max_element(row + first, row + numbers);
    const float score = *best * objectness;
    if (!(score > confidence_)) return std::nullopt;
    const float half_width = row[2] / 2.0F;
    const float half_height = row[3] / 2.0F;
    return Box{row[0] - half_width,
               row[1] - half_height,
               row[0] + half_width,
               row[1] + half_height,
               score,
               static_cast<int>(best - row - first)};
  }

  std::vector<Box> suppressed(const std::vector<Box>& boxes) const {
    std::vector<Box> moved = boxes;
    for (Box& box : moved) {
      const float offset = static_cast<float>(box.index) * kClassOffset;
      for (float* side : {&box.x1, &box.y1, &box.x2, &box.y2}) *side += offset;
    }
    std::vector<Box> kept;
    std::vector<std::size_t> kept_at;
    for (std::size_t i = 0; i < moved.size() && kept.size() < most_; ++i) {
      const bool covered = std::any_of(kept_at.begin(), kept_at.end(),
                                       [&](std::size_t at) { return overlap(moved[at], moved[i]) > iou_; });
      if (covered) continue;
      kept.push_back(boxes[i]);
      kept_at.push_back(i);
    }
    return kept;
  }

  void read_one(const at::Tensor& rows, Outcome& outcome) const {
    if (!at::isfinite(rows).all().item<bool>()) {
      fail_image(outcome, model_.path() +
                              ": returned NaN or infinite boxes or scores for this image, expected finite "
                              "numbers; the weights or the preprocessing do not fit");
      return;
    }
    const std::int64_t numbers = rows.size(1);
    const auto* data = rows.const_data_ptr<float>();
    std::vector<Box> boxes;
    for (std::int64_t i = 0; i < rows.size(0); ++i) {
      if (const auto box = box_of(data + i * numbers, numbers)) boxes.push_back(*box);
    }
    if (form_ != Form::best) {
      std::stable_sort(boxes.begin(), boxes.end(), [](const Box& a, const Box& b) { return a.score > b.score; });
      if (boxes.size() > kMostCandidates) boxes.resize(kMostCandidates);
      boxes = suppressed(boxes);
    }
    if (boxes.size() > most_) boxes.resize(most_);
    Prediction& prediction = *outcome.prediction;
    prediction.task = Task::detect;
    prediction.detections.clear();
    for (const Box& box : boxes) prediction.detections.push_back(original(box, prediction.geometry));
  }

  // Back to pixels of the original, cut at its borders.
  Detection original(const Box& box, const Geometry& geometry) const {
    const auto back = [](float value, double offset, double scale, int size) {
      const float moved = (value - static_cast<float>(offset)) / static_cast<float>(scale);
      return std::clamp(moved, 0.0F, static_cast<float>(size));
    };
    Detection detection;
    detection.index = box.index;
    const std::vector<std::string>& names = model_.labels().names;
    if (box.index >= 0 && static_cast<std::size_t>(box.index) < names.size()) {
      detection.label = names[static_cast<std::size_t>(box.index)];
    }
    detection.score = box.score;
    detection.x1 = back(box.x1, geometry.offset_x, geometry.scale_x, geometry.original_width);
    detection.y1 = back(box.y1, geometry.offset_y, geometry.scale_y, geometry.original_height);
    detection.x2 = back(box.x2, geometry.offset_x, geometry.scale_x, geometry.original_width);
    detection.y2 = back(box.y2, geometry.offset_y, geometry.scale_y, geometry.original_height);
    return detection;
  }

  Model model_;
  Form form_ = Form::cells;
  float confidence_;
  float iou_;
  std::size_t most_;
};

}  // namespace

std::unique_ptr<TaskHead> make_detect(const Model& model, const PredictOptions& options) {
  return std::make_unique<Detect>(model, options);
}

}  // namespace ptrun
