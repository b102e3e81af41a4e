#include "score_bars.h"

#include <QPainter>
#include <algorithm>
#include <cmath>

#include "summary.h"
#include "theme.h"

namespace desktop {
namespace {

constexpr int kGap = 6;
constexpr int kBar = 4;  // height of the bar under its words
constexpr std::size_t kMostBars = 100;

ScoreBars::Bar of_score(int index, const std::string& label, float score, bool logit, float largest, bool own_colour) {
  ScoreBars::Bar bar;
  bar.label = class_name(index, label);
  bar.value = score_text(score, logit);
  // Logits have no full length: the largest has it.
  const double full = logit ? std::max(1e-6, std::fabs(static_cast<double>(largest))) : 1.0;
  bar.part = std::clamp(static_cast<double>(score) / full, 0.0, 1.0);
  if (own_colour) bar.colour = class_colour(index);
  return bar;
}

std::vector<ScoreBars::Bar> of_tensors(const ptrun::Prediction& prediction) {
  std::vector<ScoreBars::Bar> bars;
  for (const ptrun::TensorOutput& tensor : prediction.tensors) {
    QStringList sizes;
    for (const std::int64_t size : tensor.shape) sizes.append(QString::number(size));
    bars.push_back({shown(tensor.name), sizes.join(QStringLiteral(" × ")), 0.0, {}});
  }
  return bars;
}

}  // namespace

ScoreBars::ScoreBars(QWidget* parent) : QWidget(parent) {
  setObjectName(QStringLiteral("scores"));
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Minimum);
}

void ScoreBars::clear() {
  bars_.clear();
  updateGeometry();
  update();
}

void ScoreBars::show_prediction(const ptrun::Prediction& prediction) {
  bars_.clear();
  const bool logit = prediction.logits;
  for (const ptrun::ClassScore& item : prediction.classes) {
    bars_.push_back(of_score(item.index, item.label, item.score, logit, prediction.classes.front().score, false));
  }
  for (const ptrun::Detection& item : prediction.detections) {
    bars_.push_back(of_score(item.index, item.label, item.score, logit, prediction.detections.front().score, true));
  }
  const double pixels = static_cast<double>(prediction.geometry.original_width) * prediction.geometry.original_height;
  for (const ptrun::SegmentArea& item : prediction.segments) {
    const double part = pixels > 0 ? std::clamp(static_cast<double>(item.area) / pixels, 0.0, 1.0) : 0.0;
    bars_.push_back({class_name(item.index, item.label), score_text(static_cast<float>(part), false), part,
                     class_colour(item.index)});
  }
  if (!prediction.embedding.empty()) {
    double sum = 0;
    for (const float value : prediction.embedding) sum += static_cast<double>(value) * static_cast<double>(value);
    bars_.push_back({QStringLiteral("values"), QString::number(prediction.embedding.size()), 0.0, {}});
    bars_.push_back({QStringLiteral("length"), QString::number(std::sqrt(sum), 'g', 6), 0.0, {}});
  }
  for (Bar& bar : of_tensors(prediction)) bars_.push_back(std::move(bar));
  if (bars_.size() > kMostBars) bars_.resize(kMostBars);
  QStringList spoken;
  for (const Bar& bar : bars_) spoken.append(bar.label + QLatin1Char(' ') + bar.value);
  setAccessibleName(spoken.join(QStringLiteral(", ")));
  updateGeometry();
  update();
}

int ScoreBars::bar_height() const { return fontMetrics().height() + kBar + 3 + kGap; }

QSize ScoreBars::sizeHint() const { return {200, static_cast<int>(bars_.size()) * bar_height()}; }
QSize ScoreBars::minimumSizeHint() const { return {80, sizeHint().height()}; }

void ScoreBars::paintEvent(QPaintEvent* /*event*/) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  int top = 0;
  for (const Bar& bar : bars_) {
    const QRect line(0, top, width(), fontMetrics().height());
    const int value_width = fontMetrics().horizontalAdvance(bar.value);
    painter.setPen(palette().color(QPalette::Text));
    painter.drawText(line, Qt::AlignRight | Qt::AlignVCenter, bar.value);
    painter.drawText(line, Qt::AlignLeft | Qt::AlignVCenter,
                     fontMetrics().elidedText(bar.label, Qt::ElideRight, width() - value_width - 8));
    const QRectF track(0, line.bottom() + 3, width(), kBar);
    painter.setPen(Qt::NoPen);
    painter.setBrush(tint(palette(), 0.10));
    painter.drawRoundedRect(track, kBar / 2.0, kBar / 2.0);
    if (bar.part > 0) {
      painter.setBrush(bar.colour.isValid() ? bar.colour : palette().color(QPalette::Highlight));
      painter.drawRoundedRect(QRectF(track.left(), track.top(), std::max<double>(kBar, track.width() * bar.part), kBar),
                              kBar / 2.0, kBar / 2.0);
    }
    top += bar_height();
  }
}

}  // namespace desktop
