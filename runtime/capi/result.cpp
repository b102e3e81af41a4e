#include "capi/result.h"

#include "archive/dtypes.h"
#include "capi/options.h"

namespace ptrun::capi {
namespace {

template <typename Struct>
ptrun_status give(ptrun_result* result, std::vector<Struct> ResultHandle::*member, const Struct** items,
                  size_t* count) {
  return guarded([&] {
    require(items, "items");
    require(count, "count");
    const auto found = find<ResultHandle>(result);
    const std::vector<Struct>& all = (*found).*member;
    *items = all.empty() ? nullptr : all.data();
    *count = all.size();
  });
}

// Null where there is nothing to point at, whatever an empty vector's data() may be.
template <typename Element>
const Element* pointer(const std::vector<Element>& items) {
  return items.empty() ? nullptr : items.data();
}

ptrun_result_info info_of(const ResultHandle& result) {
  ptrun_result_info info{};
  info.status = status_of(result.outcome);
  info.message = info.stage = info.task = info.mode = "";
  if (!result.outcome.ok()) {
    info.message = result.outcome.failure.message.c_str();
    info.stage = to_string(result.outcome.failure.stage);
    return info;
  }
  const Prediction& prediction = *result.outcome.prediction;
  info.logits = prediction.logits ? 1 : 0;
  info.task = to_string(prediction.task);
  info.mode = prediction.mode.c_str();
  info.width = prediction.geometry.original_width;
  info.height = prediction.geometry.original_height;
  info.exif_orientation = prediction.exif_orientation;
  info.decoded_at = prediction.decoded_at;
  info.image = pointer(prediction.image);
  info.image_width = prediction.image_width;
  info.image_height = prediction.image_height;
  info.segment_map = pointer(prediction.segment_map);
  info.embedding = pointer(prediction.embedding);
  info.embedding_count = prediction.embedding.size();
  return info;
}

}  // namespace

ptrun_status status_of(const Outcome& outcome) noexcept {
  if (outcome.ok()) return PTRUN_OK;
  if (outcome.cancelled) return PTRUN_CANCELLED;
  switch (outcome.failure.stage) {
    case Stage::read: return PTRUN_NOT_FOUND;
    case Stage::decode:
    case Stage::preprocess: return PTRUN_BAD_IMAGE;
    case Stage::model: return PTRUN_MODEL_FAILED;
    case Stage::output: return PTRUN_OUTPUT_FAILED;
  }
  return PTRUN_INTERNAL;
}

ResultHandle::ResultHandle(Outcome&& given) : Handle(kKind), outcome(std::move(given)) {
  if (!outcome.ok()) return;
  const Prediction& prediction = *outcome.prediction;
  for (const ClassScore& score : prediction.classes) classes.push_back({score.index, score.score, score.label.c_str()});
  std::size_t points = 0;
  for (const Detection& detection : prediction.detections) points += detection.keypoints.size();
  keypoints.reserve(points);  // the detections point into it
  for (const Detection& detection : prediction.detections) {
    ptrun_detection made{};
    made.index = detection.index;
    made.score = detection.score;
    made.label = detection.label.c_str();
    made.x1 = detection.x1;
    made.y1 = detection.y1;
    made.x2 = detection.x2;
    made.y2 = detection.y2;
    if (detection.mask) {
      made.mask = detection.mask->counts.c_str();
      made.mask_width = detection.mask->width;
      made.mask_height = detection.mask->height;
    }
    made.keypoint_count = detection.keypoints.size();
    if (made.keypoint_count != 0) made.keypoints = keypoints.data() + keypoints.size();
    for (const Point& point : detection.corners) corners.push_back({point.x, point.y});
    for (const Keypoint& point : detection.keypoints) keypoints.push_back({point.x, point.y, point.score});
    detections.push_back(made);
  }
  if (corners.size() != 4 * detections.size()) corners.clear();
  for (const SegmentArea& area : prediction.segments) segments.push_back({area.index, area.label.c_str(), area.area});
  for (const TensorOutput& tensor : prediction.tensors) {
    tensors.push_back({tensor.name.c_str(), archive::info(tensor.dtype).name.data(), pointer(tensor.shape),
                       tensor.shape.size(), pointer(tensor.data), tensor.data.size()});
  }
}

ptrun_result* made_result(Outcome&& outcome) {
  return static_cast<ptrun_result*>(add_handle(std::make_shared<ResultHandle>(std::move(outcome))));
}

}  // namespace ptrun::capi

using namespace ptrun::capi;

ptrun_status ptrun_result_get_info(ptrun_result* result, ptrun_result_info* info) {
  return guarded([&] {
    require(info, "ptrun_result_info");
    write_sized("ptrun_result_info", info, info->size, info_of(*find<ResultHandle>(result)));
  });
}

ptrun_status ptrun_result_get_classes(ptrun_result* result, const ptrun_class** items, size_t* count) {
  return give(result, &ResultHandle::classes, items, count);
}

ptrun_status ptrun_result_get_detections(ptrun_result* result, const ptrun_detection** items, size_t* count) {
  return give(result, &ResultHandle::detections, items, count);
}

ptrun_status ptrun_result_get_corners(ptrun_result* result, const ptrun_point** items, size_t* count) {
  return give(result, &ResultHandle::corners, items, count);
}

ptrun_status ptrun_result_get_segments(ptrun_result* result, const ptrun_segment** items, size_t* count) {
  return give(result, &ResultHandle::segments, items, count);
}

ptrun_status ptrun_result_get_tensors(ptrun_result* result, const ptrun_tensor** items, size_t* count) {
  return give(result, &ResultHandle::tensors, items, count);
}

ptrun_status ptrun_result_free(ptrun_result* result) {
  return guarded([&] { take<ResultHandle>(result); });
}
