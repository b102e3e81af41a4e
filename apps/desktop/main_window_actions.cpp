// The menus: every action has a place there, with its key.
#include <QActionGroup>
#include <QApplication>
#include <QFileDialog>
#include <QMenuBar>
#include <QMessageBox>
#include <QStyle>
#include <QToolBar>

#include "dropped.h"
#include "main_window.h"
#include "ptrun/predictor.h"

namespace desktop {
namespace {

QString photo_name_filter() {
  QStringList patterns;
  for (const std::string& extension : ptrun::image_extensions()) {
    const QString lower = QString::fromStdString(extension);
    patterns << QStringLiteral("*") + lower << QStringLiteral("*") + lower.toUpper();
  }
  return QStringLiteral("Photos (%1);;All files (*)").arg(patterns.join(QLatin1Char(' ')));
}

}  // namespace

QAction* MainWindow::add_action(QMenu* menu, const QString& text, const QList<QKeySequence>& keys,
                                std::function<void()> call) {
  QAction* action = menu->addAction(text);
  action->setShortcuts(keys);
  connect(action, &QAction::triggered, this, std::move(call));
  return action;
}

void MainWindow::make_actions() {
  const auto icon = [this](QStyle::StandardPixmap which) { return style()->standardIcon(which); };
  QMenu* file = menuBar()->addMenu(QStringLiteral("&File"));
  QAction* open = add_action(file, QStringLiteral("&Open model…"), {QKeySequence::Open}, [this] { ask_for_model(); });
  QAction* add = add_action(file, QStringLiteral("Add &photos…"), {QKeySequence(Qt::CTRL | Qt::Key_I)},
                            [this] { ask_for_photos(false); });
  QAction* folder = add_action(file, QStringLiteral("Add &folder…"), {QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_I)},
                               [this] { ask_for_photos(true); });
  file->addSeparator();
  export_actions_ = {add_action(file, QStringLiteral("&Export all results…"), {QKeySequence(Qt::CTRL | Qt::Key_E)},
                                [this] { ask_for_export(false); }),
                     add_action(file, QStringLiteral("Export &shown results…"),
                                {QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_E)}, [this] { ask_for_export(true); })};
  file->addSeparator();
  add_action(file, QStringLiteral("&Clear photos"), {QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_Delete)},
             [this] { clear_photos(); });
  add_action(file, QStringLiteral("&Quit"), {QKeySequence(Qt::CTRL | Qt::Key_Q)}, [this] { close(); });

  QMenu* run = menuBar()->addMenu(QStringLiteral("&Run"));
  run_action_ =
      add_action(run, QStringLiteral("&Run waiting photos"), {QKeySequence(Qt::Key_F5)}, [this] { run_waiting(0); });
  add_action(run, QStringLiteral("Run all &again"), {QKeySequence(Qt::CTRL | Qt::Key_F5)}, [this] { run_all_again(); });
  pause_action_ = add_action(run, QStringLiteral("&Pause"), {QKeySequence(Qt::Key_F6)},
                             [this] { runner_.set_paused(!runner_.is_paused()); });
  pause_action_->setCheckable(true);
  stop_action_ = add_action(run, QStringLiteral("&Stop"), {QKeySequence(Qt::Key_F7)}, [this] {
    if (runner_.is_loading()) {
      runner_.stop_loading();
    } else {
      runner_.cancel();
    }
  });

  make_view_menu();
  QMenu* help = menuBar()->addMenu(QStringLiteral("&Help"));
  add_action(help, QStringLiteral("&Keys"), {QKeySequence(Qt::Key_F1)}, [this] { show_keys(); });

  open->setIcon(icon(QStyle::SP_DialogOpenButton));
  add->setIcon(icon(QStyle::SP_FileIcon));
  folder->setIcon(icon(QStyle::SP_DirIcon));
  run_action_->setIcon(icon(QStyle::SP_MediaPlay));
  pause_action_->setIcon(icon(QStyle::SP_MediaPause));
  stop_action_->setIcon(icon(QStyle::SP_MediaStop));
  export_actions_.front()->setIcon(icon(QStyle::SP_DialogSaveButton));
  QToolBar* bar = addToolBar(QStringLiteral("Tools"));
  bar->setObjectName(QStringLiteral("tools"));
  bar->setMovable(false);
  bar->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
  for (QAction* action : {open, add, folder}) bar->addAction(action);
  bar->addSeparator();
  for (QAction* action : {run_action_, pause_action_, stop_action_}) bar->addAction(action);
  bar->addSeparator();
  bar->addAction(export_actions_.front());
  auto* room = new QWidget;
  room->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
  bar->addWidget(room);
  bar->addWidget(engine_row_);
  run_action_->setIconText(QStringLiteral("Run"));
  export_actions_.front()->setIconText(QStringLiteral("Export"));
}

