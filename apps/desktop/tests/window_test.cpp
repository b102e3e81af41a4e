// The window on a display, handled as a user does, with published weights and real photos.
#include <QApplication>
#include <QFileDialog>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QLineEdit>
#include <QListView>
#include <QProcess>
#include <QProgressBar>
#include <QSignalSpy>
#include <QStackedWidget>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QTest>
#include <QTimer>
#include <algorithm>
#include <memory>
#include <vector>

#include "desktop/main_window.h"
#include "handle.h"

using namespace desktop;        // NOLINT(google-build-using-namespace)
using namespace desktop::test;  // NOLINT(google-build-using-namespace)

namespace {

const QString kWeights = QStringLiteral(PTRUN_DESKTOP_WEIGHTS);
const QString kPhotos = QStringLiteral(PTRUN_DESKTOP_PHOTOS);
const QString kTool = QStringLiteral(PTRUN_DESKTOP_TOOL);
const QString kScreenshots = QStringLiteral(PTRUN_DESKTOP_SCREENSHOTS);
constexpr int kPatience = 60'000;  // milliseconds, for a machine that does much else

void write_file(const QString& path, const QByteArray& bytes) {
  QFile file(path);
  QVERIFY(file.open(QIODevice::WriteOnly));
  QCOMPARE(file.write(bytes), bytes.size());
}

QByteArray read_file(const QString& path) {
  QFile file(path);
  return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

}  // namespace

class WindowTest : public QObject {
  Q_OBJECT

 private:
  std::unique_ptr<QTemporaryDir> folder_;
  std::unique_ptr<MainWindow> window_;

  QString path(const QString& name) const { return folder_->filePath(name); }
  PhotoModel& photos() { return window_->photos(); }
  QString status() const { return label_text(*window_, QStringLiteral("status")); }
  QString banner() const { return window_->findChild<Banner*>()->text(); }

  QString headline(const QString& name) {
    for (int number = 0; number < photos().size(); ++number) {
      if (photos().photo(number).name == name) return photos().photo(number).summary.headline;
    }
    return QStringLiteral("no such photo");
  }
  QStringList shown_names() {
    QStringList names;
    for (int row = 0; row < photos().rowCount(); ++row) names.append(photos().index(row).data().toString());
    return names;
  }
  int answered() {
    int count = 0;
    for (int number = 0; number < photos().size(); ++number) count += photos().photo(number).waiting() ? 0 : 1;
    return count;
  }
  void open_window() {
    window_ = std::make_unique<MainWindow>();
    window_->show();
    QVERIFY(QTest::qWaitForWindowExposed(window_.get()));
    QVERIFY(activate(*window_));
  }
  void open_weights() {
    QVERIFY(drop(*window_, {kWeights}));
    QTRY_VERIFY_WITH_TIMEOUT(window_->runner().model().has_value(), kPatience);
  }
  void drop_and_wait(const QStringList& paths, int photos_then) {
    QVERIFY(drop(*window_, paths));
    QTRY_COMPARE_WITH_TIMEOUT(photos().size(), photos_then, kPatience);
    QTRY_COMPARE_WITH_TIMEOUT(answered(), photos_then, kPatience);
  }
  // One of them fails.
  void expect_the_tools_rows(const QString& model, const QStringList& sources, int count, const QStringList& endings) {
    drop_and_wait(sources, count);
    for (const QString& ending : endings) {
      QSignalSpy exported(window_.get(), &MainWindow::exported);
      window_->export_to(path(QStringLiteral("window") + ending), false);
      QVERIFY(exported.wait(kPatience));
      QCOMPARE(exported.front().at(1).toString(), QString());
      QProcess tool;
      tool.start(kTool, QStringList{QStringLiteral("predict"), model} + sources +
                            QStringList{QStringLiteral("--force"), QStringLiteral("-o"),
                                        path(QStringLiteral("tool") + ending)});
      QVERIFY(tool.waitForFinished(kPatience));
      QCOMPARE(tool.exitCode(), 1);
      const QByteArray rows = read_file(path(QStringLiteral("tool") + ending));
      QVERIFY(rows.count('\n') >= count || ending == QStringLiteral(".npz"));
      QCOMPARE(read_file(path(QStringLiteral("window") + ending)), rows);
    }
  }
  void key(QWidget* widget, Qt::Key code, Qt::KeyboardModifiers modifiers = Qt::NoModifier) {
    QTest::keyClick(widget, code, modifiers);
  }

