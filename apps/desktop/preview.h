// One photo, as large as there is room, with boxes, masks and captions.
#pragma once

#include <QWidget>

#include "photo_model.h"
#include "thumbnailer.h"

namespace desktop {

class Preview : public QWidget {
  Q_OBJECT

 public:
  // `pixels`: the largest picture that is decoded. The model must outlive it.
  Preview(const PhotoModel& model, const QSize& pixels, QWidget* parent = nullptr);

  // -1: nothing. Call again when the photo has got its answer.
  void show_photo(int photo);
  // The photos have new numbers.
  void forget();
  int photo() const { return photo_; }
  bool has_picture() const { return !picture_.isNull(); }

  QSize sizeHint() const override { return {320, 240}; }
  bool hasHeightForWidth() const override { return true; }
  int heightForWidth(int width) const override { return width * 3 / 4; }

 Q_SIGNALS:
  void opened();  // double click

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;

 private:
  void load();

  const PhotoModel& model_;
  Thumbnailer thumbnailer_;
  int photo_ = -1;
  QImage picture_;
  QImage masks_;
};

}  // namespace desktop
