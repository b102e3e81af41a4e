// Boxes of detectors, upright ones and rotated ones; the forms are in boxes.h.
#include <ATen/ATen.h>

#include "loader/model_impl.h"
#include "task/boxes.h"
#include "task/heads.h"
#include "task/rotated.h"

namespace ptrun {
namespace {

class Detect : public TaskHead {
 public:
  Detect(const Model& model, const PredictOptions& options)
      : reader_(model, options), rotated_(model.impl().rotated_boxes) {}

  void read(const c10::IValue& output, std::vector<Outcome>& outcomes) const override {
    const BoxRows rows = reader_.rows(output, outcomes.size(), rotated_ ? 1 : 0);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (!outcomes[i].ok()) continue;
      const auto candidates = reader_.candidates(rows, i, outcomes[i]);
      if (!candidates) continue;
      Prediction& prediction = *outcomes[i].prediction;
      prediction.task = Task::detect;
      prediction.detections = rotated_
                                  ? rotated_detections(reader_, *candidates, rows.form, prediction.geometry)
                                  : upright(reader_.suppressed(*candidates, rows.form), rows.form, prediction.geometry);
    }
  }

 private:
  std::vector<Detection> upright(const std::vector<Candidate>& kept, BoxForm form, const Geometry& geometry) const {
    std::vector<Detection> detections;
    for (const Candidate& one : kept) detections.push_back(reader_.detection(one, form, geometry));
    return detections;
  }

  BoxReader reader_;
  bool rotated_;
};

}  // namespace

std::unique_ptr<TaskHead> make_detect(const Model& model, const PredictOptions& options) {
  if (model.signature().form == InputForm::list_chw) return make_listed(model, options);
  return std::make_unique<Detect>(model, options);
}

}  // namespace ptrun
