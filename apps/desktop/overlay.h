// What a prediction says about places in the photo, drawn over it.
#pragma once

#include <QImage>
#include <QPainter>
#include <QRectF>

#include "ptrun/prediction.h"

namespace desktop {

// Boxes, rotated ones by their corners, and keypoints over the photo that is drawn in `area`; `captions` adds label and
// score to each box. The painter comes back as it was.
void draw_overlay(QPainter& painter, const QRectF& area, const ptrun::Prediction& prediction, bool captions);

// Masks and segments of the photo at `size` pixels, transparent elsewhere; null where there are none. Takes
// milliseconds a mask: keep the result.
QImage draw_masks(const ptrun::Prediction& prediction, const QSize& size);

}  // namespace desktop
