#include "graph/own_operators.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "graph/match.h"
#include "graph/own_epilogue.h"
#include "graph/own_layers.h"
#include "graph/own_strips.h"
#include "graph/own_winograd.h"

namespace ptrun::jit {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::toIValue;
using torch::jit::Value;

const c10::Symbol kConvolution = c10::Symbol::fromQualString("ptrun::convolution");
const c10::Symbol kDense = c10::Symbol::fromQualString("ptrun::dense");
const c10::Symbol kWinograd = c10::Symbol::fromQualString("ptrun::winograd");
const c10::Symbol kAttention = c10::Symbol::fromQualString("ptrun::attention");
const c10::Symbol kGlobalMean = c10::Symbol::fromQualString("ptrun::global_mean");

// What follows a layer and is done by it.
struct Tail {
  std::vector<Node*> nodes;  // in order
  Value* other = nullptr;    // added
  kernels::Epilogue epilogue;
};

// float32, zeros where there is none and up to a multiple of 8.
at::Tensor whole_bias(const std::optional<at::Tensor>& bias, std::int64_t columns) {
  at::Tensor whole = at::zeros({(columns + 7) / 8 * 8}, at::kFloat);
  if (bias && bias->defined()) whole.narrow(0, 0, columns).copy_(*bias);
  return whole;
}

// oneDNN is better at those with fewer: the first layer of a network.
constexpr std::int64_t kFewChannels = 8;

// Channels are taken in thirty-twos there.
constexpr std::int64_t kFewDenseChannels = 16;
constexpr std::int64_t kFewColumns = 16;

// Weights beyond have no parts of bfloat16.
constexpr float kLargestDeepWeight = 3e38F;

class Rewriter {
 public:
  Rewriter(Graph& graph, Shapes& shapes, c10::ScalarType type, Products products)
      : graph_(graph),
        shapes_(shapes),
        type_(type),
        integers_(products == Products::integers),
        loops_(*kernels::best_loops(integers_            ? kernels::Element::int16
                                    : type == at::kFloat ? kernels::Element::float32
                                                         : kernels::Element::bfloat16)),
        deep_(products == Products::coarse ? loops_.coarse : loops_.deep) {}

  // NOLINTNEXTLINE(misc-no-recursion): the depth is that of the graph's blocks.
  void run(Block* block) {
    std::vector<Node*> layers;
    for (Node* node : block->nodes()) {
      for (Block* inner : node->blocks()) run(inner);
      static constexpr std::string_view kKinds[] = {"aten::conv2d", "aten::_convolution",
                                                    "aten::linear", "aten::adaptive_avg_pool2d",
                                                    "aten::mean",   "aten::scaled_dot_product_attention"};
      if (std::find(std::begin(kKinds), std::end(kKinds), node->kind().toQualString()) != std::end(kKinds)) {
        layers.push_back(node);
      }
    }
    for (Node* node : layers) {
      if (is(*node, "aten::linear")) {
        linear(node);
      } else if (is(*node, "aten::scaled_dot_product_attention")) {
        attention(node);
      } else if (is(*node, "aten::adaptive_avg_pool2d") || is(*node, "aten::mean")) {
        mean(node);
      } else {
        convolve(node);
      }
    }
  }

  int count() const { return count_; }

 private:
  const TensorShape* shape(const Value* value) const {
    const auto found = shapes_.find(value);
    return found == shapes_.end() ? nullptr : &found->second;
  }

  // An input of float32 without empty dimensions.
  bool takes(const Value* value, std::size_t dimensions) const {
    const TensorShape* known = shape(value);
    return known != nullptr && known->type == at::kFloat && (dimensions == 0 || known->sizes.size() == dimensions) &&
           std::find(known->sizes.begin(), known->sizes.end(), 0) == known->sizes.end();
  }

