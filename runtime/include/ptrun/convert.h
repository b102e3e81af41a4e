// Weights of any file that ptrun reads, written again as a small file that Python and ptrun read without pickled code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ptrun/export.h"
#include "ptrun/log.h"
#include "ptrun/models.h"
#include "ptrun/preset.h"

namespace ptrun {

// What convert() writes beside the weights, and how it reads them.
struct ConvertOptions {
  std::size_t size = sizeof(ConvertOptions);
  const ModelTables* models = &builtin_models();  // must outlive the call
  std::string labels_file;                        // as LoadOptions; what is given here is written into the output
  std::string preset_name;
  PresetLayer preset;
  bool force = false;  // replace an output that exists
  LogCallback log;
};

// What convert() did.
struct ConvertSummary {
  std::string format;        // "safetensors", "torch"
  std::string architecture;  // recognised variant, or empty
  std::size_t tensors = 0;
  std::uint64_t bytes_before = 0;  // of the model file (of an index: of the index alone)
  std::uint64_t bytes_after = 0;
  std::vector<std::string> carried;  // what goes along: "5 labels", "task", preset fields
  std::vector<std::string> notes;    // what was chosen or left out, one sentence each
};

// Takes the weights out of `path` (state_dict, checkpoint, pickled module, safetensors, shards; read as data, nothing
// is executed) and writes them to `output`: NAME.safetensors, or NAME.pt / .pth as a state_dict that torch.load reads
// with weights_only=True, every dtype bit for bit. Prefixes that all names share are left out, quantised tensors become
// float32 in safetensors. Labels, task and preset that are known and not assumed travel inside the file; load_model
// reads them back. The output has its name only when it is complete. Throws invalid_argument (extension, an output that
// exists, the model itself as output), unsupported (a file without weights to take out, a tensor that the format
// cannot hold), bad_model, limit_exceeded, output_failed. Memory: the largest storage and the largest tensor. Any
// thread.
PTRUN_API ConvertSummary convert_model(const std::string& path, const std::string& output,
                                       const ConvertOptions& options = {});

}  // namespace ptrun
