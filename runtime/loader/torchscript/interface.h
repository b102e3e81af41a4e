// What a TorchScript module takes and gives, from its types and graph, and from a run where those do not say.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "loader/torchscript/scan.h"
#include "ptrun/prediction.h"
#include "ptrun/signature.h"

namespace at {
class Tensor;
}
namespace c10 {
struct IValue;
struct FunctionSchema;
}  // namespace c10
namespace torch::jit {
struct Graph;
}

namespace ptrun::torchscript {

struct ScriptInterface {
  Signature signature;
  Task task = Task::tensors;  // classify for one output [N, C], C > 1; segment for a class map
  int input_height = 0;       // that the module was traced with; 0: unknown
  int input_width = 0;
  std::vector<std::string> notes;
};

// Runs forward once.
using RunForward = std::function<c10::IValue(std::vector<c10::IValue>)>;

// Reads argument and return types of `schema` (with self), the traced sizes and, where `graph` (frozen, may be null) is
// given, the channels of the first convolution and the form of the output. `prepares_images`: the module holds
// torchvision's GeneralizedRCNNTransform. Throws Error(unsupported) for arguments that are not images.
ScriptInterface read_interface(const c10::FunctionSchema& schema, const torch::jit::Graph* graph,
                               const ScriptArchive& archive, bool prepares_images, const std::string& subject);

// Completes `interface` by running: one image where the form of the output is not known, and 1 and 2 images where the
// graph writes a constant batch size into a shape, as tracing does. What runs only one by one is not batchable; what
// runs only in the traced size gets that size as its batch dimension. Never throws for a model that fails; a note says
// what was found.
void probe_interface(ScriptInterface& interface, const torch::jit::Graph* graph, const ScriptArchive& archive,
                     const RunForward& run);

}  // namespace ptrun::torchscript
