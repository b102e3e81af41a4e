#include "handle.h"

#include <QApplication>
#include <QComboBox>
#include <QDir>
#include <QDropEvent>
#include <QFile>
#include <QLabel>
#include <QMimeData>
#include <QScreen>
#include <QSet>
#include <QTest>
#include <QUrl>
#include <filesystem>
#include <system_error>

namespace desktop::test {

bool activate(QWidget& window) {
  window.activateWindow();
  return QTest::qWaitForWindowActive(&window);
}

bool drop(QWidget& window, const QStringList& paths) {
  QMimeData data;
  QList<QUrl> urls;
  for (const QString& path : paths) urls.append(QUrl::fromLocalFile(path));
  data.setUrls(urls);
  const QPoint middle = window.rect().center();
  QDragEnterEvent enter(middle, Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
  QApplication::sendEvent(&window, &enter);
  if (!enter.isAccepted()) return false;
  QDropEvent fall(middle, Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
  QApplication::sendEvent(&window, &fall);
  return fall.isAccepted();
}

bool choose(const QWidget& window, const QString& name, const QString& text) {
  auto* box = window.findChild<QComboBox*>(name);
  if (box == nullptr) return false;
  const int index = box->findText(text, Qt::MatchContains);
  if (index < 0) return false;
  box->setCurrentIndex(index);
  return true;
}

QString label_text(const QWidget& window, const QString& name) {
  const auto* label = window.findChild<QLabel*>(name);
  return label == nullptr ? QString() : label->text();
}

int take_screenshot(QWidget& window, const QString& folder, const QString& name) {
  QDir().mkpath(folder);
  const QPoint corner = window.frameGeometry().topLeft();
  const QImage image =
      window.screen()->grabWindow(0, corner.x(), corner.y(), window.width(), window.height()).toImage();
  image.save(folder + QLatin1Char('/') + name + QStringLiteral(".png"));
  QSet<QRgb> colours;
  for (int y = 0; y < image.height(); y += 3) {
    for (int x = 0; x < image.width(); x += 3) colours.insert(image.pixel(x, y));
  }
  return static_cast<int>(colours.size());
}

void fill_folder(const QString& folder, const QString& photos, int count) {
  QDir().mkpath(folder);
  const QStringList names = QDir(photos).entryList({QStringLiteral("*.jpg")}, QDir::Files, QDir::Name);
  for (int i = 0; i < count; ++i) {
    const QString from = photos + QLatin1Char('/') + names[i % names.size()];
    const QString to = QStringLiteral("%1/%2.jpg").arg(folder).arg(i, 5, 10, QLatin1Char('0'));
    std::error_code error;
    std::filesystem::create_hard_link(from.toStdString(), to.toStdString(), error);
    if (error) QFile::copy(from, to);
  }
}

}  // namespace desktop::test
