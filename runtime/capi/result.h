// An Outcome as the plain structs of the C interface.
#pragma once

#include <vector>

#include "capi/handles.h"
#include "capi/status.h"
#include "ptrun/prediction.h"

namespace ptrun::capi {

ptrun_status status_of(const Outcome& outcome) noexcept;

// Owns the outcome and the structs that point into it.
struct ResultHandle : Handle {
  static constexpr HandleKind kKind = HandleKind::result;
  explicit ResultHandle(Outcome&& given);

  const Outcome outcome;
  std::vector<ptrun_class> classes;
  std::vector<ptrun_detection> detections;
  std::vector<ptrun_keypoint> keypoints;
  std::vector<ptrun_point> corners;  // four a detection, or none
  std::vector<ptrun_segment> segments;
  std::vector<ptrun_tensor> tensors;
};

ptrun_result* made_result(Outcome&& outcome);

}  // namespace ptrun::capi
