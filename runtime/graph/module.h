// The one module form: every kind of file becomes a Module before it meets the executor.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace at {
class Tensor;
}
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

// Compiled code that checks its inputs. Any thread may run it.
class NativeProgram {
 public:
  virtual ~NativeProgram() = default;
  // Throws Error(invalid_argument) for inputs that the code was not compiled for, and what LibTorch throws.
  virtual std::vector<at::Tensor> run(std::vector<at::Tensor> inputs) const = 0;
};

// An AOTInductor package.
struct NativeModule {
  std::shared_ptr<const NativeProgram> program;
};

using Module = std::variant<GraphModule, ScriptModule, NativeModule>;

}  // namespace ptrun