 private Q_SLOTS:
  void initTestCase() {
    QVERIFY2(QFile::exists(kWeights), "no weights: scripts/setup/weights.sh brings them, -DPTRUN_DESKTOP_WEIGHTS=FILE");
    QVERIFY2(QDir(kPhotos).exists(), "no photos: -DPTRUN_DESKTOP_PHOTOS=FOLDER");
    QVERIFY2(QFile::exists(kTool), "no installed ptrun: -DPTRUN_DESKTOP_TOOL=FILE");
    QStandardPaths::setTestModeEnabled(true);
    QApplication::setOrganizationName(QStringLiteral("ptrun-test"));
    QApplication::setApplicationName(QStringLiteral("window_test"));
  }
  void init() {
    QSettings().clear();
    folder_ = std::make_unique<QTemporaryDir>();
    open_window();
  }
  void cleanup() { window_.reset(); }

  void a_dropped_model_says_what_it_is() {
    QVERIFY(status().isEmpty());
    open_weights();
    const QString card = window_->findChild<ModelCard*>()->text();
    for (const char* part : {"mobilenet_v2-b0353104.pth", "Network: mobilenet_v2", "Task: classify", "Labels: 1000",
                             "Input: 224 × 224", "Parameters: 3.5 M"}) {
      QVERIFY2(card.contains(QString::fromUtf8(part)), qPrintable(card));
    }
    QVERIFY(window_->windowTitle().startsWith(QStringLiteral("mobilenet_v2")));
  }

  void dropped_photos_get_their_labels() {
    open_weights();
    drop_and_wait({kPhotos}, 7);
    QCOMPARE(headline(QStringLiteral("cat.jpg")), QStringLiteral("Egyptian cat"));
    QCOMPARE(headline(QStringLiteral("espresso.jpg")), QStringLiteral("espresso"));
    QCOMPARE(headline(QStringLiteral("shuttle.jpg")), QStringLiteral("space shuttle"));
    QVERIFY2(banner().contains(QStringLiteral("LICENSES")) || banner().contains(QStringLiteral(".md")),
             qPrintable(banner()));
    QVERIFY(!window_->runner().is_running());
    QVERIFY2(status().startsWith(QStringLiteral("7 photos")), qPrintable(status()));
    // Every tile on the screen has its picture.
    window_->grid().setCurrentIndex(photos().index(0));
    QTRY_VERIFY(window_->findChild<Preview*>() != nullptr);
    QTest::qWait(300);
    const bool high_dpi = window_->devicePixelRatioF() > 1;
    const QString name = high_dpi ? QStringLiteral("labels_high_dpi") : QStringLiteral("labels");
    QVERIFY(take_screenshot(*window_, kScreenshots, name) > 500);
  }

  void photos_may_come_before_the_model() {
    QVERIFY(drop(*window_, {kPhotos}));
    QTRY_COMPARE_WITH_TIMEOUT(photos().size(), 7, kPatience);
    QVERIFY(!window_->runner().is_running());
    open_weights();
    QTRY_COMPARE_WITH_TIMEOUT(answered(), 7, kPatience);
    QCOMPARE(headline(QStringLiteral("cat.jpg")), QStringLiteral("Egyptian cat"));
  }

