// The parts that need no window: summaries, masks, order and filter, what was dropped, exported rows.
#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include "desktop/dropped.h"
#include "desktop/export.h"
#include "desktop/lighten.h"
#include "desktop/mask.h"
#include "desktop/overlay.h"
#include "desktop/photo_model.h"
#include "desktop/summary.h"

using namespace desktop;  // NOLINT(google-build-using-namespace)

namespace {

ptrun::Outcome classified(const std::string& label, float score) {
  ptrun::Outcome outcome;
  outcome.prediction.emplace();
  outcome.prediction->geometry.original_width = 40;
  outcome.prediction->geometry.original_height = 30;
  outcome.prediction->classes = {{3, label, score}, {1, "other", 1 - score}};
  return outcome;
}

ptrun::Outcome failed(const std::string& message) {
  ptrun::Outcome outcome;
  outcome.failure = {ptrun::Stage::decode, message};
  return outcome;
}

ptrun::Detection box(int index, const std::string& label, float score) {
  ptrun::Detection detection;
  detection.index = index;
  detection.label = label;
  detection.score = score;
  return detection;
}

Answer answer(int photo, ptrun::Outcome outcome) {
  return {photo, std::make_shared<const ptrun::Outcome>(std::move(outcome))};
}

QStringList names(const PhotoModel& model) {
  QStringList found;
  for (int row = 0; row < model.rowCount(); ++row) found.append(model.index(row).data().toString());
  return found;
}

}  // namespace

class PartsTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void a_class_is_summarised_by_the_best() {
    const Summary summary = summarise(classified("Egyptian cat", 0.75F), "cat.jpg");
    QCOMPARE(summary.headline, QStringLiteral("Egyptian cat"));
    QCOMPARE(summary.labels, QStringList{QStringLiteral("Egyptian cat")});
    QCOMPARE(score_text(summary.score, summary.logit), QStringLiteral("75.0 %"));
    QCOMPARE(summarise(classified("", 0.5F), "x").headline, QStringLiteral("class 3"));
  }

  void detections_are_counted() {
    ptrun::Outcome outcome;
    outcome.prediction.emplace();
    outcome.prediction->task = ptrun::Task::detect;
    QCOMPARE(summarise(outcome, "x").headline, QStringLiteral("nothing found"));
    outcome.prediction->detections = {box(0, "dog", 0.9F), box(1, "cat", 0.8F), box(0, "dog", 0.7F)};
    const Summary summary = summarise(outcome, "x");
    QCOMPARE(summary.headline, QStringLiteral("2 × dog, cat"));
    QCOMPARE(summary.labels, (QStringList{QStringLiteral("dog"), QStringLiteral("cat")}));
    QCOMPARE(summary.score, 0.9F);
  }

  void a_failure_keeps_its_reason() {
    const Summary summary = summarise(failed("/a/b.jpg: the file is empty"), "/a/b.jpg");
    QCOMPARE(summary.headline, QStringLiteral("cannot be decoded"));
    QCOMPARE(summary.reason, QStringLiteral("the file is empty"));
    QVERIFY(!summary.has_score);
  }

  void foreign_text_cannot_break_a_line() {
    QVERIFY(!class_name(1, "a\nb\x1b[31m").contains(QLatin1Char('\n')));
    QVERIFY(!summarise(failed("x\ny"), "z").reason.contains(QLatin1Char('\n')));
  }

  // Counts as pycocotools' encode gives them for [[0, 1, 1], [0, 1, 0]] (height 2, width 3): runs 2, 3, 1.
  void a_mask_is_decoded_column_by_column() {
    const QColor red(255, 0, 0, 255);
    const QImage image = mask_image({3, 2, "231"}, QSize(3, 2), red);
    const auto inside = [&](int x, int y) { return image.pixelColor(x, y) == red; };
    QVERIFY(!inside(0, 0) && !inside(0, 1));
    QVERIFY(inside(1, 0) && inside(1, 1));
    QVERIFY(inside(2, 0) && !inside(2, 1));
    const QImage large = mask_image({3, 2, "231"}, QSize(9, 8), red);
    QCOMPARE(large.pixelColor(8, 3), red);
    QCOMPARE(large.pixelColor(8, 4).alpha(), 0);
    QCOMPARE(large.pixelColor(2, 0).alpha(), 0);
    QCOMPARE(large.pixelColor(3, 7), red);
  }

  void a_damaged_mask_is_none() {
    for (const char* counts : {"", "23", "2318", "\x7f", "Ppppp", "0000", "2o"}) {
      QVERIFY2(mask_image({3, 2, counts}, QSize(3, 2), Qt::red).isNull(), counts);
    }
    QVERIFY(mask_image({0, 2, "2"}, QSize(3, 2), Qt::red).isNull());
  }

  void segments_have_their_colours() {
    ptrun::Prediction prediction;
    prediction.geometry.original_width = 2;
    prediction.geometry.original_height = 1;
    prediction.segment_map = {0, 7};
    const QImage image = segment_image(prediction, QSize(4, 2), 255);
    QCOMPARE(image.pixelColor(1, 1).alpha(), 0);
    QCOMPARE(image.pixel(2, 0), class_colour(7).rgb());
    prediction.segment_map = {0};
    QVERIFY(segment_image(prediction, QSize(4, 2), 255).isNull());
  }

  void a_rotated_box_is_drawn_by_its_corners() {
    ptrun::Prediction prediction;
    prediction.task = ptrun::Task::detect;
    prediction.geometry.original_width = 50;
    prediction.geometry.original_height = 50;
    ptrun::Detection diamond = box(2, "ship", 0.9F);
    diamond.x1 = diamond.y1 = 5;
    diamond.x2 = diamond.y2 = 45;
    diamond.corners = {{25, 5}, {45, 25}, {25, 45}, {5, 25}};
    diamond.keypoints = {{25, 25, 0.9F}, {30, 25, 0.1F}};
    prediction.detections = {diamond};
    QImage image(100, 100, QImage::Format_ARGB32_Premultiplied);
    const auto drawn = [&] {
      image.fill(Qt::transparent);
      QPainter painter(&image);
      draw_overlay(painter, QRectF(0, 0, 100, 100), prediction, false);
    };
    drawn();
    const QColor colour = class_colour(2);
    const auto is_outline = [&](int x, int y) {
      const QColor found = image.pixelColor(x, y);
      return found.alpha() > 200 && std::abs(found.hue() - colour.hue()) < 12;
    };
    // Photo places are half of the picture's: the middle of a side, a corner of the box around it, the middle of its
    // top.
    QVERIFY(is_outline(70, 30) && is_outline(30, 70));
    QCOMPARE(image.pixelColor(12, 12).alpha(), 0);
    QCOMPARE(image.pixelColor(30, 10).alpha(), 0);
    QCOMPARE(image.pixelColor(50, 50).rgb(), colour.rgb());
    QCOMPARE(image.pixelColor(60, 50).alpha(), 0);
    prediction.detections[0].corners.clear();
    drawn();
    QCOMPARE(image.pixelColor(70, 30).alpha(), 0);
    QVERIFY(is_outline(30, 10));
  }

  void what_is_large_stays_within_a_budget() {
    ptrun::Outcome outcome;
    outcome.prediction.emplace();
    outcome.prediction->tensors = {{"large", ptrun::DType::float32, {2, 4096}, std::vector<std::byte>(2 * 4096 * 4)},
                                   {"small", ptrun::DType::float32, {4096}, std::vector<std::byte>(4096 * 4)}};
    outcome.prediction->segment_map.resize(100);
    HeavyParts heavy(2 * 4096 * 4 + 150);
    ptrun::Outcome first = outcome;
    heavy.lighten(first);
    QCOMPARE(first.prediction->tensors[0].data.size(), std::size_t{2 * 4096 * 4});
    QVERIFY(!first.prediction->segment_map.empty());
    QVERIFY(!HeavyParts::lacks_values(*first.prediction));
    heavy.lighten(outcome);
    QVERIFY(outcome.prediction->tensors[0].data.empty());
    QVERIFY(outcome.prediction->segment_map.empty());
    QCOMPARE(outcome.prediction->tensors[1].data.size(), std::size_t{4096 * 4});
    QVERIFY(HeavyParts::lacks_values(*outcome.prediction));
    QTemporaryDir folder;
    const QString path = folder.filePath(QStringLiteral("rows.jsonl"));
    outcome.prediction->task = ptrun::Task::tensors;
    outcome.prediction->tensors.pop_back();
    ptrun::ResultFileOptions options;
    options.task = ptrun::Task::tensors;
    export_rows(path, options, {{"x", std::make_shared<const ptrun::Outcome>(outcome)}});
    QFile rows(path);
    QVERIFY(rows.open(QIODevice::ReadOnly));
    const QByteArray row = rows.readAll();
    QVERIFY2(row.contains("\"shape\":[2,4096]}"), row.constData());

    // numpy's file has every value or is not written.
    const QString arrays = folder.filePath(QStringLiteral("rows.npz"));
    first.prediction->task = ptrun::Task::tensors;
    const ExportRow whole = {"a", std::make_shared<const ptrun::Outcome>(first)};
    const ExportRow lacking = {"b", std::make_shared<const ptrun::Outcome>(outcome)};
    const ExportResult refused = export_rows(arrays, options, {whole, lacking});
    QVERIFY2(refused.error.contains(QStringLiteral("of 1 of 2 photos were too large")), qPrintable(refused.error));
    QVERIFY(!QFile::exists(arrays));
    QCOMPARE(export_rows(arrays, options, {whole}).error, QString());
    QVERIFY(QFile(arrays).size() > 2 * 4096 * 4);
  }

  void boxes_are_drawn_where_they_are() {
    ptrun::Prediction prediction;
    prediction.geometry.original_width = 100;
    prediction.geometry.original_height = 50;
    ptrun::Detection one = box(2, "dog", 0.9F);
    one.x1 = 10;
    one.y1 = 10;
    one.x2 = 60;
    one.y2 = 40;
    prediction.detections = {one};
    QImage canvas(200, 100, QImage::Format_RGB32);
    canvas.fill(Qt::white);
    {
      QPainter painter(&canvas);
      draw_overlay(painter, QRectF(0, 0, 200, 100), prediction, false);
    }
    const auto is_near = [&](int x, int y) {
      const QColor found = canvas.pixelColor(x, y);
      return std::abs(found.hue() - class_colour(2).hue()) < 12 && found.saturation() > 60;
    };
    QVERIFY(is_near(20, 50) && is_near(120, 50) && is_near(70, 20) && is_near(70, 80));
    QCOMPARE(canvas.pixelColor(70, 50), QColor(Qt::white));
    QCOMPARE(canvas.pixelColor(5, 5), QColor(Qt::white));
  }

  void the_model_filters_and_sorts() {
    PhotoModel model;
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    QCOMPARE(model.add({"/p/a.jpg", "/p/b.jpg", "/p/c.jpg", "/p/d.jpg"}), 0);
    model.set_answers({answer(0, classified("dog", 0.4F)), answer(1, classified("cat", 0.9F)),
                       answer(2, failed("/p/c.jpg: broken"))});
    const auto expect = [&](const QStringList& expected) { QCOMPARE(names(model), expected); };
    const QString a = QStringLiteral("a.jpg");
    const QString b = QStringLiteral("b.jpg");
    const QString c = QStringLiteral("c.jpg");
    const QString d = QStringLiteral("d.jpg");
    const QPersistentModelIndex kept(model.index(1));
    model.set_order(Order::score_down);
    expect({b, a, c, d});
    QCOMPARE(kept.row(), 0);
    model.set_order(Order::score_up);
    expect({a, b, c, d});
    model.set_order(Order::label);
    expect({b, a, c, d});
    model.set_filter({Show::failed, {}, {}});
    expect({c});
    QVERIFY(!kept.isValid());
    model.set_filter({Show::waiting, {}, {}});
    expect({d});
    model.set_filter({Show::labelled, {}, {}});
    expect({b, a});
    model.set_filter({Show::all, QStringLiteral("dog"), {}});
    expect({a});
    model.set_filter({Show::all, {}, QStringLiteral("CAT")});
    expect({b});
    model.set_filter({Show::all, {}, QStringLiteral("d.j")});
    expect({d});
    model.set_order(Order::added);
    model.set_filter({});
    expect({a, b, c, d});
    QCOMPARE(model.label_counts().value(QStringLiteral("dog")), 1);
    model.forget_answers();
    QVERIFY(model.label_counts().isEmpty());
    QVERIFY(model.photo(0).waiting());
  }

  // While labels stream in, the rows follow by themselves.
  void answers_rearrange_a_sorted_grid() {
    PhotoModel model;
    model.set_order(Order::score_down);
    model.add({"/p/a.jpg", "/p/b.jpg"});
    model.set_answers({answer(1, classified("cat", 0.9F))});
    QTRY_COMPARE(names(model).front(), QStringLiteral("b.jpg"));
  }

  void models_are_told_from_photos() {
    QTemporaryDir folder;
    QDir(folder.path()).mkdir(QStringLiteral("photos"));
    const QString photos = folder.filePath(QStringLiteral("photos"));
    const Dropped dropped = sort_dropped({QStringLiteral("/a/net.PT"), photos, QStringLiteral("/a/b.jpg")});
    QCOMPARE(dropped.model, QStringLiteral("/a/net.PT"));
    QCOMPARE(dropped.sources, (QStringList{photos, QStringLiteral("/a/b.jpg")}));
    // What lies beside a model is none.
    QCOMPARE(sort_dropped({QStringLiteral("/a/net.pt"), QStringLiteral("/a/net.ptrun.json")}).model,
             QStringLiteral("/a/net.pt"));
    QVERIFY(!sort_dropped({QStringLiteral("/a/model.safetensors.index.json")}).model.isEmpty());
    for (const QString& name : {QStringLiteral("/config.json"), QStringLiteral("/model.safetensors")}) {
      QFile file(photos + name);
      QVERIFY(file.open(QIODevice::WriteOnly));
    }
    QCOMPARE(sort_dropped({photos}).model, photos);
  }

  void an_export_that_cannot_be_written_says_why() {
    const ExportResult result = export_rows(QStringLiteral("/nowhere/x.csv"), {}, {});
    QVERIFY2(result.error.contains(QStringLiteral("does not exist")), qPrintable(result.error));
  }
};

QTEST_MAIN(PartsTest)
#include <parts_test.moc>
