// Masks as translucent pictures.
#pragma once

#include <QColor>
#include <QImage>
#include <QSize>

#include "ptrun/prediction.h"

namespace desktop {

// `mask` (COCO's compressed run lengths, column by column) at `size`, its inside in `colour`, the rest transparent;
// null for counts that are not those of a mask of its width and height. Takes time by the runs and by `size`.
QImage mask_image(const ptrun::Mask& mask, const QSize& size, const QColor& colour);

// The class of each pixel of a semantic segmentation at `size`, each in its colour at `alpha` (0..255). Class 0, in
// most label sets the background, is transparent. Null where the prediction has no such map.
QImage segment_image(const ptrun::Prediction& prediction, const QSize& size, int alpha);

}  // namespace desktop
