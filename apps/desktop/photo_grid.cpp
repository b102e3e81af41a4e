#include "photo_grid.h"

#include <QPainter>
#include <QScrollBar>
#include <QWheelEvent>
#include <algorithm>

#include "theme.h"

namespace desktop {
namespace {

constexpr int kSmallest = 96;
constexpr int kLargest = 448;
constexpr int kZoomStep = 32;

}  // namespace

PhotoGrid::PhotoGrid(PhotoModel& model, Thumbnailer& thumbnailer, QWidget* parent)
    : QListView(parent), model_(model), thumbnailer_(thumbnailer), delegate_(model, thumbnailer) {
  setObjectName(QStringLiteral("grid"));
  setAccessibleName(QStringLiteral("Photos"));
  // ListMode with wrapping and not IconMode, whose layout of thousands of items takes longer than a frame.
  setViewMode(QListView::ListMode);
  setFlow(QListView::LeftToRight);
  setWrapping(true);
  setResizeMode(QListView::Adjust);
  setUniformItemSizes(true);
  setLayoutMode(QListView::SinglePass);
  setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  // Always there: a bar that comes and goes would change the columns.
  setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOn);
  setSelectionMode(QAbstractItemView::SingleSelection);
  setFrameShape(QFrame::NoFrame);
  setMouseTracking(true);
  setItemDelegate(&delegate_);
  setModel(&model_);
}

void PhotoGrid::set_picture_width(int width) {
  delegate_.set_picture_width(std::clamp(width, kSmallest, kLargest));
  lay_out();
}

void PhotoGrid::zoom(int steps) { set_picture_width(picture_width() + steps * kZoomStep); }

void PhotoGrid::lay_out() {
  const QSize picture(picture_width(), picture_width() * 3 / 4);
  thumbnailer_.set_size(picture * devicePixelRatioF());
  // The columns share the width; the tiles stand in their middle.
  QSize cell = delegate_.tile_size(font());
  const int width = viewport()->width() - 1;
  cell.setWidth(std::max(cell.width(), width / std::max(1, width / cell.width())));
  if (cell == gridSize()) return;
  delegate_.set_cell(cell);
  setGridSize(cell);
  verticalScrollBar()->setSingleStep(gridSize().height() / 4);
  if (currentIndex().isValid()) scrollTo(currentIndex());
  viewport()->update();
}

void PhotoGrid::update_photo(int photo) {
  if (photo < model_.size() && model_.row_of(photo) >= 0) update(model_.index(model_.row_of(photo)));
}

void PhotoGrid::set_empty_text(const QString& text) {
  empty_text_ = text;
  if (model_.rowCount() == 0) viewport()->update();
}

void PhotoGrid::dataChanged(const QModelIndex& top_left, const QModelIndex& bottom_right, const QList<int>& roles) {
  QAbstractItemView::dataChanged(top_left, bottom_right, roles);
}

void PhotoGrid::paintEvent(QPaintEvent* event) {
  QListView::paintEvent(event);
  if (model_.rowCount() > 0 || empty_text_.isEmpty()) return;
  QPainter painter(viewport());
  painter.setRenderHint(QPainter::Antialiasing);
  const QRect area = viewport()->rect().adjusted(24, 24, -24, -24);
  painter.setPen(QPen(tint(palette(), 0.25), 2, Qt::DashLine));
  painter.drawRoundedRect(area, 16, 16);
  QFont large = font();
  large.setPointSizeF(font().pointSizeF() * 1.25);
  painter.setFont(large);
  painter.setPen(faded(palette()));
  painter.drawText(area.adjusted(16, 16, -16, -16), Qt::AlignCenter | Qt::TextWordWrap, empty_text_);
}

void PhotoGrid::resizeEvent(QResizeEvent* event) {
  lay_out();
  QListView::resizeEvent(event);
}

void PhotoGrid::wheelEvent(QWheelEvent* event) {
  if ((event->modifiers() & Qt::ControlModifier) != 0) {
    zoom(event->angleDelta().y() > 0 ? 1 : -1);
    event->accept();
    return;
  }
  QListView::wheelEvent(event);
}

void PhotoGrid::changeEvent(QEvent* event) {
  QListView::changeEvent(event);
  if (event->type() == QEvent::FontChange || event->type() == QEvent::StyleChange) lay_out();
}

void PhotoGrid::showEvent(QShowEvent* event) {
  QListView::showEvent(event);
  lay_out();  // the screen's pixel ratio is known now
}

}  // namespace desktop
