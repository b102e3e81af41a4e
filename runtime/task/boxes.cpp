#include "task/boxes.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "loader/model_impl.h"
#include "ptrun/error.h"
#include "task/heads.h"

namespace ptrun {
namespace {

constexpr std::size_t kMostCandidates = 30'000;  // suppression takes time in the square of them

Box corners(const float* row, BoxForm form) {
  if (form == BoxForm::best) return {row[0], row[1], row[2], row[3]};
  const float half_width = row[2] / 2.0F;
  const float half_height = row[3] / 2.0F;
  return {row[0] - half_width, row[1] - half_height, row[0] + half_width, row[1] + half_height};
}

float overlap(const Box& a, const Box& b) {
  const float width = std::max(std::min(a.x2, b.x2) - std::max(a.x1, b.x1), 0.0F);
  const float height = std::max(std::min(a.y2, b.y2) - std::max(a.y1, b.y1), 0.0F);
  const float both = width * height;
  return both / ((a.x2 - a.x1) * (a.y2 - a.y1) + (b.x2 - b.x1) * (b.y2 - b.y1) - both);
}

// The name of the tensor that holds the rows.
const std::string& rows_name(const OutputNode& output) {
  return output.children.empty() ? output.spec.name : output.children.front().spec.name;
}

std::optional<BoxForm> form_named(const std::string& name) {
  if (name == "cells") return BoxForm::cells;
  if (name == "anchors") return BoxForm::anchors;
  if (name == "best") return BoxForm::best;
  return std::nullopt;
}

float back(float value, double offset, double scale) {
  return (value - static_cast<float>(offset)) / static_cast<float>(scale);
}

}  // namespace

float original_x(float x, const Geometry& geometry) { return back(x, geometry.offset_x, geometry.scale_x); }
float original_y(float y, const Geometry& geometry) { return back(y, geometry.offset_y, geometry.scale_y); }

BoxReader::BoxReader(const Model& model, const PredictOptions& options)
    : model_(model),
      form_(form_named(rows_name(model.signature().output))),
      confidence_(options.confidence),
      iou_(options.iou),
      most_(static_cast<std::size_t>(std::max(options.max_detections, 0))) {
  if (!form_ && model.impl().anchor_rows) form_ = BoxForm::anchors;
  if (!form_ && model.labels().names.empty()) {
    throw Error(ErrorCode::unsupported, model.path(),
                "its boxes are in a form that ptrun does not know; give --labels, whose number tells the form of "
                "ultralytics' outputs, or --task tensors for the raw outputs");
  }
}

void BoxReader::refuse(const std::string& found) const {
  throw Error(ErrorCode::model_failed, model_.path(),
              "returned " + found + ", expected boxes of a detector; use --task tensors to see the raw outputs");
}

BoxForm BoxReader::form_by_shape(const at::Tensor& tensor, std::int64_t extra) const {
  const auto classes = static_cast<std::int64_t>(model_.labels().names.size());
  const bool cells = tensor.size(1) == 4 + classes + extra;
  const bool anchors = tensor.size(2) == 5 + classes + extra;
  const bool best = tensor.size(2) == 6 + extra;
  if (static_cast<int>(cells) + static_cast<int>(anchors) + static_cast<int>(best) != 1) {
    refuse("a tensor of shape " + shape_text(tensor.sizes().vec()) + ", in which " + std::to_string(classes) +
           " labels do not tell where the classes stand");
  }
  return cells ? BoxForm::cells : anchors ? BoxForm::anchors : BoxForm::best;
}

BoxRows BoxReader::rows(const c10::IValue& output, std::size_t images, std::int64_t extra) const {
  const c10::IValue& first =
      output.isTuple() && !output.toTupleRef().elements().empty() ? output.toTupleRef().elements()[0] : output;
  if (!first.isTensor()) refuse("a " + output.tagKind());
  const at::Tensor tensor = first.toTensor().to(at::kCPU, at::kFloat);
  if (tensor.dim() != 3 || tensor.size(0) != static_cast<std::int64_t>(images)) {
    refuse("a tensor of shape " + shape_text(tensor.sizes().vec()));
  }
  BoxRows rows;
  rows.form = form_ ? *form_ : form_by_shape(tensor, extra);
  rows.extra = extra;
  rows.tensor = (rows.form == BoxForm::cells ? tensor.transpose(1, 2) : tensor).contiguous();
  const std::int64_t least = (rows.form == BoxForm::cells ? 5 : 6) + extra;
  if (rows.tensor.size(2) < least) refuse("a tensor of shape " + shape_text(tensor.sizes().vec()));
  return rows;
}

std::optional<Candidate> BoxReader::candidate(const float* row, const BoxRows& rows) const {
  const std::int64_t numbers = rows.tensor.size(2);
  Candidate found;
  found.row = row;
  found.extra = row + numbers - rows.extra;
  if (rows.form == BoxForm::best) {
    found.score = row[4];
    found.index = static_cast<int>(row[5]);
  } else {
    const bool anchors = rows.form == BoxForm::anchors;
    const std::int64_t first = anchors ? 5 : 4;
    if (anchors && !(row[4] > confidence_)) return std::nullopt;
    const float* best = std::max_element(row + first, found.extra);
    found.score = anchors ? *best * row[4] : *best;
    found.index = static_cast<int>(best - row - first);
  }
  if (!(found.score > confidence_)) return std::nullopt;
  return found;
}

std::optional<std::vector<Candidate>> BoxReader::candidates(const BoxRows& rows, std::size_t image,
                                                            Outcome& outcome) const {
  const at::Tensor tensor = rows.tensor[static_cast<std::int64_t>(image)];
  if (!at::isfinite(tensor).all().item<bool>()) {
    fail_image(outcome, model_.path() +
                            ": returned NaN or infinite boxes or scores for this image, expected finite "
                            "numbers; the weights or the preprocessing do not fit");
    return std::nullopt;
  }
  const auto* data = tensor.const_data_ptr<float>();
  std::vector<Candidate> found;
  for (std::int64_t i = 0; i < tensor.size(0); ++i) {
    if (const auto row = candidate(data + i * tensor.size(1), rows)) found.push_back(*row);
  }
  if (rows.form == BoxForm::best) return found;
  std::stable_sort(found.begin(), found.end(),
                   [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
  if (found.size() > kMostCandidates) found.resize(kMostCandidates);
  return found;
}

std::vector<Candidate> BoxReader::suppressed(const std::vector<Candidate>& candidates, BoxForm form) const {
  std::vector<Candidate> kept;
  std::vector<Box> kept_boxes;
  for (const Candidate& one : candidates) {
    if (kept.size() >= most_) break;
    Box box = corners(one.row, form);
    if (form != BoxForm::best) {
      const float offset = static_cast<float>(one.index) * kClassOffset;
      for (float* side : {&box.x1, &box.y1, &box.x2, &box.y2}) *side += offset;
      const auto covers = [&](const Box& better) { return overlap(better, box) > iou_; };
      if (std::any_of(kept_boxes.begin(), kept_boxes.end(), covers)) continue;
    }
    kept.push_back(one);
    kept_boxes.push_back(box);
  }
  return kept;
}

Detection BoxReader::labelled(const Candidate& candidate) const {
  Detection detection;
  detection.index = candidate.index;
  detection.score = candidate.score;
  const std::vector<std::string>& names = model_.labels().names;
  if (candidate.index >= 0 && static_cast<std::size_t>(candidate.index) < names.size()) {
    detection.label = names[static_cast<std::size_t>(candidate.index)];
  }
  return detection;
}

Detection BoxReader::detection(const Candidate& candidate, BoxForm form, const Geometry& geometry) const {
  const Box box = corners(candidate.row, form);
  const auto width = static_cast<float>(geometry.original_width);
  const auto height = static_cast<float>(geometry.original_height);
  Detection detection = labelled(candidate);
  detection.x1 = std::clamp(original_x(box.x1, geometry), 0.0F, width);
  detection.y1 = std::clamp(original_y(box.y1, geometry), 0.0F, height);
  detection.x2 = std::clamp(original_x(box.x2, geometry), 0.0F, width);
  detection.y2 = std::clamp(original_y(box.y2, geometry), 0.0F, height);
  return detection;
}

}  // namespace ptrun
