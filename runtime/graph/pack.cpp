#include "graph/pack.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>
#include <optional>
#include <string>

#include "graph/match.h"

namespace ptrun::jit {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

const c10::Symbol kConv = c10::Symbol::fromQualString("mkldnn::_convolution_pointwise");
const c10::Symbol kConvInPlace = c10::Symbol::fromQualString("mkldnn::_convolution_pointwise_");
const c10::Symbol kLinear = c10::Symbol::fromQualString("mkldnn::_linear_pointwise");

at::Tensor call(const char* name, std::vector<c10::IValue> stack) {
  c10::Dispatcher::singleton().findSchemaOrThrow(name, "").callBoxed(&stack);
  return stack.front().toTensor();
}

class Packer {
 public:
  Packer(Graph& graph, Shapes shapes) : graph_(graph), shapes_(std::move(shapes)) {}

  // NOLINTNEXTLINE(misc-no-recursion): the depth is that of the graph's blocks.
  void run(Block* block) {
    std::vector<Node*> layers;
    for (Node* node : block->nodes()) {
      for (Block* inner : node->blocks()) run(inner);
      if (is(*node, "aten::conv2d") || is(*node, "aten::_convolution") || is(*node, "aten::linear")) {
        layers.push_back(node);
      }
    }
    for (Node* node : layers) is(*node, "aten::linear") ? pack_linear(node) : pack_conv(node);
    add_in_place(block);
  }

  int count() const { return count_; }

 private:
  // What follows a layer and is done by it.
  struct Tail {
    std::vector<Node*> nodes;  // in order
    Value* other = nullptr;    // added
    Activation activation;
  };

  const TensorShape* shape(const Value* value) const {
    const auto found = shapes_.find(value);
    return found == shapes_.end() ? nullptr : &found->second;
  }

  bool same_shape(const Value* a, const Value* b) const {
    const TensorShape* first = shape(a);
    const TensorShape* second = shape(b);
    return first != nullptr && second != nullptr && first->sizes == second->sizes && first->type == second->type;
  }

  // The other summand of a plain addition of two tensors of one shape.
  Value* summand(const Node& add, const Value* layer) const {
    if (!is(add, "aten::add") || add.inputs().size() != 3 || number(add, "alpha") != 1.0) return nullptr;
    Value* other = add.input(0) == layer ? add.input(1) : add.input(0);
    return other != layer && same_shape(other, layer) ? other : nullptr;
  }

  Tail tail_of(Node* layer, bool relu_after_add) const {
    Tail tail;
    Node* user = only_user(layer->output());
    if (user == nullptr) return tail;
    if (auto found = activation(*user)) {
      tail.nodes = {user};
      tail.activation = std::move(*found);
      return tail;
    }
    tail.other = summand(*user, layer->output());
    if (tail.other == nullptr) return tail;
    tail.nodes = {user};
    Node* next = only_user(user->output());
    if (relu_after_add && next != nullptr && is(*next, "aten::relu")) {
      tail.nodes.push_back(next);
      tail.activation.name = "relu";
    }
    return tail;
  }

  Value* put(c10::IValue value) { return graph_.insertConstant(value); }

  // insertConstant does not take tensors in oneDNN's own layout.
  Value* put_packed(at::Tensor tensor) {
    Node* node = graph_.create(c10::prim::Constant);
    node->t_(c10::attr::value, std::move(tensor));
    node->output()->setType(c10::TensorType::get());
    return graph_.insertNode(node)->output();
  }

  Value* put_scalars(const std::vector<double>& scalars) {
    c10::impl::GenericList list(c10::OptionalType::create(c10::NumberType::get()));
    for (const double scalar : scalars) list.push_back(scalar);
    return put(std::move(list));
  }

  Value* put_bias(const c10::IValue& bias) {
    return put(bias.isTensor() ? bias.toTensor().contiguous() : c10::IValue());
  }

  static Node* last(Node* layer, const Tail& tail) { return tail.nodes.empty() ? layer : tail.nodes.back(); }

  void replace(Node* layer, const Tail& tail, c10::Symbol kind, const std::vector<Value*>& inputs) {
    Node* node = graph_.insertNode(graph_.create(kind, inputs));
    node->copyMetadata(layer);
    Value* result = last(layer, tail)->output();
    const TensorShape* known = shape(result);
    if (known != nullptr) shapes_[node->output()] = TensorShape(*known);
    result->replaceAllUsesWith(node->output());
    for (auto dead = tail.nodes.rbegin(); dead != tail.nodes.rend(); ++dead) (*dead)->destroy();
    layer->destroy();
    ++count_;
  }