  // The other summand of a plain addition of two tensors of one shape.
  Value* summand(const Node& add, const Value* layer) const {
    if (!is(add, "aten::add") || add.inputs().size() != 3 || number(add, "alpha") != 1.0) return nullptr;
    Value* other = add.input(0) == layer ? add.input(1) : add.input(0);
    const TensorShape* first = shape(other);
    const TensorShape* second = shape(layer);
    const bool same =
        first != nullptr && second != nullptr && first->sizes == second->sizes && first->type == second->type;
    return other != layer && same ? other : nullptr;
  }

  Tail tail_of(const Node& layer, bool adds) const {
    Tail tail;
    const Value* value = layer.output();
    Node* next = only_user(value);
    const auto take = [&](Node* node) {
      tail.nodes.push_back(node);
      value = node->output();
      next = only_user(value);
    };
    const auto before = next == nullptr ? std::nullopt : epilogue(*next);
    if (before) {
      tail.epilogue = *before;
      take(next);
    }
    if (next == nullptr || !adds) return tail;
    Value* other = summand(*next, value);
    if (other == nullptr) return tail;
    tail.other = other;
    take(next);
    const auto after = next == nullptr || before ? std::nullopt : epilogue(*next);
    if (after) {
      tail.epilogue = *after;
      tail.epilogue.after_addition = true;
      take(next);
    }
    return tail;
  }

  Value* put(const c10::IValue& value) { return graph_.insertConstant(value); }

  std::vector<Value*> put_epilogue(const kernels::Epilogue& e) {
    return {put(static_cast<std::int64_t>(e.activation)), put(static_cast<double>(e.low)),
            put(static_cast<double>(e.high))};
  }

  Value* put_list(const kernels::Epilogue& e) {
    return put(std::vector<double>{static_cast<double>(e.activation), e.low, e.high, e.after_addition ? 1.0 : 0.0});
  }

  void replace(Node* layer, const Tail& tail, c10::Symbol kind, const std::vector<Value*>& inputs) {
    Node* node = graph_.insertNode(graph_.create(kind, inputs));
    node->copyMetadata(layer);
    Value* result = tail.nodes.empty() ? layer->output() : tail.nodes.back()->output();
    if (const TensorShape* known = shape(result)) shapes_[node->output()] = TensorShape(*known);
    result->replaceAllUsesWith(node->output());
    for (auto dead = tail.nodes.rbegin(); dead != tail.nodes.rend(); ++dead) (*dead)->destroy();
    layer->destroy();
    ++count_;
  }

  void convolve(Node* node) {
    const auto found = convolution(*node);
    if (!found || !takes(node->input(0), 4) || found->dilation != 1) return;
    const at::IntArrayRef sizes = found->weight.sizes();
    if (found->groups == 1 && sizes[2] == 1 && sizes[3] == 1 && found->stride == 1 && found->padding == 0) {
      pointwise(node, found->weight.reshape({sizes[0], sizes[1]}), found->bias, true);
    } else if (found->groups == sizes[0] && sizes[1] == 1 && sizes[2] == sizes[3] &&
               shape(node->input(0))->sizes[1] == sizes[0]) {
      depthwise(node, *found);
    } else if (found->groups == 1 && coarse() && direct(node, *found)) {
      return;
    } else if (type_ == at::kFloat && found->groups == 1 && sizes[2] == 3 && sizes[3] == 3 && found->stride == 1 &&
               (found->padding == 0 || found->padding == 1) && winograd(node, *found)) {
      return;  // faster than integers, too
    } else if (found->groups == 1 && direct(node, *found)) {
      return;
    } else if (found->groups == 1 && sizes[1] >= kFewChannels && found->stride >= 1 && found->padding >= 0 &&
               (integers_ || deep(pixels(node->output()), flat(*found)) != nullptr)) {
      dense(node, *found);
    } else if ((type_ == at::kFloat || loops_.dense != nullptr) && found->groups == 1 && sizes[2] == 1 &&
               sizes[3] == 1 && found->padding == 0) {
      dense(node, *found);
    }
  }

  void linear(Node* node) {
    const auto weight = constant(*node, "weight");
    const auto bias = constant(*node, "bias");
    if (!weight || !weight->isTensor() || !fits(weight->toTensor(), 2) || !bias || !takes(node->input(0), 0)) return;
    pointwise(node, weight->toTensor(), bias->isTensor() ? std::optional(bias->toTensor()) : std::nullopt, false);
  }