  void labels_filter_and_scores_sort() {
    open_weights();
    drop_and_wait({kPhotos}, 7);
    QVERIFY(choose(*window_, QStringLiteral("order"), QStringLiteral("Best score")));
    for (int row = 1; row < photos().rowCount(); ++row) {
      QVERIFY(photos().photo(photos().shown()[static_cast<std::size_t>(row - 1)]).summary.score >=
              photos().photo(photos().shown()[static_cast<std::size_t>(row)]).summary.score);
    }
    QVERIFY(choose(*window_, QStringLiteral("order"), QStringLiteral("As added")));
    QTRY_VERIFY(choose(*window_, QStringLiteral("label_filter"), QStringLiteral("Egyptian cat (1)")));
    QCOMPARE(shown_names(), QStringList{QStringLiteral("cat.jpg")});
    QVERIFY2(status().contains(QStringLiteral("1 shown")), qPrintable(status()));
    QVERIFY(choose(*window_, QStringLiteral("label_filter"), QStringLiteral("All labels")));

    // By keyboard: find, type, and Escape leaves everything as it was.
    key(window_.get(), Qt::Key_F, Qt::ControlModifier);
    auto* text = window_->findChild<QLineEdit*>(QStringLiteral("text_filter"));
    QTRY_VERIFY(text->hasFocus());
    QTest::keyClicks(text, QStringLiteral("shuttle"));
    QCOMPARE(shown_names(), QStringList{QStringLiteral("shuttle.jpg")});
    key(text, Qt::Key_Escape);
    QCOMPARE(photos().rowCount(), 7);
    QVERIFY(window_->grid().hasFocus());
  }

  void a_bad_photo_is_a_tile_with_its_reason() {
    const QByteArray whole = read_file(kPhotos + QStringLiteral("/cat.jpg"));
    write_file(path(QStringLiteral("cut.jpg")), whole.left(whole.size() / 2));
    write_file(path(QStringLiteral("empty.jpg")), {});
    write_file(path(QStringLiteral("<b>text.png")), "no picture at all");
    QVERIFY(QFile::copy(kPhotos + QStringLiteral("/cat.jpg"), path(QStringLiteral("good.jpg"))));
    open_weights();
    drop_and_wait({folder_->path()}, 4);
    QCOMPARE(headline(QStringLiteral("good.jpg")), QStringLiteral("Egyptian cat"));
    QVERIFY2(status().contains(QStringLiteral("3 failed")), qPrintable(status()));
    QVERIFY(choose(*window_, QStringLiteral("show_filter"), QStringLiteral("Failed")));
    QCOMPARE(photos().rowCount(), 3);
    window_->grid().setCurrentIndex(photos().index(photos().row_of(1)));
    const QString reason = label_text(*window_, QStringLiteral("photo_reason"));
    QVERIFY2(reason.contains(QStringLiteral("truncated")), qPrintable(reason));
    QTest::qWait(300);
    QVERIFY(take_screenshot(*window_, kScreenshots, QStringLiteral("errors")) > 50);
  }

  void an_export_equals_the_tools_rows() {
    write_file(path(QStringLiteral("no.jpg")), "no picture");
    const QStringList sources = {kPhotos, path(QStringLiteral("no.jpg"))};
    const QStringList endings = {QStringLiteral(".jsonl"), QStringLiteral(".csv")};
    open_weights();
    expect_the_tools_rows(kWeights, sources, 8, endings);

    // Also where every photo failed.
    key(window_.get(), Qt::Key_Delete, Qt::ControlModifier | Qt::ShiftModifier);
    expect_the_tools_rows(kWeights, {path(QStringLiteral("no.jpg"))}, 1, endings);
    key(window_.get(), Qt::Key_Delete, Qt::ControlModifier | Qt::ShiftModifier);
    drop_and_wait(sources, 8);

    // What is shown, in the order of the grid.
    QVERIFY(choose(*window_, QStringLiteral("show_filter"), QStringLiteral("With a result")));
    QVERIFY(choose(*window_, QStringLiteral("order"), QStringLiteral("Best score")));
    QSignalSpy exported(window_.get(), &MainWindow::exported);
    window_->export_to(path(QStringLiteral("shown.jsonl")), true);
    QVERIFY(exported.wait(kPatience));
    const QList<QByteArray> rows = read_file(path(QStringLiteral("shown.jsonl"))).trimmed().split('\n');
    QCOMPARE(rows.size(), 7);
    double last = 1.0;
    for (const QByteArray& row : rows) {
      const double score =
          QJsonDocument::fromJson(row)[QLatin1String("predictions")][0][QLatin1String("score")].toDouble();
      QVERIFY(score > 0 && score <= last);
      last = score;
    }
  }

