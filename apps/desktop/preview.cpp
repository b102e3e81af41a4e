#include "preview.h"

#include <QPainter>

#include "overlay.h"
#include "theme.h"

namespace desktop {
namespace {

constexpr qsizetype kCacheBytes = 48 << 20;  // so that a step back is there at once

}  // namespace

Preview::Preview(const PhotoModel& model, const QSize& pixels, QWidget* parent)
    : QWidget(parent), model_(model), thumbnailer_(kCacheBytes, 1) {
  thumbnailer_.set_size(pixels);
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
  connect(&thumbnailer_, &Thumbnailer::ready, this, [this](int photo) {
    if (photo == photo_) load();
  });
}

void Preview::forget() {
  thumbnailer_.clear();
  show_photo(-1);
}

void Preview::show_photo(int photo) {
  photo_ = photo;
  load();
}

void Preview::load() {
  picture_ = photo_ < 0 ? QImage() : thumbnailer_.picture(photo_, model_.photo(photo_).path);
  masks_ = QImage();
  if (photo_ >= 0) {
    const Photo& photo = model_.photo(photo_);
    if (photo.outcome && photo.outcome->ok() && !picture_.isNull()) {
      masks_ = draw_masks(*photo.outcome->prediction, picture_.size());
    }
  }
  update();
}

void Preview::paintEvent(QPaintEvent* /*event*/) {
  QPainter painter(this);
  painter.setRenderHints(QPainter::Antialiasing | QPainter::SmoothPixmapTransform);
  if (picture_.isNull()) {
    painter.setPen(Qt::NoPen);
    painter.setBrush(tint(palette(), 0.05));
    painter.drawRoundedRect(rect(), 8, 8);
    painter.setPen(faded(palette()));
    const bool missing = photo_ >= 0 && thumbnailer_.is_missing(photo_);
    painter.drawText(rect(), Qt::AlignCenter, missing ? QStringLiteral("no preview") : QString());
    return;
  }
  // A small picture is not blown up beyond twice its pixels.
  const QSizeF room = QSizeF(size()).boundedTo(QSizeF(picture_.size()) * 2.0);
  QRectF place(QPointF(), QSizeF(picture_.size()).scaled(room, Qt::KeepAspectRatio));
  place.moveCenter(QRectF(rect()).center());
  painter.drawImage(place, picture_);
  if (!masks_.isNull()) painter.drawImage(place, masks_);
  const Photo& photo = model_.photo(photo_);
  if (photo.outcome && photo.outcome->ok()) draw_overlay(painter, place, *photo.outcome->prediction, true);
}

void Preview::mouseDoubleClickEvent(QMouseEvent* /*event*/) { Q_EMIT opened(); }

}  // namespace desktop
