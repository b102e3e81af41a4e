#include "graph/quantise.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include <algorithm>
#include <cmath>

#include "graph/byte_parts.h"
#include "graph/cast.h"
#include "graph/layer_nodes.h"

namespace ptrun::jit {
namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;
using Kind = BytePart::Kind;

// A tensor of bytes: q stands for scale * (q - zero).
struct Bytes {
  Value* value = nullptr;
  double scale = 1;
  std::int64_t zero = 0;
};

// The scale and zero point that cover a range; 0 is always among the numbers, for padding's sake.
Bytes covering(const TensorRange& range) {
  const double low = std::min(0.0, static_cast<double>(range.low));
  const double high = std::max(0.0, static_cast<double>(range.high));
  Bytes bytes;
  bytes.scale = std::max((high - low) / 255, 1e-12);
  bytes.zero = std::clamp<std::int64_t>(std::lround(-low / bytes.scale), 0, 255);
  return bytes;
}

// Weights on -127..127, each output channel with a scale of its own.
struct ByteWeights {
  at::Tensor values;
  at::Tensor scales;
  at::Tensor bias;  // float32; undefined: none
};

at::Tensor per_output(const at::Tensor& scales, const at::Tensor& weight) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(weight.dim()), 1);
  sizes[0] = -1;
  return scales.reshape(sizes);
}

// What rounding the weights takes from the mean of each output channel, when the input's channels have these means.
at::Tensor lost_mean(const at::Tensor& error, const std::vector<float>& means, std::int64_t groups) {
  const at::Tensor each = error.flatten(1).reshape({error.size(0), error.size(1), -1}).sum(2);
  const at::Tensor mean = at::tensor(means).reshape({groups, 1, error.size(1)});
  return (each.reshape({groups, -1, error.size(1)}) * mean).sum(2).reshape({-1});
}

ByteWeights byte_weights(const Layer& layer, const TensorRange& input) {
  const at::Tensor weight = layer.weight.to(at::kFloat);
  at::Tensor largest = weight.abs().flatten(1).amax(1);
  largest = at::where(largest > 0, largest, at::ones({}));
  ByteWeights made;
  made.scales = (largest / 127).contiguous();
  const at::Tensor scales = per_output(made.scales, weight);
  made.values = (weight / scales).round_().clamp_(-127, 127).to(at::kChar);
  if (layer.bias.isTensor()) made.bias = layer.bias.toTensor().to(at::kFloat).contiguous();
  if (static_cast<std::int64_t>(input.means.size()) == weight.size(1) * layer.groups) {
    const at::Tensor lost = lost_mean(weight - made.values.to(at::kFloat) * scales, input.means, layer.groups);
    made.bias = made.bias.defined() ? made.bias + lost : lost;
  }
  if (weight.dim() == 4) made.values = made.values.contiguous(at::MemoryFormat::ChannelsLast);
  return made;
}

class Quantiser {
 public:
  Quantiser(Graph& graph, Shapes& shapes, RangeOf ranges, c10::ScalarType type)
      : graph_(graph), shapes_(shapes), ranges_(std::move(ranges)), type_(type) {}

  int run(const std::vector<BytePart>& parts) {
    // The summands of a layer are overwritten where no later part reads their bytes.
    for (const BytePart& part : parts) {
      for (const Value* input : byte_inputs(part)) last_reader_[input] = part.last;
    }
    int layers = 0;
    for (const BytePart& part : parts) {
      const torch::jit::WithInsertPoint guard(part.last);
      switch (part.kind) {
        case Kind::conv:
        case Kind::linear:
          layer(part);
          ++layers;
          break;
        case Kind::max_pool: max_pool(part); break;
        case Kind::mean: mean(part); break;
        case Kind::gate: gate(part); break;
        case Kind::sum: sum(part); break;
      }
    }
    return layers;
  }

  // The graph's inputs stay float32; what does not make bytes of them reads them in the graph's type.
  void cast_inputs() {
    if (type_ == c10::kFloat) return;
    const torch::jit::WithInsertPoint guard(*graph_.nodes().begin());
    for (Value* input : graph_.inputs()) {
      const auto known = shapes_.find(input);
      if (known == shapes_.end() || known->second.type != type_) continue;
      known->second.type = c10::kFloat;
      const std::vector<torch::jit::Use> uses = input->uses();
      Value* cast = insert("aten::to",
                           {input, put(static_cast<std::int64_t>(type_)), put(false), put(false), put(c10::IValue())});
      describe(cast, input, type_);
      for (const torch::jit::Use& use : uses) {
        if (!is(*use.user, "ptrun::quantize_u8")) use.user->replaceInput(use.offset, cast);
      }
    }
  }

