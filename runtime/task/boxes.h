// What the heads of detectors share: reading the rows of one tensor a batch, suppression, the way back to the photo.
// The tensor has one of these forms; `extra` stands for what comes after the classes, such as mask coefficients:
//   cells    [N, 4 + classes + extra, A]   centre, width and height in pixels of the input, a probability a class
//            (ultralytics)
//   anchors  [N, A, 5 + classes + extra]   the same with objectness before the classes (YOLOv5)
//   best     [N, K, 6 + extra]             corners, score, class, best first, without duplicates (end-to-end heads)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ptrun/model.h"
#include "ptrun/prediction.h"
#include "ptrun/predictor.h"

namespace c10 {
struct IValue;
}

namespace ptrun {

enum class BoxForm { cells, anchors, best };

// Boxes of different classes are moved apart by this many pixels, so that one suppression serves all classes; the
// rounding of the moved places is ultralytics', too.
inline constexpr float kClassOffset = 7680.0F;

// One row above the confidence. Points into its BoxRows.
struct Candidate {
  const float* row = nullptr;    // four numbers of its box
  const float* extra = nullptr;  // what comes after the classes
  float score = 0.0F;
  int index = 0;
};

struct BoxRows {
  at::Tensor tensor;  // [N, rows, numbers], contiguous float32 on the CPU
  BoxForm form = BoxForm::cells;
  std::int64_t extra = 0;
};

// Corners in pixels of the input.
struct Box {
  float x1 = 0.0F;
  float y1 = 0.0F;
  float x2 = 0.0F;
  float y2 = 0.0F;
};

// Immutable; any thread may call.
class BoxReader {
 public:
  // The form is the name that the rules of models/modules give the output. For outputs of other names, as TorchScript
  // has them, the number of labels tells it, image by image. Throws unsupported where neither does.
  BoxReader(const Model& model, const PredictOptions& options);

  // The rows of `output`, a tensor or a tuple that begins with it. Throws model_failed when it does not have the form.
  BoxRows rows(const c10::IValue& output, std::size_t images, std::int64_t extra) const;
  // The candidates of one image, best first; nothing, and a failed `outcome`, where a number is NaN or infinite.
  std::optional<std::vector<Candidate>> candidates(const BoxRows& rows, std::size_t image, Outcome& outcome) const;
  // Those of `candidates` that no better one of their class covers, at most max_detections: non-maximum suppression as
  // ultralytics' predict does it. End-to-end heads have done it already.
  std::vector<Candidate> suppressed(const std::vector<Candidate>& candidates, BoxForm form) const;
  // In pixels of the photo, cut at its borders.
  Detection detection(const Candidate& candidate, BoxForm form, const Geometry& geometry) const;
  // Label and score alone.
  Detection labelled(const Candidate& candidate) const;

  [[noreturn]] void refuse(const std::string& found) const;
  float iou() const noexcept { return iou_; }
  std::size_t most() const noexcept { return most_; }

 private:
  BoxForm form_by_shape(const at::Tensor& tensor, std::int64_t extra) const;
  std::optional<Candidate> candidate(const float* row, const BoxRows& rows) const;

  Model model_;
  std::optional<BoxForm> form_;  // nothing: by shape
  float confidence_;
  float iou_;
  std::size_t most_;
};

// A place in the input, back in pixels of the photo, which it may lie outside of.
float original_x(float x, const Geometry& geometry);
float original_y(float y, const Geometry& geometry);

}  // namespace ptrun
