// Objects with keypoints, from a detector's rows that end in x, y and, where a point has three numbers, visibility of
// each point, in pixels of the input.
#include <ATen/ATen.h>

#include <algorithm>

#include "loader/model_impl.h"
#include "ptrun/error.h"
#include "task/boxes.h"
#include "task/heads.h"

namespace ptrun {
namespace {

class Keypoints : public TaskHead {
 public:
  Keypoints(const Model& model, const PredictOptions& options)
      : reader_(model, options), points_(model.impl().keypoint_shape[0]), numbers_(model.impl().keypoint_shape[1]) {
    if (points_ < 1 || (numbers_ != 2 && numbers_ != 3)) {
      throw Error(ErrorCode::unsupported, model.path(),
                  "does not say how many keypoints an object has, expected kpt_shape in its extra file config.txt or a "
                  "head of ultralytics; --task tensors gives the raw outputs");
    }
  }

  void read(const c10::IValue& output, std::vector<Outcome>& outcomes) const override {
    const BoxRows rows = reader_.rows(output, outcomes.size(), points_ * numbers_);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (!outcomes[i].ok()) continue;
      const auto candidates = reader_.candidates(rows, i, outcomes[i]);
      if (!candidates) continue;
      Prediction& prediction = *outcomes[i].prediction;
      prediction.task = Task::keypoints;
      prediction.detections.clear();
      for (const Candidate& one : reader_.suppressed(*candidates, rows.form)) {
        Detection detection = reader_.detection(one, rows.form, prediction.geometry);
        detection.keypoints = points_of(one.extra, prediction.geometry);
        prediction.detections.push_back(std::move(detection));
      }
    }
  }

 private:
  // Cut at the photo's borders, as the boxes are. A point without visibility is taken for visible.
  std::vector<Keypoint> points_of(const float* numbers, const Geometry& geometry) const {
    std::vector<Keypoint> points;
    for (std::int64_t i = 0; i < points_; ++i, numbers += numbers_) {
      points.push_back(
          {std::clamp(original_x(numbers[0], geometry), 0.0F, static_cast<float>(geometry.original_width)),
           std::clamp(original_y(numbers[1], geometry), 0.0F, static_cast<float>(geometry.original_height)),
           numbers_ == 3 ? numbers[2] : 1.0F});
    }
    return points;
  }

  BoxReader reader_;
  std::int64_t points_;
  std::int64_t numbers_;
};

}  // namespace

std::unique_ptr<TaskHead> make_keypoints(const Model& model, const PredictOptions& options) {
  if (model.signature().form == InputForm::list_chw) return make_listed(model, options);
  return std::make_unique<Keypoints>(model, options);
}

}  // namespace ptrun
