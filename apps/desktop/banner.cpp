#include "banner.h"

#include <QHBoxLayout>
#include <QToolButton>

#include "theme.h"

namespace desktop {

Banner::Banner(QWidget* parent) : QFrame(parent), label_(new QLabel) {
  setObjectName(QStringLiteral("banner"));
  setAutoFillBackground(true);
  label_->setTextFormat(Qt::PlainText);
  label_->setWordWrap(true);
  label_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  auto* close = new QToolButton;
  close->setText(QStringLiteral("✕"));
  close->setAccessibleName(QStringLiteral("Close message"));
  close->setAutoRaise(true);
  connect(close, &QToolButton::clicked, this, &QWidget::hide);
  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(12, 6, 6, 6);
  layout->addWidget(label_, 1);
  layout->addWidget(close, 0, Qt::AlignTop);
  hide();
}

void Banner::say(const QString& text) { show_text(text, palette().color(QPalette::Highlight)); }
void Banner::complain(const QString& text) { show_text(text, error_colour(QPalette(palette().color(QPalette::Base)))); }

void Banner::show_text(const QString& text, const QColor& colour) {
  // The style sheet only tints: the rest stays the palette's.
  setStyleSheet(
      QStringLiteral("#banner { background: rgba(%1, %2, %3, 48); border-bottom: 1px solid rgb(%1, %2, %3); }")
          .arg(colour.red())
          .arg(colour.green())
          .arg(colour.blue()));
  label_->setText(text);
  setAccessibleName(text);
  show();
}

}  // namespace desktop
