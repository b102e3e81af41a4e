// Everything that a model file says about itself without running it: what ptrun inspect shows below the loaders.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "archive/kind.h"
#include "archive/weight_table.h"
#include "ptrun/inspect.h"

namespace ptrun::archive {

struct ArchiveInspection {
  Kind kind = Kind::unknown;
  std::string word;               // stable: "state_dict", "checkpoint", "pickled_module", "tensor", "torchscript", ...
  std::vector<Finding> findings;  // in display order
  std::vector<TensorSummary> tensors;      // in file order
  std::int64_t parameters = 0;             // elements of the weights; running statistics are not counted
  std::vector<std::string> classes;        // "torchvision.models.resnet.ResNet at model.backbone"
  std::shared_ptr<const TensorFile> file;  // for torch.save and safetensors
  std::optional<FoundWeights> weights;
  std::string no_weights;  // why there are none in a tensor file, as find_weights says it
};

// Reads headers, and every record with its CRC when `verify`. Throws bad_model or limit_exceeded for a damaged file;
// any kind that is recognised is an answer. Any thread.
ArchiveInspection inspect_archive(std::shared_ptr<const ByteSource> source, bool verify = false,
                                  const Limits& limits = {});

// Class names that a checkpoint carries ("classes", "names", "idx_to_class", mmcv's meta.CLASSES, a module's names),
// in order of the index; empty when there are none. `where` becomes the key they stand under.
std::vector<std::string> find_class_names(const Pickle& data, NodeId module, std::string& where);

}  // namespace ptrun::archive
