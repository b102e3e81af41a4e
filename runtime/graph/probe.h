// Looks at the tensors of a graph while it runs.
#pragma once

#include <functional>
#include <vector>

namespace at {
class Tensor;
}
namespace torch::jit {
struct Block;
struct Graph;
struct Node;
struct Value;
}  // namespace torch::jit

namespace ptrun::jit {

// While it lives, every run of `graph` calls `seen` with each value that is a defined tensor, after it was computed;
// the graph is as it was afterwards. A graph with probes serves one thread at a time.
class Probes {
 public:
  using Seen = std::function<void(const torch::jit::Value* value, const at::Tensor& tensor)>;
  Probes(torch::jit::Graph& graph, Seen seen);
  ~Probes();
  Probes(const Probes&) = delete;
  Probes& operator=(const Probes&) = delete;

 private:
  void probe(torch::jit::Block* block);
  void probe(torch::jit::Value* value, torch::jit::Node* before);

  torch::jit::Graph& graph_;
  Seen seen_;
  std::vector<torch::jit::Node*> nodes_;
};

}  // namespace ptrun::jit
