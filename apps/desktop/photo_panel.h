// The side panel's lower part: the selected photo and all its scores, or why it failed.
#pragma once

#include <QLabel>
#include <QWidget>

#include "photo_model.h"
#include "preview.h"
#include "score_bars.h"

namespace desktop {

class PhotoPanel : public QWidget {
  Q_OBJECT

 public:
  // The model must outlive it.
  explicit PhotoPanel(const PhotoModel& model, QWidget* parent = nullptr);

  // -1: no photo. Call again when the photo has got its answer.
  void show_photo(int photo);
  void forget();
  int photo() const { return preview_->photo(); }

 Q_SIGNALS:
  void opened();

 private:
  const PhotoModel& model_;
  Preview* preview_;
  QLabel* name_;
  QLabel* details_;
  QLabel* reason_;
  ScoreBars* scores_;
};

}  // namespace desktop
