#include "main_window.h"

#include <QCloseEvent>
#include <QFile>
#include <QFileInfo>
#include <QLocale>
#include <QMimeData>
#include <QScrollArea>
#include <QStatusBar>
#include <QVBoxLayout>
#include <QtConcurrent>
#include <cmath>

#include "dropped.h"
#include "export.h"
#include "ptrun/job.h"

namespace desktop {
namespace {

constexpr qsizetype kThumbnailBytes = 192 << 20;  // 2,000 tiles at the usual size
constexpr int kThumbnailThreads = 1;              // the predictor has the others
constexpr int kPictureWidth = 176;

struct Listed {
  ptrun::InputList list;
  QString error;
};

Listed list_sources(const std::vector<std::string>& sources) {
  Listed listed;
  try {
    ptrun::SourceOptions options;
    options.sources = sources;
    listed.list = ptrun::list_inputs(options);
  } catch (const std::exception& error) {
    listed.error = shown(error.what());
  }
  return listed;
}

QString count(qlonglong number) { return QLocale().toString(number); }
QString photo_count(qlonglong number) {
  return number == 1 ? QStringLiteral("1 photo") : QStringLiteral("%1 photos").arg(count(number));
}

}  // namespace

MainWindow::MainWindow(QWidget* parent)
    : QMainWindow(parent),
      thumbnailer_(kThumbnailBytes, kThumbnailThreads, this),
      banner_(new Banner),
      filter_row_(new FilterRow),
      engine_row_(new EngineRow),
      grid_(new PhotoGrid(photos_, thumbnailer_)),
      viewer_(new Preview(photos_, QSize(2560, 1600))),
      stack_(new QStackedWidget),
      card_(new ModelCard),
      panel_(new PhotoPanel(photos_)),
      splitter_(new QSplitter),
      progress_(new QProgressBar),
      status_(new QLabel) {
  setAcceptDrops(true);
  grid_->setAcceptDrops(false);  // the window takes them, wherever they fall
  resize(1240, 800);

  stack_->addWidget(grid_);
  stack_->addWidget(viewer_);
  viewer_->setFocusPolicy(Qt::StrongFocus);
  auto* left = new QWidget;
  auto* left_layout = new QVBoxLayout(left);
  left_layout->setContentsMargins(8, 8, 0, 0);
  left_layout->addWidget(filter_row_);
  left_layout->addWidget(banner_);
  left_layout->addWidget(stack_, 1);
  splitter_->addWidget(left);
  splitter_->addWidget(make_side_panel());
  splitter_->setStretchFactor(0, 1);
  splitter_->setCollapsible(0, false);
  splitter_->setSizes({900, 340});
  setCentralWidget(splitter_);

  progress_->setMaximumWidth(220);
  progress_->setTextVisible(false);
  status_->setObjectName(QStringLiteral("status"));
  statusBar()->addWidget(progress_);
  statusBar()->addWidget(status_, 1);

  make_actions();
  connect_parts();
  restore_settings();
  update_state();
  grid_->setFocus();
}

MainWindow::~MainWindow() = default;

QWidget* MainWindow::make_side_panel() {
  auto* content = new QWidget;
  auto* layout = new QVBoxLayout(content);
  layout->setContentsMargins(12, 12, 12, 12);
  layout->addWidget(card_);
  auto* line = new QFrame;
  line->setFrameShape(QFrame::HLine);
  line->setForegroundRole(QPalette::Mid);
  layout->addWidget(line);
  layout->addWidget(panel_, 1);
  auto* area = new QScrollArea;
  area->setWidget(content);
  area->setWidgetResizable(true);
  area->setFrameShape(QFrame::NoFrame);
  area->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  area->setMinimumWidth(260);
  area->setAccessibleName(QStringLiteral("Model and selected photo"));
  return area;
}

void MainWindow::connect_parts() {
  connect(&runner_, &JobRunner::inspected, card_, &ModelCard::show_inspection);
  connect(&runner_, &JobRunner::model_loaded, this, [this] {
    card_->show_loaded(*runner_.model());
    settings_.setValue(QStringLiteral("model"), QFile::decodeName(runner_.model()->path().c_str()));
    run_waiting(0);
  });
  connect(&runner_, &JobRunner::load_failed, this, [this](const QString& message) {
    card_->show_failed(message);
    banner_->complain(message);
  });
  connect(&runner_, &JobRunner::loading_stopped, card_, &ModelCard::show_stopped);
  connect(&runner_, &JobRunner::run_failed, banner_, &Banner::complain);
  connect(&runner_, &JobRunner::warned, banner_, &Banner::say);
  connect(&runner_, &JobRunner::planned, card_, &ModelCard::show_plan);
  connect(&runner_, &JobRunner::state_changed, this, &MainWindow::update_state);
  connect(&runner_, &JobRunner::answered, this, [this](const std::vector<Answer>& answers) {
    photos_.set_answers(answers);
    for (const Answer& answer : answers) {
      if (answer.photo == panel_->photo()) show_current();
    }
  });

  connect(&thumbnailer_, &Thumbnailer::ready, grid_, &PhotoGrid::update_photo);
  connect(&photos_, &PhotoModel::labels_changed, this, [this] { filter_row_->set_labels(photos_.label_counts()); });
  connect(&photos_, &PhotoModel::rearranged, this, [this] {
    update_state();
    show_current();
  });
  connect(filter_row_, &FilterRow::filter_changed, &photos_, &PhotoModel::set_filter);
  connect(filter_row_, &FilterRow::order_changed, this, [this](Order order) {
    photos_.set_order(order);
    if (!grid_->currentIndex().isValid()) grid_->scrollToTop();
  });
  connect(filter_row_, &FilterRow::left, grid_, [this] { grid_->setFocus(); });
  connect(engine_row_, &EngineRow::options_changed, this, [this] {
    settings_.setValue(QStringLiteral("device"), engine_row_->device());
    settings_.setValue(QStringLiteral("precision"), engine_row_->precision());
    banner_->hide();
    runner_.set_options(engine_row_->options());
  });

  connect(grid_->selectionModel(), &QItemSelectionModel::currentChanged, this, &MainWindow::show_current);
  connect(grid_, &QAbstractItemView::activated, this, &MainWindow::open_viewer);
  connect(panel_, &PhotoPanel::opened, this, &MainWindow::open_viewer);
  connect(viewer_, &Preview::opened, this, &MainWindow::close_viewer);
}

void MainWindow::restore_settings() {
  restoreGeometry(settings_.value(QStringLiteral("geometry")).toByteArray());
  splitter_->restoreState(settings_.value(QStringLiteral("splitter")).toByteArray());
  grid_->set_picture_width(settings_.value(QStringLiteral("picture_width"), kPictureWidth).toInt());
  engine_row_->choose(settings_.value(QStringLiteral("device")).toString(),
                      settings_.value(QStringLiteral("precision")).toString());
  runner_.set_options(engine_row_->options());
}

void MainWindow::closeEvent(QCloseEvent* event) {
  settings_.setValue(QStringLiteral("geometry"), saveGeometry());
  settings_.setValue(QStringLiteral("splitter"), splitter_->saveState());
  settings_.setValue(QStringLiteral("picture_width"), grid_->picture_width());
  runner_.forget();
  event->accept();
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
  if (!local_paths(*event->mimeData()).isEmpty()) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
  const QStringList paths = local_paths(*event->mimeData());
  if (paths.isEmpty()) return;
  event->acceptProposedAction();
  take(paths);
}

void MainWindow::take(const QStringList& paths) {
  const Dropped dropped = sort_dropped(paths);
  if (!dropped.model.isEmpty()) open_model(dropped.model);
  if (!dropped.sources.isEmpty()) add_sources(dropped.sources);
}

void MainWindow::open_model(const QString& path) {
  banner_->hide();
  card_->show_opening(path);
  setWindowTitle(QStringLiteral("%1 – ptrun").arg(QFileInfo(path).fileName()));
  runner_.open_model(path);
  photos_.forget_answers();
  show_current();
}

void MainWindow::open_last_model() {
  const QString path = settings_.value(QStringLiteral("model")).toString();
  if (!path.isEmpty() && QFileInfo::exists(path)) open_model(path);
}

void MainWindow::add_sources(const QStringList& sources) {
  std::vector<std::string> names;
  for (const QString& source : sources)
    names.push_back(QFile::encodeName(QFileInfo(source).absoluteFilePath()).toStdString());
  ++listing_;
  update_state();
  QtConcurrent::run(list_sources, names).then(this, [this](const Listed& listed) {
    --listing_;
    if (!listed.error.isEmpty()) {
      banner_->complain(listed.error);
    } else if (listed.list.paths.empty()) {
      banner_->say(QStringLiteral("No photos there."));
    } else if (listed.list.skipped_count() > 0) {
      const std::size_t others = listed.list.skipped_count();
      banner_->say(
          QStringLiteral("%1 added; %2 left out (%3).")
              .arg(photo_count(static_cast<qlonglong>(listed.list.paths.size())),
                   others == 1 ? QStringLiteral("1 other name was") : QStringLiteral("%1 other names were").arg(others),
                   shown(listed.list.skipped.front().what)));
    }
    const int first = photos_.add(listed.list.paths);
    if (runner_.model()) run_waiting(first);
    update_state();
  });
}

void MainWindow::run_waiting(int first) {
  std::vector<Work> work;
  for (int number = first; number < photos_.size(); ++number) {
    if (photos_.photo(number).waiting()) work.push_back({0, number, photos_.photo(number).path});
  }
  runner_.run(std::move(work));
}

void MainWindow::run_all_again() {
  if (!runner_.model()) return;
  runner_.forget();
  photos_.forget_answers();
  show_current();
  run_waiting(0);
}

void MainWindow::clear_photos() {
  runner_.forget();
  thumbnailer_.clear();
  panel_->forget();
  viewer_->forget();
  photos_.clear();
  filter_row_->clear();
  close_viewer();
}

void MainWindow::export_to(const QString& path, bool shown_only) {
  std::vector<ExportRow> rows;
  const auto add = [&](int number) {
    const Photo& photo = photos_.photo(number);
    if (!photo.waiting()) rows.push_back({photo.path, photo.outcome});
  };
  if (shown_only) {
    for (const int number : photos_.shown()) add(number);
  } else {
    for (int number = 0; number < photos_.size(); ++number) add(number);
  }
  const auto options = runner_.model() ? export_options(*runner_.model()) : ptrun::ResultFileOptions();
  QtConcurrent::run(export_rows, path, options, rows).then(this, [this](const ExportResult& result) {
    if (result.error.isEmpty()) {
      banner_->say(QStringLiteral("%1 rows written to %2").arg(result.rows).arg(result.path));
    } else {
      banner_->complain(result.error);
    }
    Q_EMIT exported(result.path, result.error);
  });
}

void MainWindow::show_current() {
  const int photo = photos_.photo_at(grid_->currentIndex());
  panel_->show_photo(photo);
  if (stack_->currentWidget() == viewer_) viewer_->show_photo(photo);
}

void MainWindow::open_viewer() {
  if (photos_.photo_at(grid_->currentIndex()) < 0) return;
  stack_->setCurrentWidget(viewer_);
  viewer_->setFocus();
  for (QAction* action : viewer_actions_) action->setEnabled(true);
  show_current();
}

void MainWindow::close_viewer() {
  stack_->setCurrentWidget(grid_);
  for (QAction* action : viewer_actions_) action->setEnabled(false);
  grid_->setFocus();
}

void MainWindow::step(int rows) {
  const int row = grid_->currentIndex().row() + rows;
  if (row >= 0 && row < photos_.rowCount()) grid_->setCurrentIndex(photos_.index(row));
}

QString MainWindow::state_text() const {
  const RunProgress now = runner_.progress();
  QStringList parts;
  if (listing_ > 0) parts.append(QStringLiteral("Listing …"));
  if (runner_.is_loading()) {
    const double part = runner_.loading_part();
    parts.append(part > 0 ? QStringLiteral("Loading the model … %1 %").arg(std::floor(100 * part))
                          : QStringLiteral("Loading the model …"));
  }
  if (runner_.is_running()) {
    parts.append(QStringLiteral("%1 of %2")
                     .arg(count(static_cast<qlonglong>(now.done)), count(static_cast<qlonglong>(now.total))));
  } else if (photos_.size() > 0) {
    parts.append(photo_count(photos_.size()));
  }
  if (photos_.rowCount() != photos_.size()) parts.append(QStringLiteral("%1 shown").arg(count(photos_.rowCount())));
  if (now.failed > 0) parts.append(QStringLiteral("%1 failed").arg(count(static_cast<qlonglong>(now.failed))));
  if (runner_.is_running() && runner_.is_paused()) {
    parts.append(QStringLiteral("paused"));
  } else if (runner_.is_running() && now.rate > 0) {
    parts.append(QStringLiteral("%1 img/s").arg(now.rate, 0, 'f', now.rate < 10 ? 1 : 0));
    parts.append(QStringLiteral("%1 s left").arg(std::ceil(static_cast<double>(now.total - now.done) / now.rate)));
  }
  return parts.join(QStringLiteral(" · "));
}

QString MainWindow::empty_text() const {
  if (photos_.size() > 0) return QStringLiteral("No photo passes the filter.");
  if (runner_.model())
    return QStringLiteral("Drop photos or a folder here\n\nCtrl+I adds photos, Ctrl+Shift+I a folder");
  return QStringLiteral("Drop a model and photos here\n\nCtrl+O opens a model, Ctrl+I adds photos");
}

void MainWindow::update_state() {
  const RunProgress now = runner_.progress();
  const bool running = runner_.is_running();
  const bool loading = runner_.is_loading();
  // Once all is read, the network is built, nobody knows how long.
  const bool reading = loading && runner_.loading_part() > 0 && runner_.loading_part() < 1;
  progress_->setVisible(running || loading || listing_ > 0);
  if (reading) {
    progress_->setMaximum(100);
    progress_->setValue(static_cast<int>(100 * runner_.loading_part()));
  } else {
    progress_->setMaximum(running ? static_cast<int>(now.total) : 0);  // 0: busy
    progress_->setValue(running ? static_cast<int>(now.done) : 0);
  }
  status_->setText(state_text());
  grid_->set_empty_text(empty_text());
  run_action_->setEnabled(runner_.model().has_value() && !running && photos_.waiting() > 0);
  pause_action_->setEnabled(running);
  pause_action_->setChecked(runner_.is_paused());
  stop_action_->setEnabled(running || loading);
  for (QAction* action : export_actions_) action->setEnabled(photos_.waiting() < photos_.size());
}

}  // namespace desktop
