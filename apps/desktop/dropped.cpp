#include "dropped.h"

#include <QDir>
#include <QFileInfo>
#include <QUrl>
#include <algorithm>

namespace desktop {
namespace {

const QStringList& model_endings() {
  static const QStringList endings = {
      QStringLiteral("pt"),          QStringLiteral("pth"),  QStringLiteral("pt2"), QStringLiteral("ptl"),
      QStringLiteral("safetensors"), QStringLiteral("ckpt"), QStringLiteral("bin"), QStringLiteral("torchscript"),
      QStringLiteral("onnx"),        QStringLiteral("tar"),  QStringLiteral("pkl"), QStringLiteral("index.json")};
  return endings;
}

bool is_model_file(const QString& path) {
  return std::any_of(model_endings().begin(), model_endings().end(), [&](const QString& ending) {
    return path.endsWith(QLatin1Char('.') + ending, Qt::CaseInsensitive);
  });
}

bool is_model_folder(const QString& path) {
  const QDir folder(path);
  return folder.exists(QStringLiteral("config.json")) &&
         !folder.entryList({QStringLiteral("*.safetensors"), QStringLiteral("*.bin")}, QDir::Files).isEmpty();
}

}  // namespace

Dropped sort_dropped(const QStringList& paths) {
  Dropped dropped;
  for (const QString& path : paths) {
    const bool is_model = QFileInfo(path).isDir() ? is_model_folder(path) : is_model_file(path);
    if (is_model) {
      dropped.model = path;
    } else {
      dropped.sources.append(path);
    }
  }
  return dropped;
}

QStringList local_paths(const QMimeData& data) {
  QStringList paths;
  const QList<QUrl> urls = data.urls();
  for (const QUrl& url : urls) {
    if (url.isLocalFile()) paths.append(url.toLocalFile());
  }
  return paths;
}

QString model_name_filter() {
  QStringList patterns;
  for (const QString& ending : model_endings()) patterns.append(QStringLiteral("*.") + ending);
  return QStringLiteral("Models (%1);;All files (*)").arg(patterns.join(QLatin1Char(' ')));
}

}  // namespace desktop
