// The results of one photo as labelled bars.
#pragma once

#include <QColor>
#include <QString>
#include <QWidget>
#include <vector>

#include "ptrun/prediction.h"

namespace desktop {

class ScoreBars : public QWidget {
  Q_OBJECT

 public:
  struct Bar {
    QString label;
    QString value;      // as it is written
    double part = 0.0;  // of the full length, 0..1
    QColor colour;
  };

  explicit ScoreBars(QWidget* parent = nullptr);

  void show_prediction(const ptrun::Prediction& prediction);
  void clear();
  const std::vector<Bar>& bars() const { return bars_; }

  QSize sizeHint() const override;
  QSize minimumSizeHint() const override;

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  int bar_height() const;

  std::vector<Bar> bars_;
};

}  // namespace desktop