  // Who still reads the number that a tensor of bytes stands for gets it.
  void finish() {
    for (const auto& [number, bytes] : order_) {
      if (number->uses().empty()) continue;
      const torch::jit::WithInsertPoint guard(bytes.value->node()->next());
      Value* back = insert("ptrun::dequantize_u8",
                           {bytes.value, put(bytes.scale), put(bytes.zero), put(static_cast<std::int64_t>(type_))});
      describe(back, number, type_);
      number->replaceAllUsesWith(back);
    }
  }

 private:
  std::vector<Value*> byte_inputs(const BytePart& part) const { return jit::byte_inputs(part, shapes_); }

  Value* put(c10::IValue value) { return graph_.insertConstant(std::move(value)); }

  Value* insert(const char* kind, const std::vector<Value*>& inputs) {
    return graph_.insertNode(graph_.create(c10::Symbol::fromQualString(kind), inputs))->output();
  }

  // `made` is what `number` was.
  void describe(Value* made, const Value* number, c10::ScalarType type) {
    const auto known = shapes_.find(number);
    if (known != shapes_.end()) shapes_[made] = {known->second.sizes, type, false};
    const auto range = ranges_.find(number);
    if (range != ranges_.end()) ranges_[made] = range->second;
  }

  const TensorRange& range(const Value* value) const {
    static const TensorRange kUnknown;
    const auto found = ranges_.find(value);
    return found == ranges_.end() ? kUnknown : *found->second;
  }

  Bytes bytes_of(Value* value) {
    if (const auto found = bytes_.find(value); found != bytes_.end()) return found->second;
    Bytes bytes = covering(range(value));
    bytes.value = insert("ptrun::quantize_u8", {value, put(bytes.scale), put(bytes.zero)});
    describe(bytes.value, value, c10::kByte);
    bytes_[value] = bytes;
    return bytes;
  }

  void give_bytes(Value* number, Value* made, Bytes bytes) {
    bytes.value = made;
    describe(made, number, c10::kByte);
    bytes_[number] = bytes;
    order_.emplace_back(number, bytes);
  }

  void give_numbers(Value* number, Value* made) {
    describe(made, number, type_);
    if (const auto reader = last_reader_.find(number); reader != last_reader_.end()) {
      last_reader_[made] = reader->second;
    }
    number->replaceAllUsesWith(made);
  }

  Value* put_type(bool bytes) { return put(static_cast<std::int64_t>(bytes ? c10::kByte : type_)); }

  // Bytes end at 0 and 255 by themselves: an activation that cuts there costs nothing.
  static Activation needed(const BytePart& part, const Bytes& out) {
    const bool from_zero = part.gives_bytes && out.zero == 0;
    if (from_zero && part.activation.name == "relu") return {};
    if (from_zero && part.activation.name == "hardtanh" && part.activation.scalars.front() == 0 &&
        part.activation.scalars.back() >= 255 * out.scale) {
      return {};
    }
    return part.activation;
  }

  void layer(const BytePart& part) {
    Value* result = part.last->output();
    const Bytes input = bytes_of(part.first->input(0));
    const Bytes out = part.gives_bytes ? covering(range(result)) : Bytes();
    const ByteWeights weights = byte_weights(part.layer, range(part.first->input(0)));
    Value* sum = part.add == nullptr ? nullptr : summand_bytes(part);
    const bool conv = part.kind == Kind::conv;
    const Layer& layer = part.layer;
    const at::Tensor packed =
        conv ? call("onednn::qconv_prepack",
                    {weights.values, weights.scales, input.scale, input.zero, layer.stride, layer.padding,
                     layer.dilation, layer.groups, shapes_.at(input.value).sizes})
             : call("onednn::qlinear_prepack",
                    {weights.values, std::vector<std::int64_t>{part.rows, weights.values.size(1)}});
    std::vector<Value*> inputs = {input.value,
                                  put(input.scale),
                                  put(input.zero),
                                  insert_tensor(graph_, packed),
                                  insert_tensor(graph_, weights.scales),
                                  insert_tensor(graph_, at::zeros_like(weights.scales, at::kInt))};
    if (sum != nullptr) inputs.push_back(sum);
    inputs.push_back(weights.bias.defined() ? insert_tensor(graph_, weights.bias) : put(c10::IValue()));
    if (conv) {
      append(inputs, {put(layer.stride), put(layer.padding), put(layer.dilation), put(layer.groups)});
    }
    append(inputs, {put(out.scale), put(out.zero), put_type(part.gives_bytes)});
    const Activation activation = needed(part, out);
    if (sum != nullptr) {
      const Bytes other = bytes_of(other_of(part));
      append(inputs, {put(other.scale), put(other.zero), put("sum"), put(1.0)});
      const bool relu = activation.name == "relu";
      append(inputs, {put(relu ? c10::IValue("relu") : c10::IValue()), insert_scalars(graph_, {}), put(c10::IValue())});
    } else {
      append(inputs, {put(activation.name), insert_scalars(graph_, activation.scalars), put(activation.algorithm)});
    }
    Value* made = insert(conv ? "onednn::qconv2d_pointwise" : "onednn::qlinear_pointwise", inputs);
    part.gives_bytes ? give_bytes(result, made, out) : give_numbers(result, made);
  }

