// Side files that an exporter put into a model archive: labels, preset, task.
#pragma once

#include <string>
#include <vector>

#include "archive/zip.h"
#include "loader/sidecar.h"

namespace ptrun {

// What the extra files of a TorchScript or .pt2 archive say: "ptrun.json" (ours), "config.txt" (ultralytics),
// "labels.json" and "labels.txt"; earlier ones of this order win field by field. One that cannot be read (a
// "config.txt" of somebody else) is left out with a sentence in `notes`; it never makes a model unusable.
ModelFacts read_extra_files(const archive::ZipArchive& zip, std::vector<std::string>& notes);

}  // namespace ptrun