  void raw_outputs_are_exported_as_arrays() {
    const QString model = QFileInfo(kPhotos + QStringLiteral("/../exported/nested.pt2")).absoluteFilePath();
    write_file(path(QStringLiteral("no.jpg")), "no picture");
    QVERIFY(drop(*window_, {model}));
    QTRY_VERIFY_WITH_TIMEOUT(window_->runner().model().has_value(), kPatience);
    expect_the_tools_rows(model, {kPhotos, path(QStringLiteral("no.jpg"))}, 8,
                          {QStringLiteral(".jsonl"), QStringLiteral(".npz")});
  }

  void loading_tells_how_far_it_is() {
    std::vector<double> parts;
    QStringList said;
    const auto* bar = window_->findChild<QProgressBar*>();
    QObject context;
    connect(&window_->runner(), &JobRunner::state_changed, &context, [&] {
      if (!window_->runner().is_loading()) return;
      const double part = window_->runner().loading_part();
      parts.push_back(part);
      said.append(status());
      QCOMPARE(bar->maximum(), part > 0 && part < 1 ? 100 : 0);
      QCOMPARE(bar->value(), part < 1 ? static_cast<int>(100 * part) : 0);
    });
    open_weights();
    QVERIFY(parts.size() > 20);
    QVERIFY(std::is_sorted(parts.begin(), parts.end()));
    QCOMPARE(parts.front(), 0.0);
    QCOMPARE(parts.back(), 1.0);
    QVERIFY2(said[said.size() / 2].startsWith(QStringLiteral("Loading the model … ")) &&
                 said[said.size() / 2].endsWith(QStringLiteral(" %")),
             qPrintable(said[said.size() / 2]));
  }

  void loading_can_be_stopped() {
    int colours = 0;
    QObject context;
    connect(&window_->runner(), &JobRunner::state_changed, &context, [&] {
      if (colours > 0 || window_->runner().loading_part() < 0.4) return;
      window_->repaint();
      colours = take_screenshot(*window_, kScreenshots, QStringLiteral("loading"));
      key(window_.get(), Qt::Key_F7);
    });
    QVERIFY(drop(*window_, {kWeights, kPhotos}));
    QTRY_VERIFY_WITH_TIMEOUT(colours > 0, kPatience);
    QVERIFY(!window_->runner().is_loading());
    QTRY_COMPARE_WITH_TIMEOUT(photos().size(), 7, kPatience);
    QTest::qWait(500);
    // Also where the engine had it complete at that moment.
    QVERIFY(!window_->runner().model().has_value());
    QCOMPARE(answered(), 0);
    const QString card = window_->findChild<ModelCard*>()->text();
    QVERIFY2(card.contains(QStringLiteral("Loading was stopped")), qPrintable(card));
    open_weights();
    QTRY_COMPARE_WITH_TIMEOUT(answered(), 7, kPatience);
  }

