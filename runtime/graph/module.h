// The one module form: every kind of file becomes a Module before it meets the executor.
#pragma once

#include <memory>
#include <string>
#include <variant>

namespace torch::jit {
struct Graph;
struct Module;
}  // namespace torch::jit

namespace ptrun {

// One flat graph with the weights as constants; If and Loop allowed. Its inputs are the image tensors.
struct GraphModule {
  std::shared_ptr<torch::jit::Graph> graph;
  // What the graph's nodes point to: a node inlined from a function names it when it throws. Empty for a graph of ours.
  std::shared_ptr<const void> owner = nullptr;
};

// A TorchScript module that cannot be frozen to one graph; runs through LibTorch's interpreter.
struct ScriptModule {
  std::shared_ptr<torch::jit::Module> module;
};

using Module = std::variant<GraphModule, ScriptModule>;

}  // namespace ptrun
