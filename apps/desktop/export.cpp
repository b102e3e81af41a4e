#include "export.h"

#include <QFile>
#include <algorithm>
#include <exception>

#include "lighten.h"
#include "summary.h"

namespace desktop {

ptrun::ResultFileOptions export_options(const ptrun::Model& model) {
  ptrun::ResultFileOptions options;
  options.task = model.task();
  const std::size_t classes = model.labels().names.size();
  if (classes > 0) options.topk = static_cast<int>(std::min(classes, static_cast<std::size_t>(options.topk)));
  return options;
}

namespace {

// What only the tool can write, because not all was kept; empty: nothing.
QString missing_in(const QString& path, const std::vector<ExportRow>& rows) {
  // The other formats leave out what is too much for a row, whether it was kept or not.
  if (!path.endsWith(QStringLiteral(".npz"), Qt::CaseInsensitive)) return {};
  const auto lacking = std::count_if(rows.begin(), rows.end(), [](const ExportRow& row) {
    return row.outcome->ok() && HeavyParts::lacks_values(*row.outcome->prediction);
  });
  if (lacking == 0) return {};
  return QStringLiteral(
             "%1: the outputs of %2 of %3 photos were too large to be kept; use ptrun predict MODEL PHOTOS -o "
             "FILE.npz, or export fewer photos")
      .arg(path)
      .arg(lacking)
      .arg(rows.size());
}

}  // namespace

ExportResult export_rows(const QString& path, ptrun::ResultFileOptions options, const std::vector<ExportRow>& rows) {
  ExportResult result;
  result.path = path;
  result.error = missing_in(path, rows);
  if (!result.error.isEmpty()) return result;
  try {
    options.replace = true;
    ptrun::ResultFile file(QFile::encodeName(path).toStdString(), options);
    for (const ExportRow& row : rows) file.write(row.path, *row.outcome);
    file.finish();
    result.rows = rows.size();
  } catch (const std::exception& error) {
    result.error = shown(error.what());
  }
  return result;
}

}  // namespace desktop
