#include "summary.h"

#include <cmath>

#include "ptrun/text.h"

namespace desktop {
namespace {

constexpr std::size_t kLongestLabel = 120;
constexpr int kMostLabelsShown = 3;
constexpr double kGoldenAngle = 137.508;  // degrees: neighbours end up far apart on the colour wheel

struct Counted {
  QString label;
  int count = 0;
};

// "3 × person, dog": in the order of the best of each.
Summary of_detections(const ptrun::Prediction& prediction) {
  Summary summary;
  std::vector<Counted> counted;
  for (const ptrun::Detection& detection : prediction.detections) {
    const QString name = class_name(detection.index, detection.label);
    const auto known = summary.labels.indexOf(name);
    if (known >= 0) {
      ++counted[static_cast<std::size_t>(known)].count;
    } else {
      summary.labels.append(name);
      counted.push_back({name, 1});
    }
  }
  if (counted.empty()) {
    summary.headline = QStringLiteral("nothing found");
    return summary;
  }
  QStringList parts;
  for (const Counted& item : counted) {
    if (parts.size() == kMostLabelsShown) {
      parts.append(QStringLiteral("…"));
      break;
    }
    parts.append(item.count == 1 ? item.label : QStringLiteral("%1 × %2").arg(item.count).arg(item.label));
  }
  summary.headline = parts.join(QStringLiteral(", "));
  summary.has_score = true;
  summary.score = prediction.detections.front().score;
  summary.logit = prediction.logits;
  return summary;
}

Summary of_prediction(const ptrun::Prediction& prediction) {
  Summary summary;
  switch (prediction.task) {
    case ptrun::Task::classify:
      if (!prediction.classes.empty()) {
        const ptrun::ClassScore& best = prediction.classes.front();
        summary.headline = class_name(best.index, best.label);
        summary.labels.append(summary.headline);
        summary.has_score = true;
        summary.score = best.score;
        summary.logit = prediction.logits;
      }
      break;
    case ptrun::Task::segment:
      if (prediction.detections.empty() && !prediction.segments.empty()) {
        for (const ptrun::SegmentArea& area : prediction.segments) {
          summary.labels.append(class_name(area.index, area.label));
        }
        summary.headline = summary.labels.mid(0, kMostLabelsShown).join(QStringLiteral(", "));
        break;
      }
      [[fallthrough]];
    case ptrun::Task::detect:
    case ptrun::Task::keypoints: return of_detections(prediction);
    case ptrun::Task::embed:
      summary.headline = QStringLiteral("embedding of %1 values").arg(prediction.embedding.size());
      break;
    case ptrun::Task::restore:
      summary.headline = QStringLiteral("image of %1 × %2").arg(prediction.image_width).arg(prediction.image_height);
      break;
    case ptrun::Task::tensors:
      summary.headline = prediction.tensors.size() == 1 ? QStringLiteral("1 tensor")
                                                        : QStringLiteral("%1 tensors").arg(prediction.tensors.size());
      break;
  }
  return summary;
}

QString stage_words(ptrun::Stage stage) {
  switch (stage) {
    case ptrun::Stage::read: return QStringLiteral("cannot be read");
    case ptrun::Stage::decode: return QStringLiteral("cannot be decoded");
    case ptrun::Stage::preprocess: return QStringLiteral("cannot be prepared");
    case ptrun::Stage::model: return QStringLiteral("the model failed");
    case ptrun::Stage::output: return QStringLiteral("no usable result");
  }
  return QStringLiteral("failed");
}

// A message begins with its subject, which for a photo is the path that a tile shows anyway.
Summary of_failure(const ptrun::Failure& failure, const std::string& path) {
  Summary summary;
  summary.headline = stage_words(failure.stage);
  summary.reason = shown(failure.message);
  for (const QString& subject : {shown(path), QString::fromStdString(ptrun::printable(path))}) {
    const QString prefix = subject + QStringLiteral(": ");
    if (summary.reason.startsWith(prefix)) {
      summary.reason.remove(0, prefix.size());
      break;
    }
  }
  return summary;
}

}  // namespace

QString shown(const std::string& text) { return QString::fromStdString(ptrun::printable(text, 4096)); }

QString class_name(int index, const std::string& label) {
  if (label.empty()) return QStringLiteral("class %1").arg(index);
  return QString::fromStdString(ptrun::printable(label, kLongestLabel));
}

QString score_text(float score, bool logit) {
  return logit ? QString::number(static_cast<double>(score), 'f', 2)
               : QStringLiteral("%1 %").arg(100.0 * static_cast<double>(score), 0, 'f', 1);
}

QColor class_colour(int index) {
  const int hue = static_cast<int>(std::fmod(200.0 + kGoldenAngle * index, 360.0));
  return QColor::fromHsv((hue + 360) % 360, 210, 245);
}

Summary summarise(const ptrun::Outcome& outcome, const std::string& path) {
  return outcome.ok() ? of_prediction(*outcome.prediction) : of_failure(outcome.failure, path);
}

}  // namespace desktop