  // The factor for each channel that the input is multiplied with, where the layer alone reads the product.
  Node* gate_of(const Node& layer, Value*& scaled, Value*& gate) const {
    Node* product = layer.input(0)->node();
    if (!is(*product, "aten::mul") || product->inputs().size() != 2 || layer.input(0)->uses().size() != 1 ||
        product->owningBlock() != layer.owningBlock()) {
      return nullptr;
    }
    const TensorShape* whole = shape(layer.input(0));
    for (const std::size_t i : {0U, 1U}) {
      scaled = product->input(i);
      gate = product->input(1 - i);
      if (!takes(scaled, 4) || !takes(gate, 4) || shape(scaled)->sizes != whole->sizes) continue;
      const auto& sizes = shape(gate)->sizes;
      if (sizes[0] == whole->sizes[0] && sizes[1] == whole->sizes[1] && sizes[2] == 1 && sizes[3] == 1) return product;
    }
    return nullptr;
  }

  // The deep product for so many rows, where it is the faster one; else null. Of linear layers that of digits, which
  // changes what ResNet-50's convolutions give by 0.3 % of its range and gains little there.
  const kernels::DeepProduct* deep(std::int64_t rows, const at::Tensor& weight, bool linear = false) const {
    const auto columns = static_cast<std::size_t>(weight.size(0));
    const auto depth = static_cast<std::size_t>(weight.size(1));
    for (const kernels::DeepProduct* deep : {linear && coarse() ? loops_.digits : nullptr, deep_}) {
      const bool gains =
          deep != nullptr && deep->fits(columns, depth) && deep->pays(static_cast<std::size_t>(rows), columns, depth);
      if (gains && weight.abs().max().item<float>() < kLargestDeepWeight) return deep;
    }
    return nullptr;
  }

  // Weights [columns, depth] as the loops read them, and of integers the scales.
  std::vector<c10::IValue> pack(const at::Tensor& weight, const kernels::DeepProduct* deep) const {
    std::vector<c10::IValue> stack = {weight};
    if (integers_) {
      stack.emplace_back(deep != nullptr);
    } else {
      stack.emplace_back(type_);
      stack.emplace_back(deep == nullptr ? 0 : static_cast<std::int64_t>(deep->parts));
    }
    c10::Dispatcher::singleton()
        .findSchemaOrThrow(integers_ ? "ptrun::pack_integers" : "ptrun::pack_pointwise", "")
        .callBoxed(&stack);
    return stack;
  }

  // Weights of a convolution as those of a product, whose rows are the pixels under the filter.
  at::Tensor flat(const Convolution& layer) const {
    at::Tensor weight = layer.weight.permute({0, 2, 3, 1}).reshape({layer.weight.size(0), -1});
    if ((integers_ || type_ != at::kFloat) && weight.size(1) % 2 != 0) weight = at::constant_pad_nd(weight, {0, 1});
    return weight;
  }

  std::int64_t pixels(const Value* value) const {
    const TensorShape* known = shape(value);
    return known == nullptr || known->sizes.size() != 4 ? 0 : known->sizes[0] * known->sizes[2] * known->sizes[3];
  }

  // A convolution that is neither 1x1 of every pixel nor depthwise: of integers, of parts, or 1x1 of some pixels. Of
  // others in float32 and bfloat16 oneDNN's are faster.
  void dense(Node* node, const Convolution& layer) {
    if (layer.weight.scalar_type() != at::kFloat) return;
    const std::int64_t columns = layer.weight.size(0);
    const at::Tensor weight = flat(layer);
    const std::vector<c10::IValue> packed = pack(weight, deep(pixels(node->output()), weight));
    const Tail tail = tail_of(*node, true);
    const torch::jit::WithInsertPoint guard(tail.nodes.empty() ? node : tail.nodes.back());
    Value* none = put(c10::IValue());
    const std::vector<Value*> inputs = {node->input(0),
                                        put(packed.front()),
                                        integers_ ? put(packed.back()) : none,
                                        put(whole_bias(layer.bias, columns)),
                                        tail.other == nullptr ? none : tail.other,
                                        put(columns),
                                        put(std::vector<std::int64_t>{layer.weight.size(2), layer.weight.size(3)}),
                                        put(layer.stride),
                                        put(layer.padding),
                                        put_list(tail.epilogue)};
    replace(node, tail, kConvolution, inputs);
  }

