// Calls into LibTorch's internal JIT interfaces, which change between releases; built and tested against 2.11 and 2.15.
// Besides this file only the TorchScript loader includes torch/csrc/jit/passes or frontend headers.
#pragma once

#include <ATen/core/ivalue.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace torch::jit {
struct Graph;
struct Value;
struct Code;
struct Module;
}  // namespace torch::jit

namespace c10 {
struct FunctionSchema;
}

namespace ptrun::jit {

// The overload called `schema` ("aten::add.Tensor"), from the dispatcher or from the JIT's own operators; null when
// there is none.
const c10::FunctionSchema* find_schema(std::string_view schema);

// An argument of insert_operator: a value of the graph, or a constant.
using Operand = std::variant<torch::jit::Value*, c10::IValue>;

// Appends operator `schema` ("aten::add.Tensor": name, then overload) and returns its results. The overload is taken
// from the dispatcher, or from the JIT's own operators (aten::size.int); defaults are filled in. Throws
// Error(internal) naming the operator when there is none or the arguments do not fit.
std::vector<torch::jit::Value*> insert_operator(torch::jit::Graph& graph, std::string_view schema,
                                                const std::vector<Operand>& arguments,
                                                const std::vector<std::pair<std::string, Operand>>& named);

// True when normalise() would change nothing: no operator works on constants alone, none changes its input, each
// result is used. Costs far less than the first normalise() of a process, which sets up LibTorch's alias analysis.
bool is_normal(const torch::jit::Graph& graph);

// Inputs and constants that the graph writes into, or into a view of, are copied at its start: a call changes nothing
// that the next one or the caller sees.
void protect(const std::shared_ptr<torch::jit::Graph>& graph);

// Constants evaluated, lists of constants made constant, in-place operators made pure, dead nodes removed: the form
// that folding and every plan expect. Runs operators of the graph on its constants.
void normalise(const std::shared_ptr<torch::jit::Graph>& graph);

// Folds batch norms and constant adds and multiplications into the convolutions and linears before them, and drops
// dropout. fp32 only; results change in the last bits.
void fold(const std::shared_ptr<torch::jit::Graph>& graph);

// A graph compiled for LibTorch's interpreter. Any thread may run it at the same time.
class Program {
 public:
  explicit Program(const std::shared_ptr<torch::jit::Graph>& graph);
  // The module's forward method, calls inlined; missing arguments get their defaults. Keeps the module alive.
  explicit Program(const torch::jit::Module& module);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // One result, or a tuple of several. Throws what LibTorch throws; also for a wrong number of inputs.
  c10::IValue run(std::vector<c10::IValue> inputs) const;

 private:
  std::unique_ptr<torch::jit::Code> code_;
  c10::IValue self_;                   // first argument, or None
  std::vector<c10::IValue> defaults_;  // of the arguments after self, None where there is none
  std::size_t required_ = 0;           // arguments after self without a default
};

}  // namespace ptrun::jit
