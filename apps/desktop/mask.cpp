#include "mask.h"

#include <array>
#include <cstdint>
#include <vector>

#include "summary.h"

namespace desktop {
namespace {

// Lengths of the runs, outside and inside by turns, beginning outside: rleFrString of pycocotools' maskApi.c.
// Empty where the text is none.
std::vector<std::int64_t> run_lengths(const std::string& counts) {
  std::vector<std::int64_t> runs;
  std::size_t at = 0;
  while (at < counts.size()) {
    std::int64_t value = 0;
    int shift = 0;
    bool more = true;
    while (more) {
      if (at == counts.size() || shift > 40) return {};
      const int c = static_cast<unsigned char>(counts[at++]) - 48;
      if (c < 0 || c > 63) return {};
      value |= static_cast<std::int64_t>(c & 0x1f) << shift;
      more = (c & 0x20) != 0;
      shift += 5;
      if (!more && (c & 0x10) != 0) value |= -(std::int64_t{1} << shift);
    }
    if (runs.size() > 2) value += runs[runs.size() - 2];
    if (value < 0) return {};
    runs.push_back(value);
  }
  return runs;
}

}  // namespace

QImage mask_image(const ptrun::Mask& mask, const QSize& size, const QColor& colour) {
  if (mask.width < 1 || mask.height < 1 || size.isEmpty()) return {};
  const std::vector<std::int64_t> runs = run_lengths(mask.counts);
  std::int64_t total = 0;
  const std::int64_t pixels = std::int64_t{mask.width} * mask.height;
  for (const std::int64_t run : runs) {
    total += run;
    if (total > pixels) return {};
  }
  if (runs.empty() || total != pixels) return {};

  QImage image(size, QImage::Format_ARGB32_Premultiplied);
  image.fill(Qt::transparent);
  const QRgb inside = qPremultiply(colour.rgba());
  std::size_t run = 0;
  std::int64_t run_end = runs[0];
  // Column by column, as the runs go, so that they are walked once.
  for (int x = 0; x < size.width(); ++x) {
    const std::int64_t column = std::int64_t{x} * mask.width / size.width() * mask.height;
    for (int y = 0; y < size.height(); ++y) {
      const std::int64_t pixel = column + std::int64_t{y} * mask.height / size.height();
      // An enlarged picture meets a column again.
      while (run > 0 && pixel < run_end - runs[run]) run_end -= runs[run--];
      while (pixel >= run_end) run_end += runs[++run];
      if (run % 2 == 1) reinterpret_cast<QRgb*>(image.scanLine(y))[x] = inside;
    }
  }
  return image;
}

QImage segment_image(const ptrun::Prediction& prediction, const QSize& size, int alpha) {
  const std::int64_t width = prediction.geometry.original_width;
  const std::int64_t height = prediction.geometry.original_height;
  if (prediction.segment_map.empty() || size.isEmpty()) return {};
  if (static_cast<std::int64_t>(prediction.segment_map.size()) != width * height) return {};
  std::array<QRgb, 256> colours{};
  for (int i = 1; i < 256; ++i) {
    QColor colour = class_colour(i);
    colour.setAlpha(alpha);
    colours[static_cast<std::size_t>(i)] = qPremultiply(colour.rgba());
  }
  QImage image(size, QImage::Format_ARGB32_Premultiplied);
  for (int y = 0; y < size.height(); ++y) {
    auto* line = reinterpret_cast<QRgb*>(image.scanLine(y));
    const std::int64_t row = y * height / size.height() * width;
    for (int x = 0; x < size.width(); ++x) {
      line[x] = colours[prediction.segment_map[static_cast<std::size_t>(row + x * width / size.width())]];
    }
  }
  return image;
}

}  // namespace desktop
