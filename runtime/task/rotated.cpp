#include "task/rotated.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace ptrun {
namespace {

constexpr float kEpsilon = 1e-7F;

// The normal distribution with a box's centre and its second moments about it.
struct Normal {
  float x = 0.0F;
  float y = 0.0F;
  float a = 0.0F;  // variance along x
  float b = 0.0F;  // along y
  float c = 0.0F;  // covariance
  int index = 0;
};

Normal normal_of(const Candidate& candidate) {
  const float wide = candidate.row[2] * candidate.row[2] / 12.0F;
  const float high = candidate.row[3] * candidate.row[3] / 12.0F;
  const float cosine = std::cos(candidate.extra[0]);
  const float sine = std::sin(candidate.extra[0]);
  const float offset = static_cast<float>(candidate.index) * kClassOffset;
  return {candidate.row[0] + offset,
          candidate.row[1] + offset,
          wide * cosine * cosine + high * sine * sine,
          wide * sine * sine + high * cosine * cosine,
          (wide - high) * cosine * sine,
          candidate.index};
}

// ProbIoU: one less the Hellinger distance, which follows from the Bhattacharyya distance of the two distributions.
float likeness(const Normal& p, const Normal& q) {
  const float a = p.a + q.a;
  const float b = p.b + q.b;
  const float c = p.c + q.c;
  const float x = q.x - p.x;
  const float y = p.y - q.y;
  const float determinant = a * b - c * c;
  const float apart =
      (a * y * y + b * x * x) / (determinant + kEpsilon) * 0.25F + c * x * y / (determinant + kEpsilon) * 0.5F;
  const float areas = std::max(p.a * p.b - p.c * p.c, 0.0F) * std::max(q.a * q.b - q.c * q.c, 0.0F);
  const float shapes = std::log(determinant / (4.0F * std::sqrt(areas) + kEpsilon) + kEpsilon) * 0.5F;
  const float distance = std::clamp(apart + shapes, kEpsilon, 100.0F);
  return 1.0F - std::sqrt(1.0F - std::exp(-distance) + kEpsilon);
}

std::vector<Candidate> suppressed(const std::vector<Candidate>& candidates, float iou, std::size_t most) {
  std::vector<Normal> better;
  std::vector<Candidate> kept;
  for (const Candidate& one : candidates) {
    if (kept.size() >= most) break;
    const Normal normal = normal_of(one);
    const auto covers = [&](const Normal& other) {
      return other.index == normal.index && likeness(other, normal) >= iou;
    };
    if (std::none_of(better.begin(), better.end(), covers)) kept.push_back(one);
    better.push_back(normal);
  }
  return kept;
}

Detection detection_of(const BoxReader& reader, const Candidate& one, const Geometry& geometry) {
  // The scales of the two sides differ by the rounding of the resized photo; width and height each have their own.
  const float x = original_x(one.row[0], geometry);
  const float y = original_y(one.row[1], geometry);
  const float half_width = one.row[2] / static_cast<float>(geometry.scale_x) / 2.0F;
  const float half_height = one.row[3] / static_cast<float>(geometry.scale_y) / 2.0F;
  const float cosine = std::cos(one.extra[0]);
  const float sine = std::sin(one.extra[0]);
  const std::array<float, 2> along = {half_width * cosine, half_width * sine};
  const std::array<float, 2> across = {-half_height * sine, half_height * cosine};
  Detection detection = reader.labelled(one);
  detection.corners = {{x + along[0] + across[0], y + along[1] + across[1]},
                       {x + along[0] - across[0], y + along[1] - across[1]},
                       {x - along[0] - across[0], y - along[1] - across[1]},
                       {x - along[0] + across[0], y - along[1] + across[1]}};
  const auto [left, right] = std::minmax_element(detection.corners.begin(), detection.corners.end(),
                                                 [](const Point& p, const Point& q) { return p.x < q.x; });
  const auto [top, bottom] = std::minmax_element(detection.corners.begin(), detection.corners.end(),
                                                 [](const Point& p, const Point& q) { return p.y < q.y; });
  const auto width = static_cast<float>(geometry.original_width);
  const auto height = static_cast<float>(geometry.original_height);
  detection.x1 = std::clamp(left->x, 0.0F, width);
  detection.y1 = std::clamp(top->y, 0.0F, height);
  detection.x2 = std::clamp(right->x, 0.0F, width);
  detection.y2 = std::clamp(bottom->y, 0.0F, height);
  return detection;
}

}  // namespace

std::vector<Detection> rotated_detections(const BoxReader& reader, const std::vector<Candidate>& candidates,
                                          BoxForm form, const Geometry& geometry) {
  std::vector<Candidate> kept = candidates;
  if (form != BoxForm::best) kept = suppressed(candidates, reader.iou(), reader.most());
  if (kept.size() > reader.most()) kept.resize(reader.most());
  std::vector<Detection> detections;
  detections.reserve(kept.size());
  for (const Candidate& one : kept) detections.push_back(detection_of(reader, one, geometry));
  return detections;
}

}  // namespace ptrun
