// What a tile, the filter and the sorting need to know of an outcome.
#pragma once

#include <QColor>
#include <QString>
#include <QStringList>

#include "ptrun/prediction.h"

namespace desktop {

struct Summary {
  QString headline;    // "Egyptian cat", "2 × person, dog" for detections, "cannot be decoded" for a failure
  QString reason;      // of a failure: what was found and what to do, without the photo's path
  QStringList labels;  // distinct labels, best first; what the filter offers
  bool has_score = false;
  float score = 0.0F;  // of the best class or detection
  bool logit = false;  // `score` is a logit
};

// `path`: the photo's, as it was given to the predictor.
Summary summarise(const ptrun::Outcome& outcome, const std::string& path);

// Foreign text made safe for one line of a widget that shows plain text.
QString shown(const std::string& text);
// The name of a class: its label, or "class 7" where the model has none.
QString class_name(int index, const std::string& label);
// "97.3 %", or the number itself for a logit.
QString score_text(float score, bool logit);
// The same colour for a class wherever it is drawn, apart from its neighbours'.
QColor class_colour(int index);

}  // namespace desktop
