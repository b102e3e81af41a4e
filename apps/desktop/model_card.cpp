#include "model_card.h"

#include <QFileInfo>
#include <QFontDatabase>
#include <QLocale>
#include <QVBoxLayout>

#include "summary.h"
#include "theme.h"

namespace desktop {
namespace {

QLabel* label(const QString& name, Qt::TextFormat format) {
  auto* made = new QLabel;
  made->setObjectName(name);
  made->setTextFormat(format);
  made->setWordWrap(true);
  made->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
  return made;
}

QString count_text(std::int64_t count) {
  const auto value = static_cast<double>(count);
  if (count >= 10'000'000) return QStringLiteral("%1 M").arg(value / 1e6, 0, 'f', 0);
  if (count >= 1'000'000) return QStringLiteral("%1 M").arg(value / 1e6, 0, 'f', 1);
  return QLocale().toString(static_cast<qlonglong>(count));
}

// Where the preprocessing comes from; one field stands for all.
QString preset_source(const ptrun::ResolvedPreset& preset) {
  const auto mean = preset.origins.find("mean");
  if (mean == preset.origins.end()) return {};
  return shown(mean->second.source) + (mean->second.assumed ? QStringLiteral(" (assumed)") : QString());
}

// Long names may break after their marks, so that they do not widen the panel.
QString breakable(QString text) {
  for (const char mark : {'_', '/', '.', '-'}) {
    text.replace(QLatin1Char(mark), QLatin1Char(mark) + QString(QChar(0x200B)));
  }
  return text;
}

}  // namespace

ModelCard::ModelCard(QWidget* parent)
    : QWidget(parent),
      title_(label(QStringLiteral("model_title"), Qt::PlainText)),
      state_(label(QStringLiteral("model_state"), Qt::PlainText)),
      rows_(label(QStringLiteral("model_rows"), Qt::RichText)),
      lines_(label(QStringLiteral("model_lines"), Qt::PlainText)) {
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  for (QLabel* part : {title_, state_, rows_, lines_}) layout->addWidget(part);
  QFont bold = font();
  bold.setWeight(QFont::DemiBold);
  bold.setPointSizeF(bold.pointSizeF() * 1.15);
  title_->setFont(bold);
  lines_->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
  show_none();
}

void ModelCard::show_none() {
  title_->setText(QStringLiteral("No model"));
  state_->setText(QStringLiteral("Open or drop a .pt, .pth, .pt2 or .safetensors file."));
  shown_rows_.clear();
  plan_.clear();
  lines_->hide();
  show_rows();
}

void ModelCard::show_opening(const QString& path) {
  show_none();
  title_->setText(shown(QFileInfo(path).fileName().toStdString()));
  title_->setToolTip(QStringLiteral("<qt>%1</qt>").arg(path.toHtmlEscaped()));
  state_->setText(QStringLiteral("Opening …"));
}

void ModelCard::show_inspection(const ptrun::Inspection& inspection) {
  state_->setText(shown(inspection.description));
  shown_rows_.clear();
  shown_rows_.append({QStringLiteral("File"), QLocale().formattedDataSize(static_cast<qint64>(inspection.file_size))});
  if (inspection.parameters > 0) {
    shown_rows_.append({QStringLiteral("Parameters"), count_text(inspection.parameters)});
  }
  show_rows();
  lines_->setVisible(!inspection.runnable);
  // The line breaks are ptrun's own and part of what is to be copied.
  lines_->setText(QString::fromStdString(inspection.explanation));
}

void ModelCard::show_loaded(const ptrun::Model& model) {
  const ptrun::Preset& preset = model.preset().values;
  lines_->hide();
  if (!model.architecture().empty()) {
    shown_rows_.prepend({QStringLiteral("Network"), shown(model.architecture())});
  }
  shown_rows_.append({QStringLiteral("Task"), QString::fromLatin1(ptrun::to_string(model.task()))});
  if (!model.labels().names.empty()) {
    shown_rows_.append({QStringLiteral("Labels"),
                        QStringLiteral("%1 (%2)").arg(model.labels().names.size()).arg(shown(model.labels().source))});
  }
  if (!model.signature().preprocesses_itself) {
    shown_rows_.append(
        {QStringLiteral("Input"), QStringLiteral("%1 × %2").arg(preset.input_width).arg(preset.input_height)});
    shown_rows_.append({QStringLiteral("Prepared as"), preset_source(model.preset())});
  }
  for (const std::string& note : model.notes()) shown_rows_.append({QStringLiteral("Note"), shown(note)});
  show_rows();
}

void ModelCard::show_failed(const QString& message) {
  QPalette red = palette();
  red.setColor(QPalette::WindowText, error_colour(palette()));
  lines_->setPalette(red);
  lines_->setText(message);
  lines_->show();
  state_->setText(QStringLiteral("This model cannot be used."));
}

void ModelCard::show_stopped() { state_->setText(QStringLiteral("Loading was stopped; open the model again.")); }

void ModelCard::show_plan(const QString& name, int batch_size, int workers) {
  plan_ = QStringLiteral("%1, batch %2, %3 %4")
              .arg(name)
              .arg(batch_size)
              .arg(workers)
              .arg(workers == 1 ? QStringLiteral("worker") : QStringLiteral("workers"));
  show_rows();
}

void ModelCard::show_rows() {
  QList<QPair<QString, QString>> rows = shown_rows_;
  if (!plan_.isEmpty()) rows.append({QStringLiteral("Runs as"), plan_});
  QString html = QStringLiteral("<table cellspacing='0' cellpadding='1'>");
  const QString quiet = faded(palette()).name();
  for (const auto& [name, value] : rows) {
    html += QStringLiteral("<tr><td style='color:%1; padding-right:10px; white-space:nowrap'>%2</td><td>%3</td></tr>")
                .arg(quiet, name.toHtmlEscaped(), breakable(value).toHtmlEscaped());
  }
  rows_->setText(html + QStringLiteral("</table>"));
  rows_->setVisible(!rows.isEmpty());
}

QString ModelCard::text() const {
  QStringList parts = {title_->text(), state_->text()};
  for (const auto& [name, value] : shown_rows_) parts.append(name + QStringLiteral(": ") + value);
  if (!plan_.isEmpty()) parts.append(plan_);
  if (!lines_->isHidden()) parts.append(lines_->text());
  return parts.join(QLatin1Char('\n'));
}

}  // namespace desktop
