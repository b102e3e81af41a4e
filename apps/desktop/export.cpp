#include "export.h"

#include <QFile>
#include <algorithm>
#include <exception>

#include "summary.h"

namespace desktop {

ExportResult export_rows(const QString& path, ptrun::Task task, const std::vector<ExportRow>& rows) {
  ExportResult result;
  result.path = path;
  try {
    ptrun::ResultFileOptions options;
    options.task = task;
    options.replace = true;
    options.topk = 1;
    for (const ExportRow& row : rows) {
      if (!row.outcome->ok()) continue;
      options.topk = std::max(options.topk, static_cast<int>(row.outcome->prediction->classes.size()));
      options.logits = row.outcome->prediction->logits;
    }
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
