// The two rows of choices over the grid: what is shown in which order, and what the model runs on.
#pragma once

#include <QComboBox>
#include <QLineEdit>
#include <QMap>
#include <QTimer>
#include <QWidget>

#include "engine.h"
#include "photo_model.h"

namespace desktop {

class FilterRow : public QWidget {
  Q_OBJECT

 public:
  explicit FilterRow(QWidget* parent = nullptr);

  // The labels on offer, with the number of photos of each. May be called for every answer: the list follows twice a
  // second.
  void set_labels(const QMap<QString, int>& counts);
  void clear();
  void focus_text();

 Q_SIGNALS:
  void filter_changed(const desktop::Filter& filter);
  void order_changed(desktop::Order order);
  void left();  // Escape: back to the grid

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  Filter filter() const;
  void list_labels();

  QLineEdit* text_;
  QComboBox* label_;
  QComboBox* show_;
  QComboBox* order_;
  QMap<QString, int> counts_;
  QTimer list_timer_;
};

class EngineRow : public QWidget {
  Q_OBJECT

 public:
  explicit EngineRow(QWidget* parent = nullptr);

  EngineOptions options() const;
  // Names as of options(); an unknown device is kept, as it may be there next time.
  void choose(const QString& device, const QString& precision);
  QString device() const;
  QString precision() const;

 Q_SIGNALS:
  void options_changed();

 private:
  void add_devices();

  QComboBox* device_;
  QComboBox* precision_;
};

}  // namespace desktop
