// One tile of the grid: the photo with its boxes, its best label and score, or why it has none.
#pragma once

#include <QStyledItemDelegate>

#include "photo_model.h"
#include "thumbnailer.h"

namespace desktop {

class PhotoDelegate : public QStyledItemDelegate {
  Q_OBJECT

 public:
  // Both must outlive it.
  PhotoDelegate(PhotoModel& model, Thumbnailer& thumbnailer, QObject* parent = nullptr);

  // Width of the picture in a tile; its height is three quarters of that.
  void set_picture_width(int width);
  int picture_width() const { return picture_.width(); }
  // Of a tile, with its margins.
  QSize tile_size(const QFont& font) const;
  // The place that a tile has, at least as large; it stands in the middle.
  void set_cell(const QSize& cell) { cell_ = cell; }

  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
  QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;

 private:
  void paint_picture(QPainter& painter, const QRect& area, const QPalette& palette, int number) const;
  static void paint_reason(QPainter& painter, const QRect& area, const QPalette& palette, const Photo& photo);
  static void paint_text(QPainter& painter, const QRect& area, const QStyleOptionViewItem& option, const Photo& photo);

  PhotoModel& model_;
  Thumbnailer& thumbnailer_;
  QSize picture_ = {176, 132};
  QSize cell_;
};

}  // namespace desktop
