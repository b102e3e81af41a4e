#include "task/masks.h"

#include <algorithm>
#include <cmath>

#include "task/resample.h"

namespace ptrun {
namespace {

// First and number of the pixels x with low <= x < high, within the part of the photo that is shown.
void pixels_between(float low, float high, const Shown& side, int& start, int& count) {
  start = std::max(static_cast<int>(std::ceil(low)), side.photo_start);
  count = std::max(std::min(static_cast<int>(std::ceil(high)), side.photo_start + side.photo_count) - start, 0);
}

// The part of `in` that output pixels start ... start + count of `out` are made of.
void needed(const std::vector<Taps>& all, int& start, int& count) {
  start = all.front().first;
  count = all.back().second - start + 1;
}

// Bilinear without antialiasing, pixel centres at half numbers, as torch's interpolate.
float blended(const Plane& plane, const Taps& x, const Taps& y) {
  const float* upper = plane.values.data() + static_cast<std::size_t>(y.first) * static_cast<std::size_t>(plane.width);
  const float* lower = plane.values.data() + static_cast<std::size_t>(y.second) * static_cast<std::size_t>(plane.width);
  const float above = upper[x.first] * x.of_first + upper[x.second] * x.of_second;
  const float below = lower[x.first] * x.of_first + lower[x.second] * x.of_second;
  return above * y.of_first + below * y.of_second;
}

// `window` of `plane` at a size of `width` x `height`.
Plane resampled(const Plane& plane, int width, int height, const Window& window) {
  Plane result{window.width, window.height, {}};
  result.values.reserve(static_cast<std::size_t>(window.width) * static_cast<std::size_t>(window.height));
  const std::vector<Taps> columns = taps(0, plane.width, width, window.left, window.width);
  for (const Taps& y : taps(0, plane.height, height, window.top, window.height)) {
    for (const Taps& x : columns) result.values.push_back(blended(plane, x, y));
  }
  return result;
}

// rleToString of pycocotools' maskApi.c: differences to the run before the last, five bits a character.
std::string run_text(const std::vector<std::int64_t>& runs) {
  std::string text;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    std::int64_t value = runs[i] - (i > 2 ? runs[i - 2] : 0);
    bool more = true;
    while (more) {
      auto bits = static_cast<int>(value & 0x1f);
      value >>= 5;
      more = (bits & 0x10) != 0 ? value != -1 : value != 0;
      if (more) bits |= 0x20;
      text += static_cast<char>(bits + 48);
    }
  }
  return text;
}

}  // namespace

std::optional<Mask> object_mask(const Plane& logits, const Detection& box, const Geometry& geometry) {
  const Shown x = shown(geometry.original_width, geometry.input_width, geometry.scale_x, geometry.offset_x);
  const Shown y = shown(geometry.original_height, geometry.input_height, geometry.scale_y, geometry.offset_y);
  if (x.input_count == 0 || y.input_count == 0) return std::nullopt;
  Window window;
  pixels_between(box.x1, box.x2, x, window.left, window.width);
  pixels_between(box.y1, box.y2, y, window.top, window.height);
  if (window.width == 0 || window.height == 0) return std::nullopt;

  // From the prototypes to the input's pixels, only those that the box is made of, from there to the photo's.
  std::vector<Taps> columns =
      taps(x.input_start, x.input_count, x.photo_count, window.left - x.photo_start, window.width);
  std::vector<Taps> rows = taps(y.input_start, y.input_count, y.photo_count, window.top - y.photo_start, window.height);
  Window input;
  needed(columns, input.left, input.width);
  needed(rows, input.top, input.height);
  const Plane middle = resampled(logits, geometry.input_width, geometry.input_height, input);
  for (Taps& at : columns) at = {at.first - input.left, at.second - input.left, at.of_first, at.of_second};
  for (Taps& at : rows) at = {at.first - input.top, at.second - input.top, at.of_first, at.of_second};
  MaskEncoder encoder(geometry.original_width, geometry.original_height);
  std::int64_t at = std::int64_t{window.left} * geometry.original_height + window.top;
  for (const Taps& column : columns) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (blended(middle, column, rows[i]) > 0.0F) encoder.add(at + static_cast<std::int64_t>(i), 1);
    }
    at += geometry.original_height;
  }
  if (encoder.empty()) return std::nullopt;
  return encoder.finish();
}

void MaskEncoder::add(std::int64_t first, std::int64_t count) {
  if (!runs_.empty() && first == end_) {
    runs_.back() += count;
  } else {
    runs_.push_back(first - end_);
    runs_.push_back(count);
  }
  end_ = first + count;
}

Mask MaskEncoder::finish() {
  const std::int64_t rest = std::int64_t{width_} * height_ - end_;
  if (rest > 0 || runs_.empty()) runs_.push_back(rest);
  return {width_, height_, run_text(runs_)};
}

}  // namespace ptrun
