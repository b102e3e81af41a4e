// responsiveness MODEL PHOTOS COUNT: drops COUNT small photos into the window and handles it while labels stream in;
// prints one JSON object. scripts/bench/desktop.sh runs it.
#include <QApplication>
#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QScrollBar>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QTest>
#include <cmath>
#include <cstdio>
#include <functional>

#include "desktop/main_window.h"
#include "frame_meter.h"
#include "handle.h"

using namespace desktop;        // NOLINT(google-build-using-namespace)
using namespace desktop::test;  // NOLINT(google-build-using-namespace)

namespace {

double memory_mb(const char* field) {
  QFile file(QStringLiteral("/proc/self/status"));
  if (!file.open(QIODevice::ReadOnly)) return 0;
  for (const QByteArray& line : file.readAll().split('\n')) {
    if (line.startsWith(field)) return line.simplified().split(' ').value(1).toDouble() / 1000;
  }
  return 0;
}

QJsonObject json_of(const Spread& spread) {
  const auto rounded = [](double value) { return std::round(value * 10) / 10; };
  return {{QStringLiteral("count"), static_cast<qint64>(spread.count)},
          {QStringLiteral("median_ms"), rounded(spread.median)},
          {QStringLiteral("p99_ms"), rounded(spread.percentile_99)},
          {QStringLiteral("largest_ms"), rounded(spread.largest)},
          {QStringLiteral("over_100_ms"), static_cast<qint64>(spread.over_100_ms)}};
}

QJsonObject json_of(const MeteredApplication& meter) {
  return {{QStringLiteral("gaps"), json_of(spread_of(meter.gaps()))},
          {QStringLiteral("frames"), json_of(spread_of(meter.frames()))},
          {QStringLiteral("work"), json_of(spread_of(meter.work()))},
          {QStringLiteral("longest"), meter.longest()}};
}

// What a user does meanwhile: scrolls, walks by keys, sorts, filters, zooms.
class User : public QObject {
 public:
  explicit User(MainWindow& window) : window_(window) {
    connect(&timer_, &QTimer::timeout, this, &User::act);
    timer_.start(33);
  }

 private:
  void act() {
    QScrollBar* bar = window_.grid().verticalScrollBar();
    if (bar->value() >= bar->maximum()) bar->setValue(0);
    bar->setValue(bar->value() + 40);
    ++step_;
    if (step_ % 15 == 0) QTest::keyClick(&window_.grid(), step_ % 60 == 0 ? Qt::Key_Down : Qt::Key_Right);
    if (step_ % 200 == 100) choose(window_, QStringLiteral("order"), QStringLiteral("Best score"));
    if (step_ % 200 == 130) choose(window_, QStringLiteral("label_filter"), QStringLiteral("Egyptian cat"));
    if (step_ % 200 == 160) choose(window_, QStringLiteral("label_filter"), QStringLiteral("All labels"));
    if (step_ % 200 == 180) choose(window_, QStringLiteral("order"), QStringLiteral("As added"));
    if (step_ % 400 == 390) window_.grid().zoom(step_ % 800 == 390 ? -1 : 1);
  }

  MainWindow& window_;
  QTimer timer_;
  int step_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  MeteredApplication application(argc, argv);
  QStandardPaths::setTestModeEnabled(true);
  QApplication::setOrganizationName(QStringLiteral("ptrun-test"));
  QApplication::setApplicationName(QStringLiteral("responsiveness"));
  if (argc != 4) {
    std::fprintf(stderr, "usage: responsiveness MODEL PHOTOS COUNT\n");
    return 2;
  }
  const QString model = QFile::decodeName(argv[1]);
  const int count = QByteArray(argv[3]).toInt();
  QSettings().clear();
  QTemporaryDir folder;
  fill_folder(folder.path(), QFile::decodeName(argv[2]), count);

  QElapsedTimer clock;
  MainWindow window;
  window.show();
  if (!QTest::qWaitForWindowExposed(&window) || !activate(window)) return 1;
  QJsonObject report;
  report[QStringLiteral("photos")] = count;
  report[QStringLiteral("memory_window_mb")] = memory_mb("VmRSS");

  double loaded_ms = -1;
  double first_ms = -1;
  QObject::connect(&window.runner(), &JobRunner::model_loaded, &window,
                   [&] { loaded_ms = static_cast<double>(clock.elapsed()); });
  QObject::connect(&window.runner(), &JobRunner::answered, &window, [&] {
    if (first_ms < 0) first_ms = static_cast<double>(clock.elapsed());
  });
  // Photos first, then the model: the first label after the model is loaded.
  application.restart();
  clock.start();
  drop(window, {folder.path()});
  application.run_until([&] { return window.photos().size() == count; });
  report[QStringLiteral("tiles_ms")] = static_cast<double>(clock.elapsed());
  application.run_for(1000);
  clock.start();
  drop(window, {model});
  application.run_until([&] { return first_ms >= 0; });
  report[QStringLiteral("load_ms")] = loaded_ms;
  report[QStringLiteral("first_label_after_load_ms")] = first_ms - loaded_ms;
  report[QStringLiteral("memory_model_mb")] = memory_mb("VmRSS");
  report[QStringLiteral("frames_while_opening")] = json_of(application);

  application.restart();
  {
    const User user(window);
    application.run_until([&] { return !window.runner().is_running(); });
  }
  const double seconds = (static_cast<double>(clock.elapsed()) - loaded_ms) / 1000;
  report[QStringLiteral("seconds")] = seconds;
  report[QStringLiteral("images_per_second")] = count / seconds;
  report[QStringLiteral("frames_while_running")] = json_of(application);
  report[QStringLiteral("memory_done_mb")] = memory_mb("VmRSS");

  // The same folder again, with the model there.
  QTest::keyClick(&window, Qt::Key_Delete, Qt::ControlModifier | Qt::ShiftModifier);
  application.run_for(500);
  if (window.photos().size() > 0) {
    std::fputs("error: the key that clears the photos did not reach the window\n", stderr);
    return 1;
  }
  application.restart();
  first_ms = -1;
  double last_picture_ms = -1;
  window.grid().verticalScrollBar()->setValue(0);
  const QSize tiles(window.grid().viewport()->width() / window.grid().gridSize().width(),
                    window.grid().viewport()->height() / window.grid().gridSize().height());
  int pictures = 0;
  QObject::connect(window.findChild<Thumbnailer*>(), &Thumbnailer::ready, &window, [&] {
    if (++pictures == tiles.width() * tiles.height()) last_picture_ms = static_cast<double>(clock.elapsed());
  });
  clock.start();
  drop(window, {folder.path()});
  application.run_until([&] { return first_ms >= 0 && last_picture_ms >= 0; });
  report[QStringLiteral("first_label_after_drop_ms")] = first_ms;
  report[QStringLiteral("pictures_of_the_screen_ms")] = last_picture_ms;
  report[QStringLiteral("pictures_of_the_screen")] = tiles.width() * tiles.height();
  application.run_for(2000);
  report[QStringLiteral("frames_after_drop")] = json_of(application);
  report[QStringLiteral("memory_peak_mb")] = memory_mb("VmHWM");
  std::fputs(QJsonDocument(report).toJson().constData(), stdout);
  return 0;
}
