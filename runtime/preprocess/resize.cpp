// Must stay free of fused multiply-add (the build says so): the weights are compared with Pillow's by their bits.
#include "preprocess/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace ptrun {
namespace {

constexpr double kPi = 3.14159265358979323846;

double sinc(double x) { return x == 0.0 ? 1.0 : std::sin(x * kPi) / (x * kPi); }

// Width of half the filter in source pixels at scale 1.
double support_of(Interpolation filter) {
  switch (filter) {
    case Interpolation::box: return 0.5;
    case Interpolation::bicubic: return 2.0;
    case Interpolation::lanczos: return 3.0;
    default: return 1.0;
  }
}

double filter_value(Interpolation filter, double x) {
  switch (filter) {
    case Interpolation::box: return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
    case Interpolation::hamming: {
      x = std::fabs(x);
      if (x == 0.0) return 1.0;
      if (x >= 1.0) return 0.0;
      x *= kPi;
      // The constants are float in Pillow as well.
      return std::sin(x) / x * (static_cast<double>(0.54F) + static_cast<double>(0.46F) * std::cos(x));
    }
    case Interpolation::bicubic: {
      constexpr double kA = -0.5;
      x = std::fabs(x);
      if (x < 1.0) return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1;
      if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * kA;
      return 0.0;
    }
    case Interpolation::lanczos: return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
    default: {
      x = std::fabs(x);
      return x < 1.0 ? 1.0 - x : 0.0;
    }
  }
}

// Pillow's precompute_coeffs and normalize_coeffs_8bpc for the needed part.
void compute_weights(const ResizeAxis& axis, Interpolation filter, void (*prepare)(AxisWeights&), AxisWeights& out) {
  if (out.axis == axis && out.filter == filter && out.prepare == prepare && !out.spans.empty()) return;
  out.prepare = prepare;
  out.axis = axis;
  out.filter = filter;
  const double scale = static_cast<double>(axis.in) / axis.out;
  const double filter_scale = std::max(scale, 1.0);
  const double support = support_of(filter) * filter_scale;
  const double inverse_scale = 1.0 / filter_scale;
  out.taps = std::min(static_cast<std::size_t>(std::ceil(support)) * 2 + 1, static_cast<std::size_t>(axis.in));
  out.spans.resize(static_cast<std::size_t>(axis.count));
  out.weights.assign(out.spans.size() * out.taps, 0);
  out.work.resize(out.taps);
  constexpr std::size_t kGroup = 4;
  out.split_taps = (out.taps + kGroup - 1) / kGroup * kGroup;
  out.split.assign(out.spans.size() * out.split_taps * 2, 0);

  for (std::size_t i = 0; i < out.spans.size(); ++i) {
    const double center = (static_cast<double>(axis.first) + static_cast<double>(i) + 0.5) * scale;
    const int first = std::max(static_cast<int>(center - support + 0.5), 0);
    const int last = std::min(static_cast<int>(center + support + 0.5), axis.in);
    const auto count = static_cast<std::size_t>(std::max(last - first, 0));
    double sum = 0.0;
    for (std::size_t k = 0; k < count; ++k) {
      out.work[k] = filter_value(filter, (static_cast<double>(k) + first - center + 0.5) * inverse_scale);
      sum += out.work[k];
    }
    std::int32_t* weights = out.weights.data() + i * out.taps;
    for (std::size_t k = 0; k < count; ++k) {
      const double weight = (sum != 0.0 ? out.work[k] / sum : out.work[k]) * (1 << kResizePrecisionBits);
      weights[k] = static_cast<std::int32_t>(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    out.spans[i] = {first, static_cast<int>(count)};
    std::int16_t* low = out.split.data() + i * out.split_taps * 2;
    for (std::size_t k = 0; k < count; ++k) {
      low[k] = static_cast<std::int16_t>(weights[k] & ((1 << kResizeLowBits) - 1));
      low[out.split_taps + k] = static_cast<std::int16_t>(weights[k] >> kResizeLowBits);
    }
  }
  if (prepare != nullptr) prepare(out);
}

// Source pixel of each needed result pixel, -1 outside. Positions are summed up from 0 as Pillow does.
void nearest_positions(const ResizeAxis& axis, std::vector<AxisWeights::Span>& spans) {
  const double step = static_cast<double>(axis.in) / axis.out;
  double position = step * 0.5;
  spans.resize(static_cast<std::size_t>(axis.count));
  for (int i = 0; i < axis.first; ++i) position += step;
  for (auto& span : spans) {
    const int at = static_cast<int>(position);
    span = {at < axis.in ? at : -1, 1};
    position += step;
  }
}

void nearest_part(const std::uint8_t* in, const ResizeAxis& x, const ResizeAxis& y, ResizeScratch& scratch,
                  std::uint8_t* out, std::size_t out_stride) {
  auto& columns = scratch.horizontal.spans;
  auto& rows = scratch.vertical.spans;
  nearest_positions(x, columns);
  nearest_positions(y, rows);
  scratch.horizontal.axis = scratch.vertical.axis = {};
  for (std::size_t j = 0; j < rows.size(); ++j) {
    std::uint8_t* to = out + j * out_stride;
    if (rows[j].first < 0) {
      std::memset(to, 0, columns.size() * 3);
      continue;
    }
    const std::uint8_t* row = in + static_cast<std::size_t>(rows[j].first) * static_cast<std::size_t>(x.in) * 3;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].first < 0)
        std::memset(to + i * 3, 0, 3);
      else
        std::memcpy(to + i * 3, row + static_cast<std::size_t>(columns[i].first) * 3, 3);
    }
  }
}

