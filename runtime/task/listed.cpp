// Detectors that take a list of images of any sizes and return a dict for each, as torchvision's do:
//   boxes [K, 4] corners in pixels of the image, labels [K] int64, scores [K], best first, suppressed already;
//   masks [K, 1, H, W], a probability a pixel of the image; keypoints [K, points, 3] x, y, visible, with
//   keypoints_scores [K, points]
#include <ATen/ATen.h>

#include <algorithm>
#include <optional>

#include "ptrun/error.h"
#include "task/heads.h"
#include "task/masks.h"

namespace ptrun {
namespace {

constexpr float kInside = 0.5F;  // of a mask's probability, as torchvision's examples cut it

using Entry = c10::Dict<c10::IValue, c10::IValue>;

class Listed : public TaskHead {
 public:
  Listed(const Model& model, const PredictOptions& options)
      : model_(model),
        task_(model.task()),
        confidence_(options.confidence),
        most_(std::max(options.max_detections, 0)) {}

  void read(const c10::IValue& output, std::vector<Outcome>& outcomes) const override {
    const c10::List<c10::IValue> entries = image_entries(model_, output, outcomes.size());
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (!outcomes[i].ok()) continue;
      const c10::IValue entry = entries.get(i);
      if (!entry.isGenericDict()) refuse("a " + entry.tagKind() + " for an image");
      read_one(entry.toGenericDict(), outcomes[i]);
    }
  }

 private:
  [[noreturn]] void refuse(const std::string& found) const {
    throw Error(ErrorCode::model_failed, model_.path(),
                "returned " + found + ", expected boxes [K, 4], labels [K] and scores [K] of a detector" +
                    (task_ == Task::segment     ? " with masks [K, 1, height, width]"
                     : task_ == Task::keypoints ? " with keypoints [K, points, 3]"
                                                : "") +
                    "; use --task tensors to see the raw outputs");
  }

  // Tensor `name` of `rank` dimensions with `count` rows (-1: any), on the CPU.
  at::Tensor tensor(const Entry& entry, const char* name, std::int64_t rank, std::int64_t count,
                    at::ScalarType type) const {
    const c10::IValue key{std::string(name)};
    if (!entry.contains(key) || !entry.at(key).isTensor()) refuse(std::string("no ") + name);
    const at::Tensor found = entry.at(key).toTensor().to(at::kCPU, type).contiguous();
    if (found.dim() != rank || (count >= 0 && found.size(0) != count)) {
      refuse(std::string(name) + " of shape " + shape_text(found.sizes().vec()));
    }
    return found;
  }

  void read_one(const Entry& entry, Outcome& outcome) const {
    const at::Tensor scores = tensor(entry, "scores", 1, -1, at::kFloat);
    const std::int64_t count = scores.size(0);
    const at::Tensor boxes = tensor(entry, "boxes", 2, count, at::kFloat);
    const at::Tensor labels = tensor(entry, "labels", 1, count, at::kLong);
    if (boxes.size(1) != 4) refuse("boxes of shape " + shape_text(boxes.sizes().vec()));
    at::Tensor masks;
    at::Tensor points;
    at::Tensor point_scores;
    Prediction& prediction = *outcome.prediction;
    if (task_ == Task::segment) {
      masks = tensor(entry, "masks", 4, count, at::kFloat);
      if (masks.size(1) != 1 || masks.size(2) != prediction.geometry.original_height ||
          masks.size(3) != prediction.geometry.original_width) {
        refuse("masks of shape " + shape_text(masks.sizes().vec()));
      }
    } else if (task_ == Task::keypoints) {
      points = tensor(entry, "keypoints", 3, count, at::kFloat);
      point_scores = tensor(entry, "keypoints_scores", 2, count, at::kFloat);
      if (points.size(2) != 3 || point_scores.size(1) != points.size(1)) {
        refuse("keypoints of shape " + shape_text(points.sizes().vec()));
      }
    }
    for (const at::Tensor& numbers : {scores, boxes, masks, points, point_scores}) {
      if (!numbers.defined() || at::isfinite(numbers).all().item<bool>()) continue;
      fail_image(outcome, model_.path() +
                              ": returned NaN or infinite numbers for this image, expected finite ones; the weights "
                              "or the preprocessing do not fit");
      return;
    }
    prediction.task = task_;
    prediction.detections.clear();
    for (std::int64_t i = 0; i < count; ++i) {
      const float score = scores.const_data_ptr<float>()[i];
      if (!(score > confidence_)) continue;
      if (static_cast<std::int64_t>(prediction.detections.size()) >= most_) break;
      Detection detection = detection_of(labels.const_data_ptr<std::int64_t>()[i], score,
                                         boxes.const_data_ptr<float>() + i * 4, prediction.geometry);
      if (masks.defined()) detection.mask = mask_of(masks[i][0]);
      if (points.defined()) detection.keypoints = keypoints_of(points[i], point_scores[i]);
      prediction.detections.push_back(std::move(detection));
    }
  }

  Detection detection_of(std::int64_t label, float score, const float* box, const Geometry& geometry) const {
    const auto width = static_cast<float>(geometry.original_width);
    const auto height = static_cast<float>(geometry.original_height);
    Detection detection;
    detection.index = static_cast<int>(label);
    const std::vector<std::string>& names = model_.labels().names;
    if (label >= 0 && label < static_cast<std::int64_t>(names.size())) {
      detection.label = names[static_cast<std::size_t>(label)];
    }
    detection.score = score;
    detection.x1 = std::clamp(box[0], 0.0F, width);
    detection.y1 = std::clamp(box[1], 0.0F, height);
    detection.x2 = std::clamp(box[2], 0.0F, width);
    detection.y2 = std::clamp(box[3], 0.0F, height);
    return detection;
  }

  static Mask mask_of(const at::Tensor& plane) {
    const auto height = static_cast<int>(plane.size(0));
    const auto width = static_cast<int>(plane.size(1));
    const auto* values = plane.const_data_ptr<float>();
    MaskEncoder encoder(width, height);
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t y = 0; y < height; ++y) {
        if (values[y * width + x] > kInside) encoder.add(x * height + y, 1);
      }
    }
    return encoder.finish();
  }

  static std::vector<Keypoint> keypoints_of(const at::Tensor& points, const at::Tensor& scores) {
    std::vector<Keypoint> all;
    const auto* numbers = points.const_data_ptr<float>();
    for (std::int64_t i = 0; i < points.size(0); ++i) {
      all.push_back({numbers[3 * i], numbers[3 * i + 1], scores.const_data_ptr<float>()[i]});
    }
    return all;
  }

  Model model_;
  Task task_;
  float confidence_;
  std::int64_t most_;
};

}  // namespace

std::unique_ptr<TaskHead> make_listed(const Model& model, const PredictOptions& options) {
  return std::make_unique<Listed>(model, options);
}

c10::List<c10::IValue> image_entries(const Model& model, const c10::IValue& output, std::size_t images) {
  c10::IValue entries = output;
  if (entries.isTuple() && !entries.toTupleRef().elements().empty() &&
      entries.toTupleRef().elements().back().isList()) {
    entries = entries.toTupleRef().elements().back();
  }
  if (!entries.isList() || entries.toList().size() != images) {
    throw Error(ErrorCode::model_failed, model.path(),
                "returned a " + output.tagKind() + ", expected a list with one entry for each of " +
                    std::to_string(images) + " images");
  }
  return entries.toList();
}

}  // namespace ptrun