  void a_run_pauses_and_stops() {
    fill_folder(path(QStringLiteral("many")), kPhotos, 400);
    open_weights();
    QVERIFY(drop(*window_, {path(QStringLiteral("many"))}));
    QTRY_VERIFY_WITH_TIMEOUT(answered() > 0, kPatience);
    key(window_.get(), Qt::Key_F6);
    QVERIFY(window_->runner().is_paused());
    // What was in progress ends; then nothing moves.
    int then = -1;
    while (answered() != then) {
      then = answered();
      QTest::qWait(1500);
    }
    QVERIFY(then < 400);
    QVERIFY2(status().contains(QStringLiteral("paused")), qPrintable(status()));
    key(window_.get(), Qt::Key_F6);
    QTRY_VERIFY_WITH_TIMEOUT(answered() > then, kPatience);

    key(window_.get(), Qt::Key_F7);
    QTRY_VERIFY_WITH_TIMEOUT(!window_->runner().is_running(), kPatience);
    const int stopped = answered();
    QVERIFY(stopped < 400);
    QTest::qWait(300);
    QCOMPARE(answered(), stopped);
    QCOMPARE(photos().size(), 400);

    key(window_.get(), Qt::Key_F5);
    QTRY_COMPARE_WITH_TIMEOUT(answered(), 400, kPatience);
    QCOMPARE(photos().label_counts().value(QStringLiteral("Egyptian cat")), 58);
  }

  void clearing_while_it_runs_leaves_nothing_behind() {
    fill_folder(path(QStringLiteral("many")), kPhotos, 100);
    open_weights();
    QVERIFY(drop(*window_, {path(QStringLiteral("many"))}));
    QTRY_VERIFY_WITH_TIMEOUT(answered() > 0, kPatience);
    key(window_.get(), Qt::Key_Delete, Qt::ControlModifier | Qt::ShiftModifier);
    QCOMPARE(photos().size(), 0);
    drop_and_wait({kPhotos}, 7);
    QCOMPARE(headline(QStringLiteral("cat.jpg")), QStringLiteral("Egyptian cat"));
    // Another model while photos run: all are asked again.
    QVERIFY(drop(*window_, {kWeights, path(QStringLiteral("many"))}));
    QTRY_COMPARE_WITH_TIMEOUT(answered(), 107, kPatience);
    QVERIFY(!window_->runner().is_running());
  }

  void a_file_that_is_no_model_is_answered() {
    write_file(path(QStringLiteral("net.pt")), "this is no model");
    QVERIFY(drop(*window_, {path(QStringLiteral("net.pt"))}));
    QTRY_VERIFY_WITH_TIMEOUT(!window_->runner().is_loading(), kPatience);
    const QString card = window_->findChild<ModelCard*>()->text();
    QVERIFY2(card.contains(QStringLiteral("net.pt")) && card.size() > 60, qPrintable(card));
    QVERIFY(!window_->runner().model().has_value());
    // The next model works all the same.
    open_weights();
    drop_and_wait({kPhotos}, 7);
  }

  void a_device_that_is_not_there_is_told_and_the_photos_wait() {
    open_weights();
    window_->findChild<EngineRow*>()->choose(QStringLiteral("cuda:63"), QStringLiteral("fp32"));
    QVERIFY(drop(*window_, {kPhotos}));
    QTRY_VERIFY_WITH_TIMEOUT(banner().contains(QStringLiteral("cuda:63")), kPatience);
    QCOMPARE(answered(), 0);
    QVERIFY(choose(*window_, QStringLiteral("device"), QStringLiteral("cpu")));
    QTRY_COMPARE_WITH_TIMEOUT(answered(), 7, kPatience);
  }

  void the_last_model_is_remembered() {
    open_weights();
    QVERIFY(choose(*window_, QStringLiteral("device"), QStringLiteral("cpu")));
    window_->close();
    open_window();
    QVERIFY(!window_->runner().model().has_value());
    window_->open_last_model();
    QTRY_VERIFY_WITH_TIMEOUT(window_->runner().model().has_value(), kPatience);
    QCOMPARE(window_->findChild<EngineRow*>()->device(), QStringLiteral("cpu"));
  }