  // False where the processor has no loops for it, or they do not pay.
  bool direct(Node* node, const Convolution& layer) {
    const kernels::DenseLoops* loops = coarse() ? loops_.coarse_dense : loops_.dense;
    const at::IntArrayRef sizes = layer.weight.sizes();
    if (loops == nullptr || layer.weight.scalar_type() != at::kFloat || layer.stride != 1 || layer.padding < 0 ||
        layer.padding >= std::min(sizes[2], sizes[3]) || sizes[0] < kFewColumns || sizes[1] < kFewDenseChannels ||
        !(layer.weight.abs().max().item<float>() < kLargestDeepWeight)) {
      return false;
    }
    std::vector<c10::IValue> packed = {layer.weight, type_, static_cast<std::int64_t>(loops->parts)};
    c10::Dispatcher::singleton().findSchemaOrThrow("ptrun::pack_dense", "").callBoxed(&packed);
    const Tail tail = tail_of(*node, true);
    const torch::jit::WithInsertPoint guard(tail.nodes.empty() ? node : tail.nodes.back());
    replace(node, tail, kDense,
            {node->input(0), put(packed.front()), put(whole_bias(layer.bias, sizes[0])),
             tail.other == nullptr ? put(c10::IValue()) : tail.other, put(sizes[0]),
             put(std::vector<std::int64_t>{sizes[2], sizes[3]}), put(layer.padding), put_list(tail.epilogue)});
    return true;
  }

  bool coarse() const { return deep_ != nullptr && deep_ == loops_.coarse; }

  // False where it does not pay.
  bool winograd(Node* node, const Convolution& layer) {
    const int edge = winograd_edge(shape(node->input(0))->sizes, layer.weight.sizes(), layer.padding);
    if (edge == 0 || layer.weight.scalar_type() != at::kFloat) return false;
    std::vector<c10::IValue> packed = {layer.weight, edge};
    c10::Dispatcher::singleton().findSchemaOrThrow("ptrun::pack_winograd", "").callBoxed(&packed);
    const std::int64_t columns = layer.weight.size(0);
    const Tail tail = tail_of(*node, true);
    const torch::jit::WithInsertPoint guard(tail.nodes.empty() ? node : tail.nodes.back());
    replace(node, tail, kWinograd,
            {node->input(0), put(packed.front()), put(whole_bias(layer.bias, columns)),
             tail.other == nullptr ? put(c10::IValue()) : tail.other, put(columns), put(layer.padding),
             put_list(tail.epilogue)});
    return true;
  }

  void pointwise(Node* node, const at::Tensor& weight, const std::optional<at::Tensor>& bias, bool pixels) {
    // Numbers of 16 bits are multiplied in pairs.
    if (weight.scalar_type() != at::kFloat || ((integers_ || type_ != at::kFloat) && weight.size(1) % 2 != 0)) return;
    const Tail tail = tail_of(*node, true);
    Value* input = node->input(0);
    Value* gate = nullptr;
    Value* scaled = nullptr;
    Node* product = pixels ? gate_of(*node, scaled, gate) : nullptr;
    if (product != nullptr) input = scaled;
    // Other deep products than those that take a gate would have the rows scaled before.
    const bool gates = product == nullptr || (deep_ != nullptr && deep_->gates);
    const std::int64_t rows = c10::multiply_integers(shape(input)->sizes) / weight.size(1);
    const std::vector<c10::IValue> packed = pack(weight, gates ? deep(rows, weight, !pixels) : nullptr);
    const torch::jit::WithInsertPoint guard(tail.nodes.empty() ? node : tail.nodes.back());
    Value* none = put(c10::IValue());
    std::vector<Value*> inputs = {input,
                                  product == nullptr ? none : gate,
                                  put(packed.front()),
                                  integers_ ? put(packed.back()) : none,
                                  put(whole_bias(bias, weight.size(0))),
                                  tail.other == nullptr ? none : tail.other,
                                  put(weight.size(0)),
                                  put(pixels)};
    for (Value* value : put_epilogue(tail.epilogue)) inputs.push_back(value);
    inputs.push_back(put(tail.epilogue.after_addition));
    replace(node, tail, kPointwise, inputs);
    if (product != nullptr) product->destroy();
  }

