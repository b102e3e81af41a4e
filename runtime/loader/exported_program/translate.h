// A program of torch.export, node by node, as one graph.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "archive/exported_program.h"

namespace at {
class Tensor;
}
namespace torch::jit {
struct Graph;
}

namespace ptrun::exported {

struct Translation {
  std::shared_ptr<torch::jit::Graph> graph;  // one input for each tensor that the user gives, one output
  std::vector<std::string> notes;            // what the user should know, one sentence each
};

// The values of a parameter, buffer or constant called `name`.
using ReadTensor = std::function<at::Tensor(const archive::exported::Place& place, const std::string& name)>;

// Whether translate() runs an operator called as list_operators() says, with every argument that exporters write.
bool runs_operator(const std::string& name);

// Operators are held against the allow-list of TorchScript (`trust` lifts it). float16 and bfloat16 become float32,
// devices the CPU. Throws Error(unsupported) for operators that ptrun does not run, naming them, bad_model for a graph
// that does not hold together, limit_exceeded.
Translation translate(const archive::exported::Archive& archive, const ReadTensor& read, const std::string& subject,
                      bool trust);

}  // namespace ptrun::exported