  void keys_do_what_a_mouse_does() {
    // Ctrl+O, a name, Enter.
    QTimer::singleShot(500, this, [] {
      auto* dialog = qobject_cast<QFileDialog*>(QApplication::activeModalWidget());
      QVERIFY(dialog != nullptr);
      auto* name = dialog->findChild<QLineEdit*>();
      name->setText(kWeights);
      QTest::keyClick(name, Qt::Key_Return);
    });
    key(window_.get(), Qt::Key_O, Qt::ControlModifier);
    QVERIFY(activate(*window_));  // again, now that the dialog has gone
    QTRY_VERIFY_WITH_TIMEOUT(window_->runner().model().has_value(), kPatience);

    drop_and_wait({kPhotos}, 7);
    PhotoGrid& grid = window_->grid();
    grid.setFocus();
    key(&grid, Qt::Key_Home);
    QCOMPARE(grid.currentIndex().row(), 0);
    QCOMPARE(label_text(*window_, QStringLiteral("photo_name")), QStringLiteral("cat.jpg"));
    key(&grid, Qt::Key_Right);
    QCOMPARE(label_text(*window_, QStringLiteral("photo_name")), QStringLiteral("espresso.jpg"));
    key(&grid, Qt::Key_Return);
    auto* stack = window_->findChild<QStackedWidget*>();
    QCOMPARE(stack->currentIndex(), 1);
    key(window_.get(), Qt::Key_Left);
    QCOMPARE(label_text(*window_, QStringLiteral("photo_name")), QStringLiteral("cat.jpg"));
    QTest::qWait(300);
    QVERIFY(take_screenshot(*window_, kScreenshots, QStringLiteral("viewer")) > 300);
    key(window_.get(), Qt::Key_Escape);
    QCOMPARE(stack->currentIndex(), 0);
    const int width = grid.picture_width();
    key(window_.get(), Qt::Key_Equal, Qt::ControlModifier);
    QVERIFY(grid.picture_width() > width);
  }

  void boxes_are_drawn_on_tiles_in_a_dark_theme() {
    window_->findChild<QAction*>(QStringLiteral("theme_dark"))->trigger();
    QVERIFY(drop(*window_, {kPhotos + QStringLiteral("/cat.jpg")}));
    QTRY_COMPARE_WITH_TIMEOUT(photos().size(), 1, kPatience);
    ptrun::Outcome outcome;
    outcome.prediction.emplace();
    outcome.prediction->task = ptrun::Task::detect;
    outcome.prediction->geometry.original_width = 451;
    outcome.prediction->geometry.original_height = 300;
    ptrun::Detection cat;
    cat.label = "cat";
    cat.score = 0.93F;
    cat.x1 = 60;
    cat.y1 = 30;
    cat.x2 = 420;
    cat.y2 = 290;
    outcome.prediction->detections = {cat};
    photos().set_answers({{0, std::make_shared<const ptrun::Outcome>(outcome)}});
    window_->grid().setCurrentIndex(photos().index(0));
    QTest::qWait(400);
    QVERIFY(take_screenshot(*window_, kScreenshots, QStringLiteral("dark")) > 200);
    const QImage tile = window_->grid().viewport()->grab().toImage();
    int coloured = 0;
    for (int y = 0; y < tile.height(); ++y) {
      for (int x = 0; x < tile.width(); ++x) {
        const QColor found = tile.pixelColor(x, y);
        const bool strong = found.saturation() > 150 && found.value() > 150;
        if (strong && std::abs(found.hue() - class_colour(0).hue()) < 10) ++coloured;
      }
    }
    QVERIFY2(coloured > 100, qPrintable(QString::number(coloured)));
    QVERIFY(is_dark(window_->palette()));
    window_->findChild<QAction*>(QStringLiteral("theme_system"))->trigger();
  }
};

QTEST_MAIN(WindowTest)
#include <window_test.moc>