  void depthwise(Node* node, const Convolution& layer) {
    const std::int64_t kernel = layer.weight.size(2);
    const bool has_loops = (kernel == 3 || kernel == 5 || kernel == 7) && (layer.stride == 1 || layer.stride == 2) &&
                           layer.padding >= 0 && layer.padding < kernel;
    if (!has_loops || layer.weight.scalar_type() != at::kFloat) return;
    const std::int64_t channels = layer.weight.size(0);
    const Tail tail = tail_of(*node, false);
    const torch::jit::WithInsertPoint guard(tail.nodes.empty() ? node : tail.nodes.back());
    const at::Tensor taps = layer.weight.reshape({channels, kernel, kernel}).permute({1, 2, 0}).contiguous();
    std::vector<Value*> inputs = {
        node->input(0), put(taps),         put(whole_bias(layer.bias, channels).narrow(0, 0, channels).clone()),
        put(kernel),    put(layer.stride), put(layer.padding)};
    for (Value* value : put_epilogue(tail.epilogue)) inputs.push_back(value);
    replace(node, tail, kDepthwise, inputs);
  }

  // Attention to all tokens, every head with keys of its own.
  void attention(Node* node) {
    for (const std::size_t i : {0U, 1U, 2U}) {
      if (!takes(node->input(i), 4)) return;
    }
    const auto& query = shape(node->input(0))->sizes;
    const auto& key = shape(node->input(1))->sizes;
    if (shape(node->input(2))->sizes != key || query[0] != key[0] || query[1] != key[1] || query[3] != key[3]) return;
    if (type_ != at::kFloat && query[3] % 2 != 0) return;
    const auto factor = attention_scale(*node, query[3]);
    // The loops take the largest score for the largest share.
    if (!factor || !(*factor > 0)) return;
    const torch::jit::WithInsertPoint guard(node);
    replace(node, {}, kAttention, {node->input(0), node->input(1), node->input(2), put(*factor)});
  }

  void mean(Node* node) {
    if (!takes(node->input(0), 4) || !is_global_mean(*node)) return;
    const torch::jit::WithInsertPoint guard(node);
    replace(node, {}, kGlobalMean, {node->input(0)});
  }

  Graph& graph_;
  Shapes& shapes_;
  c10::ScalarType type_;
  bool integers_;
  const kernels::Loops& loops_;
  const kernels::DeepProduct* deep_;
  int count_ = 0;
};

}  // namespace

int use_own_operators(const std::shared_ptr<Graph>& graph, Shapes& shapes, c10::ScalarType type, Products products) {
  Rewriter rewriter(*graph, shapes, type, products);
  rewriter.run(graph->block());
  join_strips(*graph, graph->block(), shapes);
  return rewriter.count();
}

namespace {

int count(const Graph& graph, c10::Symbol kind) {
  const auto nodes = graph.nodes();
  return static_cast<int>(std::count_if(nodes.begin(), nodes.end(), [&](const Node* n) { return n->kind() == kind; }));
}

}  // namespace

int count_winograd(const Graph& graph) { return count(graph, kWinograd); }
int count_dense(const Graph& graph) { return count(graph, kDense); }

bool is_own_operator(const Node& node) {
  return node.kind() == kPointwise || node.kind() == kDepthwise || node.kind() == kAttention ||
         node.kind() == kGlobalMean || node.kind() == kStrips || node.kind() == kConvolution ||
         node.kind() == kWinograd || node.kind() == kDense;
}

}  // namespace ptrun::jit
