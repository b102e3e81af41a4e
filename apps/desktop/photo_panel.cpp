#include "photo_panel.h"

#include <QVBoxLayout>

#include "theme.h"

namespace desktop {
namespace {

QLabel* plain_label(const QString& name) {
  auto* label = new QLabel;
  label->setObjectName(name);
  label->setTextFormat(Qt::PlainText);  // names and messages are foreign text
  label->setWordWrap(true);
  label->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
  return label;
}

QString details_of(const Photo& photo) {
  if (photo.waiting()) return QStringLiteral("waiting");
  if (photo.failed()) return photo.summary.headline;
  const ptrun::Prediction& prediction = *photo.outcome->prediction;
  QString text =
      QStringLiteral("%1 × %2").arg(prediction.geometry.original_width).arg(prediction.geometry.original_height);
  if (prediction.mode != "RGB") text += QStringLiteral(" · %1").arg(shown(prediction.mode));
  if (prediction.exif_orientation != 1) text += QStringLiteral(" · turned upright");
  if (!prediction.detections.empty()) text += QStringLiteral(" · %1 found").arg(prediction.detections.size());
  return text;
}

}  // namespace

PhotoPanel::PhotoPanel(const PhotoModel& model, QWidget* parent)
    : QWidget(parent),
      model_(model),
      preview_(new Preview(model, QSize(1024, 768))),
      name_(plain_label(QStringLiteral("photo_name"))),
      details_(plain_label(QStringLiteral("photo_details"))),
      reason_(plain_label(QStringLiteral("photo_reason"))),
      scores_(new ScoreBars) {
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(preview_);
  layout->addWidget(name_);
  layout->addWidget(details_);
  layout->addWidget(reason_);
  layout->addSpacing(4);
  layout->addWidget(scores_);
  layout->addStretch(1);
  QFont bold = font();
  bold.setWeight(QFont::DemiBold);
  name_->setFont(bold);
  connect(preview_, &Preview::opened, this, &PhotoPanel::opened);
  show_photo(-1);
}

void PhotoPanel::forget() {
  preview_->forget();
  show_photo(-1);
}

void PhotoPanel::show_photo(int number) {
  preview_->show_photo(number);
  scores_->clear();
  reason_->hide();
  if (number < 0) {
    name_->setText({});
    details_->setText(QStringLiteral("Select a photo to see its scores."));
    return;
  }
  const Photo& photo = model_.photo(number);
  name_->setText(photo.name);
  details_->setText(details_of(photo));
  if (photo.failed()) {
    QPalette red = palette();
    red.setColor(QPalette::WindowText, error_colour(palette()));
    reason_->setPalette(red);
    reason_->setText(photo.summary.reason);
    reason_->show();
  } else if (!photo.waiting()) {
    scores_->show_prediction(*photo.outcome->prediction);
  }
}

}  // namespace desktop
