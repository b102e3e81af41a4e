#include "export.h"

#include <QFile>
#include <algorithm>
#include <exception>

#include "summary.h"

namespace desktop {

ptrun::ResultFileOptions export_options(const ptrun::Model& model) {
  ptrun::ResultFileOptions options;
  options.task = model.task();
  const std::size_t classes = model.labels().names.size();
  if (classes > 0) options.topk = static_cast<int>(std::min(classes, static_cast<std::size_t>(options.topk)));
  return options;
}

ExportResult export_rows(const QString& path, ptrun::ResultFileOptions options, const std::vector<ExportRow>& rows) {
  ExportResult result;
  result.path = path;
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
