// Loading a model file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ptrun/cancellation.h"
#include "ptrun/export.h"
#include "ptrun/labels.h"
#include "ptrun/log.h"
#include "ptrun/models.h"
#include "ptrun/preset.h"
#include "ptrun/signature.h"

namespace ptrun {

// How much of the file load_model() has read.
struct LoadProgress {
  std::uint64_t bytes_read = 0;   // of the model file, at most bytes_total
  std::uint64_t bytes_total = 0;  // size of the model file; of an index of shards, the index alone
};

// How a model file is read. The defaults take everything from the file.
struct LoadOptions {
  std::size_t size = sizeof(LoadOptions);
  const ModelTables* models = &builtin_models();  // must outlive the call
  std::string architecture;                       // a variant's name, or empty: recognise it from the weights
  std::string task;                               // "classify", ..., or empty: from the model
  std::string labels_file;         // one label a line, or JSON {"0": "name"} or ["name"]; empty: from the model
  std::string preset_name;         // a PublishedWeights name, or empty
  PresetLayer preset;              // fields given by the caller, first in precedence
  bool trust = false;              // lifts the operator allow-list of programs; only for files you wrote
  bool trust_native_code = false;  // opens AOTInductor packages, whose code runs as it is; only for those you compiled
  // Shared libraries with operators that a TorchScript file needs. Their code runs when the file is loaded.
  std::vector<std::string> operator_libraries;
  std::uint64_t constant_memory_limit = 8ULL << 30U;  // bytes of weights in memory
  LogCallback log;
  // Class names by class index, before those of labels_file; empty: as labels_file says.
  std::vector<std::string> labels;
  // Some 200 calls, the last one with everything read; one at a time, from a thread of the load. Must not throw.
  std::function<void(const LoadProgress&)> progress;
  // Makes load_model throw Error(cancelled) at its next read of the file, or when the network has been built.
  std::optional<Cancellation> cancellation;
};

// A loaded model: module, signature, labels, preset. Immutable; share it between threads and predictors.
// A Model is a handle: copies share.
class PTRUN_API Model {
 public:
  struct Impl;  // runtime/loader only
  explicit Model(std::shared_ptr<const Impl> impl);

  const std::string& path() const noexcept;          // As it was given.
  const std::string& kind() const noexcept;          // "state_dict", "torchscript", ...
  const std::string& architecture() const noexcept;  // "mobilenet_v2"; empty when the file carries its own graph
  Task task() const noexcept;                        // What the outputs mean.
  const Signature& signature() const noexcept;       // What goes in and out.
  const Labels& labels() const noexcept;             // Class names, or none.
  const ResolvedPreset& preset() const noexcept;     // How images are prepared.
  std::int64_t parameters() const noexcept;          // Numbers in its weights.
  // What the loader chose or assumed for the user, one sentence each.
  const std::vector<std::string>& notes() const noexcept;

  const Impl& impl() const noexcept { return *impl_; }  // For the library itself.

 private:
  std::shared_ptr<const Impl> impl_;
};

// Reads `path` and makes it ready to run. Throws not_found, bad_model, unsupported, limit_exceeded or
// invalid_argument or cancelled, each naming the file, what was found and what to do. Any thread; never prints.
PTRUN_API Model load_model(const std::string& path, const LoadOptions& options = {});

}  // namespace ptrun
