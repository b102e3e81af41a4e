#include "overlay.h"

#include <QFontMetricsF>
#include <QPolygonF>
#include <algorithm>

#include "mask.h"
#include "summary.h"

namespace desktop {
namespace {

constexpr int kMaskAlpha = 110;               // of 255
constexpr float kKeypointVisible = 0.5F;      // keypoints below are guesses
constexpr std::ptrdiff_t kMostCaptions = 20;  // more would hide the photo
constexpr std::size_t kMostMasks = 50;        // each costs milliseconds; the best come first

// Above `corner`, or below it where there is no room.
void draw_caption(QPainter& painter, const QRectF& area, const QPointF& corner, const QColor& colour,
                  const QString& text) {
  const QFontMetricsF metrics(painter.font());
  QRectF place(corner.x(), corner.y() - metrics.height(), metrics.horizontalAdvance(text) + 8, metrics.height());
  if (place.top() < area.top()) place.moveTop(std::max(corner.y(), area.top()));
  if (place.right() > area.right()) place.moveRight(area.right());
  if (place.left() < area.left()) place.moveLeft(area.left());
  painter.fillRect(place, colour);
  painter.setPen(colour.lightness() > 110 ? Qt::black : Qt::white);
  painter.drawText(place, Qt::AlignCenter, text);
}

}  // namespace

void draw_overlay(QPainter& painter, const QRectF& area, const ptrun::Prediction& prediction, bool captions) {
  const double width = prediction.geometry.original_width;
  const double height = prediction.geometry.original_height;
  if (width <= 0 || height <= 0 || prediction.detections.empty()) return;
  const auto place = [&](float x, float y) {
    return QPointF(area.left() + static_cast<double>(x) / width * area.width(),
                   area.top() + static_cast<double>(y) / height * area.height());
  };
  painter.save();
  painter.setClipRect(area, Qt::IntersectClip);
  painter.setRenderHint(QPainter::Antialiasing);
  // The best is drawn last, over the others.
  for (auto detection = prediction.detections.rbegin(); detection != prediction.detections.rend(); ++detection) {
    const QColor colour = class_colour(detection->index);
    QPolygonF outline(QRectF(place(detection->x1, detection->y1), place(detection->x2, detection->y2)));
    QPointF caption = outline.first();
    if (!detection->corners.empty()) {
      outline.clear();
      for (const ptrun::Point& corner : detection->corners) outline.append(place(corner.x, corner.y));
      caption = *std::min_element(outline.begin(), outline.end(),
                                  [](const QPointF& a, const QPointF& b) { return a.y() < b.y(); });
    }
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(QColor(0, 0, 0, 120), captions ? 4.0 : 3.0));
    painter.drawPolygon(outline);
    painter.setPen(QPen(colour, captions ? 2.0 : 1.5));
    painter.drawPolygon(outline);
    painter.setBrush(colour);
    painter.setPen(Qt::NoPen);
    for (const ptrun::Keypoint& point : detection->keypoints) {
      if (point.score >= kKeypointVisible) painter.drawEllipse(place(point.x, point.y), 2.5, 2.5);
    }
    if (captions && prediction.detections.rend() - detection <= kMostCaptions) {
      draw_caption(painter, area, caption, colour,
                   class_name(detection->index, detection->label) + QLatin1Char(' ') +
                       score_text(detection->score, prediction.logits));
    }
  }
  painter.restore();
}

QImage draw_masks(const ptrun::Prediction& prediction, const QSize& size) {
  QImage all = segment_image(prediction, size, kMaskAlpha);
  std::size_t drawn = 0;
  for (const ptrun::Detection& detection : prediction.detections) {
    if (!detection.mask || drawn++ == kMostMasks) continue;
    QColor colour = class_colour(detection.index);
    colour.setAlpha(kMaskAlpha);
    const QImage one = mask_image(*detection.mask, size, colour);
    if (one.isNull()) continue;
    if (all.isNull()) {
      all = one;
    } else {
      QPainter(&all).drawImage(0, 0, one);
    }
  }
  return all;
}

}  // namespace desktop
