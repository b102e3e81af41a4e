// ptrun-desktop [FILE...]: models, photos and folders, in any order, as if they were dropped.
#include <QApplication>
#include <QCommandLineParser>
#include <QLoggingCategory>

#include "dropped.h"
#include "main_window.h"

int main(int argc, char** argv) {
  QApplication application(argc, argv);
  QApplication::setOrganizationName(QStringLiteral("ptrun"));
  QApplication::setApplicationName(QStringLiteral("ptrun-desktop"));
  QApplication::setApplicationDisplayName(QStringLiteral("ptrun"));
  QApplication::setDesktopFileName(QStringLiteral("ptrun-desktop"));

  // Qt's decoders complain about every damaged photo; its tile says it better.
  QLoggingCategory::setFilterRules(QStringLiteral("qt.gui.imageio*=false"));

  QCommandLineParser parser;
  parser.setApplicationDescription(QStringLiteral("Runs a trained PyTorch image model on photos."));
  parser.addHelpOption();
  parser.addPositionalArgument(QStringLiteral("file"), QStringLiteral("Models, photos and folders."),
                               QStringLiteral("[FILE...]"));
  parser.process(application);

  desktop::MainWindow window;
  window.show();
  const desktop::Dropped given = desktop::sort_dropped(parser.positionalArguments());
  if (given.model.isEmpty()) {
    window.open_last_model();
  } else {
    window.open_model(given.model);
  }
  if (!given.sources.isEmpty()) window.add_sources(given.sources);
  return QApplication::exec();
}
