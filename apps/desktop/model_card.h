// The side panel's upper part: what the model file is, and how it runs.
#pragma once

#include <QLabel>
#include <QWidget>
#include <optional>

#include "ptrun/inspect.h"
#include "ptrun/model.h"

namespace desktop {

class ModelCard : public QWidget {
  Q_OBJECT

 public:
  explicit ModelCard(QWidget* parent = nullptr);

  void show_none();
  void show_opening(const QString& path);
  // What the headers say, before the weights are read; for a file that cannot run also what to do.
  void show_inspection(const ptrun::Inspection& inspection);
  void show_loaded(const ptrun::Model& model);
  void show_failed(const QString& message);
  void show_stopped();
  void show_plan(const QString& name, int batch_size, int workers);

  // All that is shown, for tests and screen readers.
  QString text() const;

 private:
  void show_rows();

  QLabel* title_;
  QLabel* state_;
  QLabel* rows_;
  QLabel* lines_;  // the Python lines that export a file which cannot run
  QList<QPair<QString, QString>> shown_rows_;
  QString plan_;
};

}  // namespace desktop