void MainWindow::make_view_menu() {
  QMenu* view = menuBar()->addMenu(QStringLiteral("&View"));
  add_action(view, QStringLiteral("&Filter"), {QKeySequence::Find}, [this] {
    close_viewer();
    filter_row_->focus_text();
  });
  add_action(view, QStringLiteral("&Show everything"), {QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_F)},
             [this] { filter_row_->clear(); });
  view->addSeparator();
  add_action(view, QStringLiteral("&Larger tiles"), {QKeySequence::ZoomIn, QKeySequence(Qt::CTRL | Qt::Key_Equal)},
             [this] { grid_->zoom(1); });
  add_action(view, QStringLiteral("S&maller tiles"), {QKeySequence::ZoomOut}, [this] { grid_->zoom(-1); });
  view->addSeparator();
  viewer_actions_ = {add_action(view, QStringLiteral("&Next photo"),
                                {QKeySequence(Qt::Key_Right), QKeySequence(Qt::Key_Space)}, [this] { step(1); }),
                     add_action(view, QStringLiteral("&Previous photo"),
                                {QKeySequence(Qt::Key_Left), QKeySequence(Qt::Key_Backspace)}, [this] { step(-1); }),
                     add_action(view, QStringLiteral("&Back to all photos"), {QKeySequence(Qt::Key_Escape)},
                                [this] { close_viewer(); })};
  for (QAction* action : viewer_actions_) action->setEnabled(false);

  view->addSeparator();
  QMenu* themes = view->addMenu(QStringLiteral("&Theme"));
  auto* group = new QActionGroup(this);
  theme_ = theme_named(settings_.value(QStringLiteral("theme")).toString());
  for (const Theme theme : {Theme::system, Theme::light, Theme::dark}) {
    QString text = theme_name(theme);
    text[0] = text[0].toUpper();
    QAction* action = add_action(themes, QStringLiteral("&") + text, {}, [this, theme] {
      apply_theme(theme);
      settings_.setValue(QStringLiteral("theme"), theme_name(theme));
    });
    action->setCheckable(true);
    action->setChecked(theme == theme_);
    action->setObjectName(QStringLiteral("theme_") + theme_name(theme));
    group->addAction(action);
  }
  if (theme_ != Theme::system) apply_theme(theme_);
}

void MainWindow::ask_for_model() {
  const QString key = QStringLiteral("model_folder");
  const QString path = QFileDialog::getOpenFileName(this, QStringLiteral("Open a model"),
                                                    settings_.value(key).toString(), model_name_filter());
  if (path.isEmpty()) return;
  settings_.setValue(key, QFileInfo(path).absolutePath());
  open_model(path);
}

void MainWindow::ask_for_photos(bool folder) {
  const QString key = QStringLiteral("photo_folder");
  const QString start = settings_.value(key).toString();
  QStringList paths;
  if (folder) {
    const QString path = QFileDialog::getExistingDirectory(this, QStringLiteral("Add a folder of photos"), start);
    if (!path.isEmpty()) paths.append(path);
  } else {
    paths = QFileDialog::getOpenFileNames(this, QStringLiteral("Add photos"), start, photo_name_filter());
  }
  if (paths.isEmpty()) return;
  settings_.setValue(key, QFileInfo(paths.front()).absolutePath());
  add_sources(paths);
}

void MainWindow::ask_for_export(bool shown_only) {
  const QString key = QStringLiteral("export_folder");
  QFileDialog dialog(this, QStringLiteral("Export results"), settings_.value(key).toString());
  // "JSON Lines (*.jsonl)", ...: the ending of a filter is that of a name without one.
  QStringList filters = {QStringLiteral("JSON Lines (*.jsonl)"), QStringLiteral("CSV (*.csv)")};
  if (runner_.model() && runner_.model()->task() == ptrun::Task::tensors) {
    filters.append(QStringLiteral("NumPy arrays (*.npz)"));
  }
  dialog.setNameFilters(filters);
  dialog.setAcceptMode(QFileDialog::AcceptSave);
  dialog.setDefaultSuffix(QStringLiteral("jsonl"));
  connect(&dialog, &QFileDialog::filterSelected, &dialog, [&dialog](const QString& filter) {
    dialog.setDefaultSuffix(filter.section(QStringLiteral("*."), 1).section(QLatin1Char(')'), 0, 0));
  });
  if (dialog.exec() != QDialog::Accepted || dialog.selectedFiles().isEmpty()) return;
  const QString path = dialog.selectedFiles().front();
  settings_.setValue(key, QFileInfo(path).absolutePath());
  export_to(path, shown_only);
}

void MainWindow::show_keys() {
  QString rows;
  const QList<QMenu*> menus = menuBar()->findChildren<QMenu*>();
  for (const QMenu* menu : menus) {
    const QList<QAction*> actions = menu->actions();
    for (const QAction* action : actions) {
      if (action->shortcut().isEmpty()) continue;
      rows += QStringLiteral("<tr><td style='padding-right:24px'>%1</td><td>%2</td></tr>")
                  .arg(action->text().remove(QLatin1Char('&')).toHtmlEscaped(),
                       action->shortcut().toString(QKeySequence::NativeText).toHtmlEscaped());
    }
  }
  QMessageBox::about(this, QStringLiteral("Keys"),
                     QStringLiteral("<p>Arrows choose a photo, Enter shows it large, Tab goes on to the filters.</p>"
                                    "<table>%1</table>")
                         .arg(rows));
}

}  // namespace desktop