// Source pixels that a side reads.
struct Range {
  std::size_t first = 0;
  std::size_t count = 0;
};

Range source_range(const AxisWeights& axis) {
  const auto first = static_cast<std::size_t>(axis.spans.front().first);
  return {first, static_cast<std::size_t>(axis.spans.back().first + axis.spans.back().count) - first};
}

// Since Pillow 13: a height that shrinks by more than twice as many pixels as the width is filtered first. The order
// shows in the result, because the first pass rounds to 8 bits.
bool vertical_first(const ResizeAxis& x, const ResizeAxis& y) {
  return y.in > y.out && y.in - y.out > (x.in - x.out) * 2;
}

// Both passes in Pillow's usual order; a side that keeps its size is not filtered at all.
void horizontal_then_vertical(const std::uint8_t* in, const ResizeAxis& x, const ResizeAxis& y, ResizeScratch& scratch,
                              std::uint8_t* out, std::size_t out_stride) {
  const auto in_stride = static_cast<std::size_t>(x.in) * 3;
  const auto width = static_cast<std::size_t>(x.count) * 3;
  const bool change_y = y.in != y.out;
  const Range rows = change_y ? source_range(scratch.vertical)
                              : Range{static_cast<std::size_t>(y.first), static_cast<std::size_t>(y.count)};
  const std::uint8_t* from = in + rows.first * in_stride + static_cast<std::size_t>(x.first) * 3;
  std::size_t stride = in_stride;
  if (x.in != x.out) {
    std::uint8_t* to = out;
    stride = out_stride;
    if (change_y) {
      scratch.rows.resize(rows.count * width);
      to = scratch.rows.data();
      stride = width;
    }
    for (std::size_t j = 0; j < rows.count; ++j)
      scratch.kernel->horizontal(in + (rows.first + j) * in_stride,
                                 in_stride * (static_cast<std::size_t>(y.in) - rows.first - j), 0, scratch.horizontal,
                                 to + j * stride);
    from = to;
  }
  if (!change_y) return;
  scratch.sums.resize(width);
  for (std::size_t j = 0; j < static_cast<std::size_t>(y.count); ++j) {
    const AxisWeights::Span& span = scratch.vertical.spans[j];
    scratch.kernel->vertical(from + (static_cast<std::size_t>(span.first) - rows.first) * stride, stride,
                             scratch.vertical, j, width, scratch.sums.data(), out + j * out_stride);
  }
}

void vertical_then_horizontal(const std::uint8_t* in, const ResizeAxis& x, const ResizeAxis& y, ResizeScratch& scratch,
                              std::uint8_t* out, std::size_t out_stride) {
  const auto in_stride = static_cast<std::size_t>(x.in) * 3;
  const Range columns = source_range(scratch.horizontal);
  const std::size_t width = columns.count * 3;
  scratch.rows.resize(width);
  scratch.sums.resize(width);
  for (std::size_t j = 0; j < static_cast<std::size_t>(y.count); ++j) {
    const AxisWeights::Span& span = scratch.vertical.spans[j];
    scratch.kernel->vertical(in + static_cast<std::size_t>(span.first) * in_stride + columns.first * 3, in_stride,
                             scratch.vertical, j, width, scratch.sums.data(), scratch.rows.data());
    scratch.kernel->horizontal(scratch.rows.data(), width, static_cast<int>(columns.first), scratch.horizontal,
                               out + j * out_stride);
  }
}

}  // namespace

