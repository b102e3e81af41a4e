#include "tool_rows.h"

#include <QAbstractItemView>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QSignalBlocker>
#include <QtConcurrent>
#include <array>

#include "ptrun/device.h"
#include "summary.h"

namespace desktop {
namespace {

constexpr int kListLabelsEvery = 500;  // milliseconds

struct PrecisionName {
  const char* name;
  const char* words;
  ptrun::Precision precision;
};
constexpr std::array<PrecisionName, 5> kPrecisions = {{
    {"fp32", "fp32 (Python's numbers)", ptrun::Precision::fp32},
    {"auto", "auto (fastest safe)", ptrun::Precision::automatic},
    {"bf16", "bf16", ptrun::Precision::bf16},
    {"fp16", "fp16", ptrun::Precision::fp16},
    {"int8", "int8", ptrun::Precision::int8},
}};

QComboBox* combo(const QString& name, const QString& spoken) {
  auto* made = new QComboBox;
  made->setObjectName(name);
  made->setAccessibleName(spoken);
  made->setToolTip(spoken);
  return made;
}

}  // namespace

FilterRow::FilterRow(QWidget* parent)
    : QWidget(parent),
      text_(new QLineEdit),
      label_(combo(QStringLiteral("label_filter"), QStringLiteral("Show photos with this label"))),
      show_(combo(QStringLiteral("show_filter"), QStringLiteral("Show photos in this state"))),
      order_(combo(QStringLiteral("order"), QStringLiteral("Order of the photos"))) {
  text_->setObjectName(QStringLiteral("text_filter"));
  text_->setPlaceholderText(QStringLiteral("Filter by label or name"));
  text_->setAccessibleName(QStringLiteral("Filter by label or name"));
  text_->setClearButtonEnabled(true);
  text_->setMinimumWidth(180);
  text_->installEventFilter(this);
  label_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  label_->setMinimumContentsLength(18);
  list_labels();
  show_->addItem(QStringLiteral("All photos"), QVariant::fromValue(static_cast<int>(Show::all)));
  show_->addItem(QStringLiteral("With a result"), QVariant::fromValue(static_cast<int>(Show::labelled)));
  show_->addItem(QStringLiteral("Failed"), QVariant::fromValue(static_cast<int>(Show::failed)));
  show_->addItem(QStringLiteral("Waiting"), QVariant::fromValue(static_cast<int>(Show::waiting)));
  order_->addItem(QStringLiteral("As added"), QVariant::fromValue(static_cast<int>(Order::added)));
  order_->addItem(QStringLiteral("Best score first"), QVariant::fromValue(static_cast<int>(Order::score_down)));
  order_->addItem(QStringLiteral("Lowest score first"), QVariant::fromValue(static_cast<int>(Order::score_up)));
  order_->addItem(QStringLiteral("By label"), QVariant::fromValue(static_cast<int>(Order::label)));
  order_->addItem(QStringLiteral("By name"), QVariant::fromValue(static_cast<int>(Order::name)));

  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(text_, 1);
  for (QComboBox* box : {label_, show_, order_}) layout->addWidget(box);

  list_timer_.setSingleShot(true);
  list_timer_.setInterval(kListLabelsEvery);
  connect(&list_timer_, &QTimer::timeout, this, &FilterRow::list_labels);
  connect(text_, &QLineEdit::textChanged, this, [this] { Q_EMIT filter_changed(filter()); });
  for (QComboBox* box : {label_, show_}) {
    connect(box, &QComboBox::currentIndexChanged, this, [this] { Q_EMIT filter_changed(filter()); });
  }
  connect(order_, &QComboBox::currentIndexChanged, this,
          [this] { Q_EMIT order_changed(static_cast<Order>(order_->currentData().toInt())); });
}

Filter FilterRow::filter() const {
  return {static_cast<Show>(show_->currentData().toInt()), label_->currentData().toString(), text_->text().trimmed()};
}

void FilterRow::set_labels(const QMap<QString, int>& counts) {
  counts_ = counts;
  if (!list_timer_.isActive()) list_timer_.start();
}

void FilterRow::list_labels() {
  // Not under the hand that chooses.
  if (label_->view()->isVisible()) {
    list_timer_.start();
    return;
  }
  const QString chosen = label_->currentData().toString();
  const QSignalBlocker blocker(label_);
  label_->clear();
  label_->addItem(QStringLiteral("All labels"), QString());
  for (auto count = counts_.constBegin(); count != counts_.constEnd(); ++count) {
    label_->addItem(QStringLiteral("%1 (%2)").arg(count.key()).arg(count.value()), count.key());
  }
  // What is chosen stays on offer, also while a new run has not found it yet.
  int index = label_->findData(chosen);
  if (index < 0) {
    label_->addItem(chosen, chosen);
    index = label_->count() - 1;
  }
  label_->setCurrentIndex(index);
}

void FilterRow::clear() {
  text_->clear();
  label_->setCurrentIndex(0);
  show_->setCurrentIndex(0);
}

void FilterRow::focus_text() {
  text_->setFocus(Qt::ShortcutFocusReason);
  text_->selectAll();
}

bool FilterRow::eventFilter(QObject* watched, QEvent* event) {
  if (watched == text_ && event->type() == QEvent::KeyPress) {
    const int key = static_cast<QKeyEvent*>(event)->key();
    if (key == Qt::Key_Escape) text_->clear();
    if (key == Qt::Key_Escape || key == Qt::Key_Return || key == Qt::Key_Enter) {
      Q_EMIT left();
      return true;
    }
  }
  return QWidget::eventFilter(watched, event);
}

EngineRow::EngineRow(QWidget* parent)
    : QWidget(parent),
      device_(combo(QStringLiteral("device"), QStringLiteral("Device that runs the model"))),
      precision_(combo(QStringLiteral("precision"), QStringLiteral("Precision of the computation"))) {
  device_->addItem(QStringLiteral("auto"), QStringLiteral("auto"));
  for (const PrecisionName& item : kPrecisions) {
    precision_->addItem(QString::fromLatin1(item.words), QString::fromLatin1(item.name));
  }
  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  auto* device_label = new QLabel(QStringLiteral("&Device"));
  device_label->setBuddy(device_);
  auto* precision_label = new QLabel(QStringLiteral("P&recision"));
  precision_label->setBuddy(precision_);
  for (QWidget* part : std::initializer_list<QWidget*>{device_label, device_, precision_label, precision_}) {
    layout->addWidget(part);
  }
  for (QComboBox* box : {device_, precision_}) {
    connect(box, &QComboBox::currentIndexChanged, this, &EngineRow::options_changed);
  }
  add_devices();
}

// In the background: looking for a GPU opens its driver.
void EngineRow::add_devices() {
  QtConcurrent::run([] { return ptrun::devices(); }).then(this, [this](const std::vector<ptrun::DeviceInfo>& found) {
    const QSignalBlocker blocker(device_);
    for (const ptrun::DeviceInfo& info : found) {
      const QString name = QString::fromStdString(info.name);
      if (device_->findData(name) < 0) device_->addItem(name, name);
      device_->setItemData(device_->findData(name), shown(info.description), Qt::ToolTipRole);
    }
  });
}

EngineOptions EngineRow::options() const {
  EngineOptions options;
  options.device = device().toStdString();
  for (const PrecisionName& item : kPrecisions) {
    if (precision() == QLatin1String(item.name)) options.precision = item.precision;
  }
  return options;
}

void EngineRow::choose(const QString& device, const QString& precision) {
  if (!device.isEmpty() && device_->findData(device) < 0) device_->addItem(device, device);
  device_->setCurrentIndex(std::max(0, device_->findData(device)));
  precision_->setCurrentIndex(std::max(0, precision_->findData(precision)));
}

QString EngineRow::device() const { return device_->currentData().toString(); }
QString EngineRow::precision() const { return precision_->currentData().toString(); }

}  // namespace desktop