  Value* other_of(const BytePart& part) const { return summand(*part.add, part.first->output(), shapes_); }

  // What a layer adds into and overwrites: the other summand itself where nobody reads its bytes afterwards.
  Value* summand_bytes(const BytePart& part) {
    Value* other = other_of(part);
    const Bytes bytes = bytes_of(other);
    const bool ours = last_reader_.at(other) == part.last && other != part.first->input(0);
    if (ours) return bytes.value;
    return insert("aten::clone", {bytes.value, put(c10::IValue())});
  }

  void max_pool(const BytePart& part) {
    const Node& node = *part.first;
    const Bytes input = bytes_of(part.first->input(0));
    const std::vector<std::int64_t>& sizes = shapes_.at(part.last->output()).sizes;
    Value* made = insert("ptrun::max_pool2d_u8",
                         {input.value, put(*pair(node, "kernel_size")), put(*pair(node, "stride")),
                          put(*pair(node, "padding")), put(std::vector<std::int64_t>{sizes[2], sizes[3]})});
    give_bytes(part.last->output(), made, input);
  }

  void mean(const BytePart& part) {
    const Bytes input = bytes_of(part.first->input(0));
    Value* made = insert("ptrun::mean_u8", {input.value, put(input.scale), put(input.zero), put_type(false)});
    const std::size_t dimensions = shapes_.at(part.last->output()).sizes.size();
    if (dimensions == 2) made = insert("aten::flatten", {made, put(1), put(-1)});
    give_numbers(part.last->output(), made);
  }

  void gate(const BytePart& part) {
    Value* images = byte_inputs(part).front();
    Value* gate = part.first->input(0) == images ? part.first->input(1) : part.first->input(0);
    const Bytes input = bytes_of(images);
    const Bytes out = covering(range(part.last->output()));
    Value* made = insert("ptrun::scale_u8",
                         {input.value, put(input.scale), put(input.zero), gate, put(out.scale), put(out.zero)});
    give_bytes(part.last->output(), made, out);
  }

  void sum(const BytePart& part) {
    const Bytes a = bytes_of(part.first->input(0));
    const Bytes b = bytes_of(part.first->input(1));
    TensorRange covered = range(part.last->output());
    if (part.activation.name == "relu") covered.low = 0;
    const Bytes out = covering(covered);
    Value* made = insert("ptrun::add_u8", {a.value, put(a.scale), put(a.zero), b.value, put(b.scale), put(b.zero),
                                           put(out.scale), put(out.zero)});
    give_bytes(part.last->output(), made, out);
  }

  Graph& graph_;
  Shapes& shapes_;
  RangeOf ranges_;
  c10::ScalarType type_;
  std::unordered_map<const Value*, Bytes> bytes_;
  std::vector<std::pair<Value*, Bytes>> order_;  // numbers that bytes stand for, as they were made
  std::unordered_map<const Value*, const Node*> last_reader_;
};

}  // namespace

int quantise(const std::shared_ptr<Graph>& graph, Shapes& shapes, const Ranges& ranges, c10::ScalarType type) {
  RangeOf range_of;
  const std::vector<const Value*> tensors = numbered_tensors(*graph);
  TORCH_CHECK(tensors.size() == ranges.size(), "the ranges are of ", ranges.size(), " tensors, the network has ",
              tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (ranges[i].low <= ranges[i].high) range_of[tensors[i]] = &ranges[i];
  }
  // Before casting, so that weights are rounded once.
  const std::vector<BytePart> parts = byte_parts(*graph, shapes, range_of);
  if (type != c10::kFloat) {
    cast(graph, type);
    for (auto& [value, shape] : shapes) {
      if (shape.type == c10::kFloat) shape.type = type;
    }
  }
  Quantiser quantiser(*graph, shapes, std::move(range_of), type);
  const int layers = quantiser.run(parts);
  quantiser.cast_inputs();
  quantiser.finish();
  torch::jit::EliminateDeadCode(graph);
  return layers;
}

}  // namespace ptrun::jit