void resize_part(const std::uint8_t* in, const ResizeAxis& x, const ResizeAxis& y, Interpolation filter,
                 ResizeScratch& scratch, std::uint8_t* out, std::size_t out_stride) {
  if (x.count <= 0 || y.count <= 0) return;
  const bool change_x = x.in != x.out;
  const bool change_y = y.in != y.out;
  if (!change_x && !change_y) {
    const auto in_stride = static_cast<std::size_t>(x.in) * 3;
    for (std::size_t j = 0; j < static_cast<std::size_t>(y.count); ++j)
      std::memcpy(out + j * out_stride,
                  in + (static_cast<std::size_t>(y.first) + j) * in_stride + static_cast<std::size_t>(x.first) * 3,
                  static_cast<std::size_t>(x.count) * 3);
    return;
  }
  if (filter == Interpolation::nearest) return nearest_part(in, x, y, scratch, out, out_stride);
  if (change_x) compute_weights(x, filter, scratch.kernel->prepare_horizontal, scratch.horizontal);
  if (change_y) compute_weights(y, filter, scratch.kernel->prepare_vertical, scratch.vertical);
  if (change_x && change_y && vertical_first(x, y))
    vertical_then_horizontal(in, x, y, scratch, out, out_stride);
  else
    horizontal_then_vertical(in, x, y, scratch, out, out_stride);
}

bool RowResize::begin(const ResizeAxis& x, const ResizeAxis& y, Interpolation filter, ResizeScratch& scratch,
                      std::uint8_t* out, std::size_t out_stride) {
  if (x.count <= 0 || y.count <= 0 || x.in == x.out || y.in == y.out) return false;
  if (filter == Interpolation::nearest || vertical_first(x, y)) return false;
  compute_weights(x, filter, scratch.kernel->prepare_horizontal, scratch.horizontal);
  compute_weights(y, filter, scratch.kernel->prepare_vertical, scratch.vertical);
  const Range rows = source_range(scratch.vertical);
  scratch_ = &scratch;
  out_ = out;
  out_stride_ = out_stride;
  width_ = static_cast<std::size_t>(x.count) * 3;
  first_ = rows.first;
  done_ = 0;
  scratch.rows.resize(rows.count * width_);
  scratch.sums.resize(width_);
  return true;
}

void RowResize::row(int y, int left, int count, const std::uint8_t* rgb) {
  const auto at = static_cast<std::size_t>(y);
  const std::vector<AxisWeights::Span>& spans = scratch_->vertical.spans;
  if (at < first_ || done_ == spans.size()) return;
  std::uint8_t* rows = scratch_->rows.data();
  scratch_->kernel->horizontal(rgb, static_cast<std::size_t>(count) * 3, left, scratch_->horizontal,
                               rows + (at - first_) * width_);
  // Each row of the result as soon as its sources are there, which are still in the cache then.
  for (; done_ < spans.size() && spans[done_].first + spans[done_].count <= y + 1; ++done_) {
    const std::uint8_t* from = rows + (static_cast<std::size_t>(spans[done_].first) - first_) * width_;
    scratch_->kernel->vertical(from, width_, scratch_->vertical, done_, width_, scratch_->sums.data(),
                               out_ + done_ * out_stride_);
  }
}

std::pair<int, int> resize_source(const ResizeAxis& axis, Interpolation filter) {
  const double scale = static_cast<double>(axis.in) / axis.out;
  const double support = support_of(filter) * std::max(scale, 1.0) + 1;
  const double first = std::floor(axis.first * scale - support);
  const double last = std::ceil((static_cast<double>(axis.first) + axis.count) * scale + support);
  return {static_cast<int>(std::clamp(first, 0.0, static_cast<double>(axis.in))),
          static_cast<int>(std::clamp(last, 0.0, static_cast<double>(axis.in)))};
}

}  // namespace ptrun
