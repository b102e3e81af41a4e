// What somebody dropped or chose: a model, or photos.
#pragma once

#include <QMimeData>
#include <QString>
#include <QStringList>

namespace desktop {

struct Dropped {
  QString model;        // the last model file among them, or empty
  QStringList sources;  // everything else: photos and folders
};

// Tells by the name alone, so that hovering costs nothing: endings of model files, and folders that hold a config.json
// beside weights. What is neither is taken for a photo, whose tile says if it is none.
Dropped sort_dropped(const QStringList& paths);
// Local files of a drop or the clipboard.
QStringList local_paths(const QMimeData& data);
// For file dialogs.
QString model_name_filter();

}  // namespace desktop