  void pack_conv(Node* node) {
    const auto weight = constant(*node, "weight");
    const auto bias = constant(*node, "bias");
    const auto stride = pair(*node, "stride");
    const auto padding = pair(*node, "padding");
    const auto dilation = pair(*node, "dilation");
    const auto groups = constant(*node, "groups");
    const TensorShape* input = shape(node->input(0));
    if (!weight || !weight->isTensor() || !fits(weight->toTensor(), 4) || !bias || !stride || !padding || !dilation ||
        !groups || input == nullptr || input->sizes.size() != 4 || input->type != weight->toTensor().scalar_type()) {
      return;
    }
    if (const auto transposed = constant(*node, "transposed"); transposed && transposed->toBool()) return;
    if (argument(*node, "transposed") != nullptr && !constant(*node, "transposed")) return;
    if (std::find(input->sizes.begin(), input->sizes.end(), 0) != input->sizes.end()) return;
    const Tail tail = tail_of(node, true);
    const torch::jit::WithInsertPoint guard(last(node, tail));
    Value* packed = put_packed(call("mkldnn::_reorder_convolution_weight",
                                    {weight->toTensor(), *padding, *stride, *dilation, *groups, input->sizes}));
    std::vector<Value*> inputs = {node->input(0)};
    if (tail.other != nullptr) inputs.push_back(tail.other);
    inputs.insert(inputs.end(), {packed, put_bias(*bias), put(*padding), put(*stride), put(*dilation), put(*groups)});
    if (tail.other != nullptr) {
      const bool relu = tail.activation.name == "relu";
      inputs.insert(inputs.end(), {put("add"), put(1.0), put(relu ? c10::IValue("relu") : c10::IValue()),
                                   put_scalars({}), put(c10::IValue())});
    } else {
      inputs.insert(inputs.end(),
                    {put(tail.activation.name), put_scalars(tail.activation.scalars), put(tail.activation.algorithm)});
    }
    replace(node, tail, kConv, inputs);
  }

  void pack_linear(Node* node) {
    const auto weight = constant(*node, "weight");
    const auto bias = constant(*node, "bias");
    const TensorShape* input = shape(node->input(0));
    if (!weight || !weight->isTensor() || !fits(weight->toTensor(), 2) || !bias || input == nullptr ||
        input->sizes.empty() || input->type != weight->toTensor().scalar_type()) {
      return;
    }
    std::int64_t rows = 1;
    for (std::size_t i = 0; i + 1 < input->sizes.size(); ++i) rows *= input->sizes[i];
    if (rows < 1 || input->sizes.size() < 2) return;
    const Tail tail = tail_of(node, false);
    const torch::jit::WithInsertPoint guard(last(node, tail));
    Value* packed = put_packed(call("mkldnn::_reorder_linear_weight", {weight->toTensor(), rows}));
    if (tail.other != nullptr) {
      replace(node, tail, kLinear, {node->input(0), tail.other, packed, put_bias(*bias), put("add")});
      return;
    }
    replace(node, tail, kLinear,
            {node->input(0), packed, put_bias(*bias), put(tail.activation.name), put_scalars(tail.activation.scalars),
             put(tail.activation.algorithm)});
  }

  // Adds into the summand's own memory where nobody reads it afterwards: only convolutions, which keep nothing of
  // their inputs, used it, and all of them ran before.
  void add_in_place(Block* block) {
    std::vector<Node*> sums;
    for (Node* node : block->nodes()) {
      if (node->kind() == kConv && node->inputs().size() == 13) sums.push_back(node);
    }
    for (Node* node : sums) {
      Value* other = node->input(1);
      const bool fresh = (other->node()->kind() == kConv || other->node()->kind() == kConvInPlace) &&
                         other->node()->owningBlock() == block && node->input(0) != other;
      const bool last = std::all_of(other->uses().begin(), other->uses().end(), [&](const torch::jit::Use& use) {
        return use.user == node || (use.user->kind() == kConv && use.user->owningBlock() == block &&
                                    use.user->isBefore(node) && use.offset < 2);
      });
      if (!fresh || !last) continue;
      std::vector<Value*> inputs = node->inputs().vec();
      std::swap(inputs[0], inputs[1]);
      const torch::jit::WithInsertPoint guard(node);
      Node* sum = graph_.insertNode(graph_.create(kConvInPlace, inputs));
      sum->copyMetadata(node);
      node->output()->replaceAllUsesWith(sum->output());
      node->destroy();
    }
  }

  Graph& graph_;
  Shapes shapes_;
  int count_ = 0;
};

}  // namespace

int pack(const std::shared_ptr<Graph>& graph, Shapes shapes) {
  Packer packer(*graph, std::move(shapes));
  packer.run(graph->block());
  return packer.count();
}

}  // namespace ptrun::jit
