#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include <vector>

#include "operators/kernels.h"

namespace ptrun::operators {
namespace {

struct Point {
  double x = 0;
  double y = 0;
};

double cross(const Point& a, const Point& b, const Point& c) {
  return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

double area_of(const std::vector<Point>& polygon) {
  double twice = 0;
  for (std::size_t i = 2; i < polygon.size(); ++i) twice += cross(polygon[0], polygon[i - 1], polygon[i]);
  return std::abs(twice) / 2;
}

// Corners in one sense of rotation, around a common origin so that distant boxes lose no digits.
std::vector<Point> corners(const double* box, const Point& origin) {
  // A positive angle turns counter-clockwise on a picture, whose y grows downwards.
  const double angle = -box[4] * 3.14159265358979323846 / 180.0;
  const double c = std::cos(angle) / 2;
  const double s = std::sin(angle) / 2;
  const Point centre{box[0] - origin.x, box[1] - origin.y};
  const Point across{box[2] * c, box[2] * s};
  const Point along{-box[3] * s, box[3] * c};
  const auto corner = [&](double a, double b) {
    return Point{centre.x + a * across.x + b * along.x, centre.y + a * across.y + b * along.y};
  };
  return {corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1)};
}

// Sutherland and Hodgman (1974): what of `polygon` lies on the inner side of the edge from a to b.
std::vector<Point> clip(const std::vector<Point>& polygon, const Point& a, const Point& b) {
  std::vector<Point> kept;
  for (std::size_t i = 0; i < polygon.size(); ++i) {
    const Point& from = polygon[i];
    const Point& to = polygon[(i + 1) % polygon.size()];
    const double here = cross(a, b, from);
    const double there = cross(a, b, to);
    if (here >= 0) kept.push_back(from);
    if ((here > 0 && there < 0) || (here < 0 && there > 0)) {
      const double t = here / (here - there);
      kept.push_back({from.x + t * (to.x - from.x), from.y + t * (to.y - from.y)});
    }
  }
  return kept;
}

double rotated_iou(const double* first, const double* second) {
  const double area1 = first[2] * first[3];
  const double area2 = second[2] * second[3];
  if (area1 < 1e-14 || area2 < 1e-14) return 0;
  const Point origin{(first[0] + second[0]) / 2, (first[1] + second[1]) / 2};
  std::vector<Point> shared = corners(first, origin);
  const std::vector<Point> window = corners(second, origin);
  for (std::size_t i = 0; i < window.size() && !shared.empty(); ++i) {
    shared = clip(shared, window[i], window[(i + 1) % window.size()]);
  }
  const double common = area_of(shared);
  return common / (area1 + area2 - common);
}

}  // namespace

at::Tensor box_iou_rotated(const at::Tensor& boxes1, const at::Tensor& boxes2) {
  constexpr const char* kName = "torchvision::box_iou_rotated";
  TORCH_CHECK(boxes1.dim() == 2 && boxes1.size(1) == 5 && boxes2.dim() == 2 && boxes2.size(1) == 5, kName,
              ": expected boxes [N, 5] and [M, 5]");
  const at::Tensor first = boxes1.to(at::kDouble).contiguous();
  const at::Tensor second = boxes2.to(at::kDouble).contiguous();
  at::Tensor result = at::empty({first.size(0), second.size(0)}, first.options());
  const auto* a = first.const_data_ptr<double>();
  const auto* b = second.const_data_ptr<double>();
  auto* out = result.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < first.size(0); ++i) {
    for (std::int64_t j = 0; j < second.size(0); ++j) *out++ = rotated_iou(a + 5 * i, b + 5 * j);
  }
  return result.to(at::kFloat);  // whatever the boxes are, as torchvision has it
}

}  // namespace ptrun::operators
