#include "photo_delegate.h"

#include <QApplication>
#include <QPainter>
#include <QStyle>
#include <QTextOption>

#include "overlay.h"
#include "theme.h"

namespace desktop {
namespace {

constexpr int kMargin = 6;    // around a tile
constexpr int kPadding = 6;   // inside it
constexpr double kRound = 8;  // corners
constexpr int kTextLines = 2;

}  // namespace

PhotoDelegate::PhotoDelegate(PhotoModel& model, Thumbnailer& thumbnailer, QObject* parent)
    : QStyledItemDelegate(parent), model_(model), thumbnailer_(thumbnailer) {}

void PhotoDelegate::set_picture_width(int width) { picture_ = QSize(width, width * 3 / 4); }

QSize PhotoDelegate::tile_size(const QFont& font) const {
  const int text = kTextLines * QFontMetrics(font).height() + 2;
  return {picture_.width() + 2 * (kMargin + kPadding), picture_.height() + text + 2 * kMargin + 3 * kPadding};
}

QSize PhotoDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& /*index*/) const {
  return tile_size(option.font).expandedTo(cell_);
}

void PhotoDelegate::paint_picture(QPainter& painter, const QRect& area, const QPalette& palette, int number) const {
  const Photo& photo = model_.photo(number);
  const QImage image = thumbnailer_.picture(number, photo.path);
  if (image.isNull()) {
    painter.setPen(Qt::NoPen);
    painter.setBrush(tint(palette, 0.06));
    painter.drawRoundedRect(area, kRound / 2, kRound / 2);
    if (!photo.failed() && thumbnailer_.is_missing(number)) {
      painter.setPen(palette.color(QPalette::Disabled, QPalette::Text));
      painter.drawText(area, Qt::AlignCenter, QStringLiteral("no preview"));
    }
    if (photo.failed()) paint_reason(painter, area, palette, photo);
    return;
  }
  const QSizeF size = QSizeF(image.size()).scaled(QSizeF(area.size()), Qt::KeepAspectRatio);
  const bool smaller = image.width() < area.width() && image.height() < area.height();
  QRectF place(QPointF(), smaller ? QSizeF(image.size()) : size);
  place.moveCenter(QRectF(area).center());
  // Whole pixels: the picture was decoded for exactly this place.
  place.moveTopLeft(place.topLeft().toPoint());
  painter.drawImage(place, image);
  if (photo.outcome && photo.outcome->ok()) draw_overlay(painter, place, *photo.outcome->prediction, false);
  if (photo.failed()) paint_reason(painter, area, palette, photo);
}

// A damaged file may have a picture all the same: its upper part, most often. The reason stands over it.
void PhotoDelegate::paint_reason(QPainter& painter, const QRect& area, const QPalette& palette, const Photo& photo) {
  QColor veil = palette.color(QPalette::Base);
  veil.setAlpha(215);
  painter.setPen(Qt::NoPen);
  painter.setBrush(veil);
  painter.drawRoundedRect(area, kRound / 2, kRound / 2);
  const int side = painter.fontMetrics().height() * 3 / 2;
  const QIcon icon = QApplication::style()->standardIcon(QStyle::SP_MessageBoxWarning);
  icon.paint(&painter, QRect(area.center().x() - side / 2, area.top() + 6, side, side));
  painter.setPen(error_colour(palette));
  QTextOption wrap(Qt::AlignHCenter | Qt::AlignTop);
  wrap.setWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
  painter.setClipRect(area, Qt::IntersectClip);
  painter.drawText(QRectF(area.adjusted(6, side + 10, -6, 0)), photo.summary.reason, wrap);
  painter.setClipping(false);
}

void PhotoDelegate::paint_text(QPainter& painter, const QRect& area, const QStyleOptionViewItem& option,
                               const Photo& photo) {
  const QFontMetrics metrics(option.font);
  QRect line(area.left(), area.top(), area.width(), metrics.height());
  QFont bold = option.font;
  bold.setWeight(QFont::DemiBold);
  const QColor text = option.palette.color(QPalette::Text);
  const QColor quiet = faded(option.palette);

  int room = line.width();
  if (photo.summary.has_score) {
    const QString score = score_text(photo.summary.score, photo.summary.logit);
    painter.setPen(quiet);
    painter.drawText(line, Qt::AlignRight | Qt::AlignVCenter, score);
    room -= metrics.horizontalAdvance(score) + 6;
  }
  painter.setFont(bold);
  const QString headline = photo.waiting() ? QStringLiteral("…") : photo.summary.headline;
  painter.setPen(photo.waiting() ? quiet : photo.failed() ? error_colour(option.palette) : text);
  painter.drawText(line, Qt::AlignLeft | Qt::AlignVCenter,
                   QFontMetrics(bold).elidedText(headline, Qt::ElideRight, room));
  painter.setFont(option.font);
  line.translate(0, metrics.height() + 1);
  painter.setPen(quiet);
  painter.drawText(line, Qt::AlignLeft | Qt::AlignVCenter,
                   metrics.elidedText(photo.name, Qt::ElideMiddle, line.width()));
}

void PhotoDelegate::paint(QPainter* painter, const QStyleOptionViewItem& given, const QModelIndex& index) const {
  const int number = model_.photo_at(index);
  if (number < 0) return;
  QStyleOptionViewItem option = given;
  initStyleOption(&option, index);
  const bool selected = (option.state & QStyle::State_Selected) != 0;
  const bool focused = (option.state & QStyle::State_HasFocus) != 0;
  const bool hovered = (option.state & QStyle::State_MouseOver) != 0;

  painter->save();
  painter->setRenderHint(QPainter::Antialiasing);
  QRect tile(QPoint(), tile_size(option.font));
  tile.moveCenter(option.rect.center());
  tile.adjust(kMargin, kMargin, -kMargin, -kMargin);
  QColor accent = option.palette.color(QPalette::Highlight);
  if (selected || hovered) {
    QColor fill = selected ? accent : tint(option.palette, 0.08);
    if (selected) fill.setAlpha(70);
    painter->setBrush(fill);
    painter->setPen(selected || focused ? QPen(accent, 2) : QPen(Qt::NoPen));
    painter->drawRoundedRect(tile, kRound, kRound);
  } else {
    painter->setBrush(tint(option.palette, 0.03));
    painter->setPen(QPen(tint(option.palette, 0.12), 1));
    painter->drawRoundedRect(QRectF(tile).adjusted(0.5, 0.5, -0.5, -0.5), kRound, kRound);
  }
  const QRect inside = tile.adjusted(kPadding, kPadding, -kPadding, -kPadding);
  paint_picture(*painter, QRect(inside.topLeft(), picture_), option.palette, number);
  const QRect words(inside.left(), inside.top() + picture_.height() + kPadding, inside.width(),
                    inside.height() - picture_.height() - kPadding);
  paint_text(*painter, words, option, model_.photo(number));
  painter->restore();
}

}  // namespace desktop
