// A line over the grid that says what went wrong or was done, until it is closed.
#pragma once

#include <QFrame>
#include <QLabel>

namespace desktop {

class Banner : public QFrame {
  Q_OBJECT

 public:
  explicit Banner(QWidget* parent = nullptr);

  void say(const QString& text);
  void complain(const QString& text);
  QString text() const { return label_->text(); }

 private:
  void show_text(const QString& text, const QColor& colour);

  QLabel* label_;
};

}  // namespace desktop
