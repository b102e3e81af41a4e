// The grid of tiles: layout, zoom, and what it says while it is empty.
#pragma once

#include <QListView>

#include "photo_delegate.h"

namespace desktop {

class PhotoGrid : public QListView {
  Q_OBJECT

 public:
  // Both must outlive it.
  PhotoGrid(PhotoModel& model, Thumbnailer& thumbnailer, QWidget* parent = nullptr);

  // Width of a picture; kept between the smallest and the largest.
  void set_picture_width(int width);
  int picture_width() const { return delegate_.picture_width(); }
  void zoom(int steps);
  // Repaints the tile of `photo`, if it is shown.
  void update_photo(int photo);
  // Shown in the middle while there is no tile.
  void set_empty_text(const QString& text);

  // Tiles do not change their size with their contents: a repaint, no new layout of thousands of tiles.
  void dataChanged(const QModelIndex& top_left, const QModelIndex& bottom_right,
                   const QList<int>& roles = QList<int>()) override;

 protected:
  void paintEvent(QPaintEvent* event) override;
  void wheelEvent(QWheelEvent* event) override;
  void changeEvent(QEvent* event) override;
  void showEvent(QShowEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;

 private:
  void lay_out();

  PhotoModel& model_;
  Thumbnailer& thumbnailer_;
  PhotoDelegate delegate_;
  QString empty_text_;
};

}  // namespace desktop
