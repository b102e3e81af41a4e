// Rows of the photos in a file, as `ptrun predict -o` writes them.
#pragma once

#include <QString>
#include <memory>
#include <string>
#include <vector>

#include "ptrun/model.h"
#include "ptrun/results.h"

namespace desktop {

struct ExportRow {
  std::string path;
  std::shared_ptr<const ptrun::Outcome> outcome;
};

// For rows of `model`, run with the default options: the columns of `ptrun predict -o`.
ptrun::ResultFileOptions export_options(const ptrun::Model& model);

struct ExportResult {
  QString path;
  std::size_t rows = 0;
  QString error;  // empty: written
};

// Any thread; takes as long as the disk. An existing file is replaced once the new one is complete.
ExportResult export_rows(const QString& path, ptrun::ResultFileOptions options, const std::vector<ExportRow>& rows);

}  // namespace desktop
