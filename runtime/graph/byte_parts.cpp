#include "graph/byte_parts.h"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>

namespace ptrun::jit {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

namespace {

const std::vector<std::int64_t>* sizes(const Shapes& shapes, const Value* value) {
  const auto found = shapes.find(value);
  const bool number =
      found != shapes.end() && (found->second.type == c10::kFloat || found->second.type == c10::kBFloat16);
  return number ? &found->second.sizes : nullptr;
}

bool is_images(const Shapes& shapes, const Value* value) {
  const auto* known = sizes(shapes, value);
  return known != nullptr && known->size() == 4 && std::find(known->begin(), known->end(), 0) == known->end();
}

// One number for each image and channel.
bool is_gate(const Shapes& shapes, const Value* gate, const Value* images) {
  const auto* small = sizes(shapes, gate);
  const auto* large = sizes(shapes, images);
  return small != nullptr && large != nullptr && small->size() == 4 && large->size() == 4 &&
         (*small)[0] == (*large)[0] && (*small)[1] == (*large)[1] && (*small)[2] == 1 && (*small)[3] == 1;
}

// The images that a multiplication scales, null where it is another one.
Value* gated(Node& node, const Shapes& shapes) {
  if (!is(node, "aten::mul") || node.inputs().size() != 2) return nullptr;
  if (is_images(shapes, node.input(0)) && is_gate(shapes, node.input(1), node.input(0))) return node.input(0);
  if (is_images(shapes, node.input(1)) && is_gate(shapes, node.input(0), node.input(1))) return node.input(1);
  return nullptr;
}

// The activations that oneDNN's quantised layers have.
bool fuses(const Activation& activation, BytePart::Kind kind) {
  static const std::vector<std::string> kNames = {"relu", "hardtanh", "hardswish", "swish"};
  if (kind == BytePart::Kind::linear && activation.name == "gelu") return true;
  return std::find(kNames.begin(), kNames.end(), activation.name) != kNames.end();
}

bool averages_all(const Node& node) {
  if (is(node, "aten::adaptive_avg_pool2d")) return pair(node, "output_size") == std::vector<std::int64_t>{1, 1};
  if (!is(node, "aten::mean")) return false;
  const auto dimensions = constant(node, "dim");
  const auto keep = constant(node, "keepdim");
  if (!dimensions || !dimensions->isIntList() || !keep) return false;
  std::vector<std::int64_t> list = dimensions->toIntVector();
  for (std::int64_t& dimension : list) dimension += dimension < 0 ? 4 : 0;
  std::sort(list.begin(), list.end());
  return list == std::vector<std::int64_t>{2, 3};
}

class Finder {
 public:
  Finder(Graph& graph, const Shapes& shapes, const RangeOf& ranges) : graph_(graph), shapes_(shapes), ranges_(ranges) {}

  std::vector<BytePart> find() {
    for (Node* node : graph_.nodes()) {
      if (taken_.count(node) == 0) look_at(node);
    }
    std::sort(parts_.begin(), parts_.end(),
              [](const BytePart& a, const BytePart& b) { return a.last != b.last && a.last->isBefore(b.last); });
    keep_what_is_wanted();
    return std::move(parts_);
  }

 private:
  bool has_range(const Value* value) const { return ranges_.count(value) != 0; }

  void take(BytePart part) {
    for (Node* node : {part.first, part.add, part.last}) {
      if (node != nullptr) taken_.insert(node);
    }
    parts_.push_back(std::move(part));
  }

  void look_at(Node* node) {
    BytePart part;
    part.first = part.last = node;
    if (is(*node, "aten::conv2d") || is(*node, "aten::_convolution")) {
      auto layer = conv_layer(*node, shapes_);
      // On one pixel a layer is too small to pay for the conversion.
      const auto* input = layer ? sizes(shapes_, node->input(0)) : nullptr;
      if (input == nullptr || (*input)[2] * (*input)[3] == 1) return;
      part.layer = std::move(*layer);
      take_layer(std::move(part));
    } else if (is(*node, "aten::linear")) {
      auto layer = linear_layer(*node, shapes_, part.rows);
      if (!layer) return;
      part.kind = BytePart::Kind::linear;
      part.layer = std::move(*layer);
      take_layer(std::move(part));
    } else if (is(*node, "aten::max_pool2d")) {
      part.kind = BytePart::Kind::max_pool;
      if (pools(*node)) take(std::move(part));
    } else if (averages_all(*node)) {
      part.kind = BytePart::Kind::mean;
      if (is_images(shapes_, node->input(0))) take(std::move(part));
    } else if (gated(*node, shapes_) != nullptr) {
      part.kind = BytePart::Kind::gate;
      take(std::move(part));
    } else if (is(*node, "aten::add") && is_images(shapes_, node->output()) &&
               summand(*node, node->input(0), shapes_) != nullptr) {
      part.kind = BytePart::Kind::sum;
      Node* next = only_user(node->output());
      if (next != nullptr && is(*next, "aten::relu")) {
        part.last = next;
        part.activation.name = "relu";
      }
      take(std::move(part));
    }
  }

