// Objects with masks, from a detector's rows that end in mask coefficients and prototypes [N, masks, H, W] over the
// whole input: YOLACT (1904.02689), as ultralytics and YOLOv5 save it. Masks are ultralytics' retina masks, in pixels
// of the photo.
#include <ATen/ATen.h>

#include "loader/class_map_output.h"
#include "ptrun/error.h"
#include "task/boxes.h"
#include "task/heads.h"
#include "task/masks.h"

namespace ptrun {
namespace {

class Segment : public TaskHead {
 public:
  Segment(const Model& model, const PredictOptions& options) : path_(model.path()), reader_(model, options) {}

  void read(const c10::IValue& output, std::vector<Outcome>& outcomes) const override {
    const at::Tensor prototypes = prototypes_of(output, static_cast<std::int64_t>(outcomes.size()));
    const BoxRows rows = reader_.rows(output, outcomes.size(), prototypes.size(1));
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (!outcomes[i].ok()) continue;
      const at::Tensor own = prototypes[static_cast<std::int64_t>(i)];
      const auto candidates = reader_.candidates(rows, i, outcomes[i]);
      if (!candidates) continue;
      if (!at::isfinite(own).all().item<bool>()) {
        fail_image(outcomes[i], path_ +
                                    ": returned NaN or infinite mask prototypes for this image, expected finite "
                                    "numbers; the weights or the preprocessing do not fit");
        continue;
      }
      Prediction& prediction = *outcomes[i].prediction;
      prediction.task = Task::segment;
      prediction.detections.clear();
      for (const Candidate& one : reader_.suppressed(*candidates, rows.form)) {
        Detection detection = reader_.detection(one, rows.form, prediction.geometry);
        detection.mask = object_mask(added(own, one.extra), detection, prediction.geometry);
        // An object without a pixel is none: ultralytics drops it too.
        if (detection.mask) prediction.detections.push_back(std::move(detection));
      }
    }
  }

 private:
  at::Tensor prototypes_of(const c10::IValue& output, std::int64_t images) const {
    at::Tensor prototypes;
    if (output.isTuple() && output.toTupleRef().elements().size() >= 2) {
      const c10::IValue& second = output.toTupleRef().elements()[1];
      if (second.isTensor()) prototypes = second.toTensor().to(at::kCPU, at::kFloat).contiguous();
    }
    if (!prototypes.defined() || prototypes.dim() != 4 || prototypes.size(0) != images || prototypes.numel() == 0) {
      throw Error(ErrorCode::model_failed, path_,
                  "returned " +
                      (prototypes.defined() ? "mask prototypes of shape " + shape_text(prototypes.sizes().vec())
                                            : "a " + output.tagKind()) +
                      ", expected rows of objects and mask prototypes [" + std::to_string(images) +
                      ", masks, height, width]; use --task tensors to see the raw outputs");
    }
    return prototypes;
  }

  // The prototypes [masks, H, W] times their coefficients.
  static Plane added(const at::Tensor& prototypes, const float* coefficients) {
    Plane plane;
    plane.height = static_cast<int>(prototypes.size(1));
    plane.width = static_cast<int>(prototypes.size(2));
    plane.values.assign(static_cast<std::size_t>(plane.height) * static_cast<std::size_t>(plane.width), 0.0F);
    const auto* numbers = prototypes.const_data_ptr<float>();
    for (std::int64_t i = 0; i < prototypes.size(0); ++i) {
      const float coefficient = coefficients[i];
      for (float& value : plane.values) value += coefficient * *numbers++;
    }
    return plane;
  }

  std::string path_;
  BoxReader reader_;
};

}  // namespace

std::unique_ptr<TaskHead> make_segment(const Model& model, const PredictOptions& options) {
  if (model.signature().form == InputForm::list_chw) return make_listed(model, options);
  if (gives_class_map(model.signature().output)) return make_semantic(model);
  return std::make_unique<Segment>(model, options);
}

}  // namespace ptrun
