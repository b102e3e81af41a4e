// What a model file is, without running anything from it and without LibTorch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ptrun/export.h"
#include "ptrun/model.h"
#include "ptrun/signature.h"

namespace ptrun {

// How closely inspect() looks.
struct InspectOptions {
  std::size_t size = sizeof(InspectOptions);
  const ModelTables* models = &builtin_models();  // must outlive the call
  bool verify = false;                            // read every record and check its CRC
};

// A tensor of the file.
struct TensorSummary {
  std::string name;
  DType dtype = DType::unknown;
  std::vector<std::int64_t> shape;
};

// A value that inspect learned, and where from ("tensor names", "archive record version", ...).
struct Finding {
  std::string name;
  std::string value;
  std::string source;
};

// What inspect() learned.
struct Inspection {
  std::string path;
  std::string
      kind;  // stable word: "state_dict", "checkpoint", "pickled_module", "torchscript", "exported_program", ...
  std::string description;  // one sentence for people
  bool runnable = false;    // load_model is expected to accept it
  std::string explanation;  // when not runnable: what it is and what to do, with the exact lines that export it
  std::uint64_t file_size = 0;
  std::vector<Finding> findings;       // producer, version, task, labels, preset fields, devices, ... in display order
  std::vector<TensorSummary> tensors;  // in file order
  std::int64_t parameters = 0;
  std::vector<std::string> classes;            // of a pickled module: "models.resnet.ResNet at model.backbone"
  std::vector<std::string> operators;          // needed by a program
  std::vector<std::string> missing_operators;  // of those, what neither LibTorch nor ptrun has
};

// Reads headers only unless `verify`. Throws not_found, or bad_model for a file that is damaged; a file that is
// recognised but cannot run is an answer, not an error. Any thread.
PTRUN_API Inspection inspect(const std::string& path, const InspectOptions& options = {});

// JSON, schema 1; a stable set of keys.
PTRUN_API std::string to_json(const Inspection& inspection);

}  // namespace ptrun