  bool pools(const Node& node) const {
    const auto dilation = pair(node, "dilation");
    return is_images(shapes_, node.input(0)) && is_images(shapes_, node.output()) && pair(node, "kernel_size") &&
           pair(node, "stride") && pair(node, "padding") && dilation == std::vector<std::int64_t>{1, 1};
  }

  void take_layer(BytePart part) {
    if (!has_range(part.first->input(0))) return;
    Node* user = only_user(part.first->output());
    const auto found = user == nullptr ? std::nullopt : activation(*user);
    if (found && fuses(*found, part.kind) && taken_.count(user) == 0) {
      part.last = user;
      part.activation = *found;
    } else if (user != nullptr && taken_.count(user) == 0 && part.kind == BytePart::Kind::conv) {
      take_sum(part, user);
    }
    take(std::move(part));
  }

  void take_sum(BytePart& part, Node* user) const {
    const Value* other = summand(*user, part.first->output(), shapes_);
    if (other == nullptr || !has_range(other)) return;
    Node* next = only_user(user->output());
    const bool relu = next != nullptr && is(*next, "aten::relu");
    if (!has_range(relu ? next->output() : user->output())) return;
    part.add = user;
    part.last = relu ? next : user;
    if (relu) part.activation.name = "relu";
  }

  // From the end: bytes are given where somebody takes them. What only passes bytes on goes where nobody does.
  void keep_what_is_wanted() {
    std::unordered_set<const Value*> wanted;
    std::vector<bool> kept(parts_.size(), true);
    for (std::size_t i = parts_.size(); i > 0; --i) {
      BytePart& part = parts_[i - 1];
      const bool layer = part.kind == BytePart::Kind::conv || part.kind == BytePart::Kind::linear;
      const Value* result = part.last->output();
      part.gives_bytes =
          part.kind != BytePart::Kind::mean && has_range(result) && (part.add != nullptr || wanted.count(result) != 0);
      kept[i - 1] = layer || part.gives_bytes || part.kind == BytePart::Kind::mean;
      if (!kept[i - 1]) continue;
      for (const Value* input : byte_inputs(part, shapes_)) wanted.insert(input);
    }
    // A mean of float numbers is as fast.
    std::unordered_set<const Value*> given;
    std::vector<BytePart> chosen;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      BytePart& part = parts_[i];
      if (part.kind == BytePart::Kind::mean && given.count(part.first->input(0)) == 0) kept[i] = false;
      if (!kept[i]) continue;
      if (part.gives_bytes) given.insert(part.last->output());
      chosen.push_back(std::move(part));
    }
    parts_ = std::move(chosen);
  }

  Graph& graph_;
  const Shapes& shapes_;
  const RangeOf& ranges_;
  std::vector<BytePart> parts_;
  std::unordered_set<const Node*> taken_;
};

}  // namespace

std::vector<BytePart> byte_parts(Graph& graph, const Shapes& shapes, const RangeOf& ranges) {
  return Finder(graph, shapes, ranges).find();
}

std::vector<Value*> byte_inputs(const BytePart& part, const Shapes& shapes) {
  switch (part.kind) {
    case BytePart::Kind::gate: return {gated(*part.first, shapes)};
    case BytePart::Kind::sum: return {part.first->input(0), part.first->input(1)};
    default: break;
  }
  std::vector<Value*> inputs = {part.first->input(0)};
  if (part.add != nullptr) inputs.push_back(summand(*part.add, part.first->output(), shapes));
  return inputs;
}

}  // namespace ptrun::jit
