// The window: puts the parts together and holds no knowledge of its own.
#pragma once

#include <QLabel>
#include <QMainWindow>
#include <QProgressBar>
#include <QSettings>
#include <QSplitter>
#include <QStackedWidget>

#include "banner.h"
#include "job_runner.h"
#include "model_card.h"
#include "photo_grid.h"
#include "photo_model.h"
#include "photo_panel.h"
#include "preview.h"
#include "theme.h"
#include "thumbnailer.h"
#include "tool_rows.h"

namespace desktop {

class MainWindow : public QMainWindow {
  Q_OBJECT

 public:
  explicit MainWindow(QWidget* parent = nullptr);
  ~MainWindow() override;

  void open_model(const QString& path);
  // The model of the last time, if it is still there.
  void open_last_model();
  // Photos, folders and globs; listed in the background.
  void add_sources(const QStringList& sources);
  // Writes in the background. `shown_only`: what the filter lets through, in the grid's order; else all photos with a
  // result, as they were added.
  void export_to(const QString& path, bool shown_only);

  // For tests.
  PhotoModel& photos() { return photos_; }
  JobRunner& runner() { return runner_; }
  PhotoGrid& grid() { return *grid_; }

 Q_SIGNALS:
  void exported(const QString& path, const QString& error);

 protected:
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;
  void closeEvent(QCloseEvent* event) override;

 private:
  // main_window_actions.cpp
  void make_actions();
  void make_view_menu();
  void ask_for_model();
  void ask_for_photos(bool folder);
  void ask_for_export(bool shown_only);
  void show_keys();
  QAction* add_action(QMenu* menu, const QString& text, const QList<QKeySequence>& keys, std::function<void()> call);

  QWidget* make_side_panel();
  void connect_parts();
  void restore_settings();
  void take(const QStringList& paths);
  // Queues the photos from number `first` on that have no answer.
  void run_waiting(int first);
  void run_all_again();
  void clear_photos();
  void show_current();
  void open_viewer();
  void close_viewer();
  void step(int rows);
  void update_state();
  QString state_text() const;
  QString empty_text() const;

  QSettings settings_;
  PhotoModel photos_;
  Thumbnailer thumbnailer_;
  JobRunner runner_;

  Banner* banner_;
  FilterRow* filter_row_;
  EngineRow* engine_row_;
  PhotoGrid* grid_;
  Preview* viewer_;
  QStackedWidget* stack_;  // grid or viewer
  ModelCard* card_;
  PhotoPanel* panel_;
  QSplitter* splitter_;
  QProgressBar* progress_;
  QLabel* status_;
  QAction* run_action_ = nullptr;
  QAction* pause_action_ = nullptr;
  QAction* stop_action_ = nullptr;
  QList<QAction*> export_actions_;
  QList<QAction*> viewer_actions_;
  Theme theme_ = Theme::system;
  int listing_ = 0;  // folders being listed
};

}  // namespace desktop
