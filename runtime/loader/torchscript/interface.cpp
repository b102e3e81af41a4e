#include "loader/torchscript/interface.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <string_view>

#include "core/text.h"
#include "graph/failure_text.h"
#include "loader/class_map_output.h"
#include "loader/torchscript/dict_output.h"
#include "ptrun/error.h"

namespace ptrun::torchscript {
namespace {

using c10::TypeKind;
using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

constexpr std::int64_t kMaxHint = 4096;  // pixels; a traced size above is no hint

Dimension dynamic_dimension(bool batch = false) {
  Dimension dimension;
  dimension.batch = batch;
  return dimension;
}

Dimension fixed_dimension(std::int64_t size) {
  Dimension dimension;
  dimension.size = size;
  return dimension;
}

c10::TypePtr without_optional(c10::TypePtr type) {
  if (const auto optional = type->cast<c10::OptionalType>()) return optional->getElementType();
  return type;
}

bool is_tensor(const c10::TypePtr& type) { return type->kind() == TypeKind::TensorType; }

bool is_tensor_list(const c10::TypePtr& type) {
  return type->kind() == TypeKind::ListType && is_tensor(type->castRaw<c10::ListType>()->getElementType());
}

OutputNode output_tree(const c10::TypePtr& type, std::string name) {
  OutputNode node;
  node.name = std::move(name);
  const c10::TypePtr inner = without_optional(type);
  switch (inner->kind()) {
    case TypeKind::TensorType: break;
    case TypeKind::TupleType: {
      node.kind = OutputNode::Kind::tuple;
      const auto& tuple = inner->expectRef<c10::TupleType>();
      const auto names = tuple.names();
      for (std::size_t i = 0; i < tuple.elements().size(); ++i) {
        std::string field = names.has_value() && i < names->size() ? std::string((*names)[i]) : std::string();
        node.children.push_back(output_tree(tuple.elements()[i], std::move(field)));
      }
      break;
    }
    case TypeKind::ListType:
      node.kind = OutputNode::Kind::list;
      node.children.push_back(output_tree(inner->expectRef<c10::ListType>().getElementType(), {}));
      break;
    case TypeKind::DictType:
      // Keys are known where the graph writes them (name_dict_keys), else one child stands for every value.
      node.kind = OutputNode::Kind::dict;
      node.children.push_back(output_tree(inner->expectRef<c10::DictType>().getValueType(), {}));
      break;
    default: node.kind = OutputNode::Kind::other; break;
  }
  return node;
}

std::string_view name_of(const Node* node) { return node->kind().toQualString(); }

bool one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  for (const std::string_view other : names) {
    if (name == other) return true;
  }
  return false;
}

const Node* first_convolution(const Block* block) {
  for (const Node* node : block->nodes()) {
    if (one_of(name_of(node), {"aten::conv2d", "aten::_convolution", "aten::convolution"})) return node;
  }
  return nullptr;
}

// Channels that the first convolution wants: its weight is [out, in / groups, kernel, kernel].
std::int64_t input_channels(const Graph& graph) {
  const Node* node = first_convolution(graph.block());
  if (node == nullptr) return -1;
  const auto weight = torch::jit::toIValue(node->input(1));
  const std::size_t at = name_of(node) == "aten::conv2d" ? 6 : 8;
  const auto groups = node->inputs().size() > at ? torch::jit::toIValue(node->input(at)) : std::nullopt;
  if (!weight.has_value() || !weight->isTensor() || weight->toTensor().dim() != 4) return -1;
  const std::int64_t count = groups.has_value() && groups->isInt() ? groups->toInt() : 1;
  return weight->toTensor().size(1) * count;
}

enum class Rank { two, other, unknown };

// Whether `value` has two dimensions, walking back from it; `classes` is filled from the last linear layer.
Rank rank_of(const Value* value, std::int64_t& classes) {
  constexpr int kSteps = 64;
  for (int i = 0; i < kSteps; ++i) {
    const Node* node = value->node();
    const std::string_view name = name_of(node);
    if (one_of(name, {"aten::softmax", "aten::log_softmax", "aten::sigmoid", "aten::dropout", "aten::dropout_",
                      "aten::relu", "aten::relu_", "aten::hardswish", "aten::hardswish_", "aten::contiguous",
                      "aten::to", "aten::gelu", "aten::batch_norm", "aten::layer_norm", "aten::tanh", "aten::silu",
                      "aten::detach", "aten::clone", "aten::feature_dropout"})) {
      value = node->input(0);
    } else if (name == "aten::linear") {
      const auto weight = torch::jit::toIValue(node->input(1));
      if (classes < 0 && weight.has_value() && weight->isTensor() && weight->toTensor().dim() == 2) {
        classes = weight->toTensor().size(0);
      }
      value = node->input(0);
    } else if (name == "aten::addmm") {
      const auto bias = torch::jit::toIValue(node->input(0));
      if (classes < 0 && bias.has_value() && bias->isTensor() && bias->toTensor().dim() == 1) {
        classes = bias->toTensor().size(0);
      }
      return Rank::two;
    } else if (name == "aten::flatten") {
      const auto start = torch::jit::toIValue(node->input(1));
      const auto end = torch::jit::toIValue(node->input(2));
      const bool rows = start.has_value() && start->isInt() && start->toInt() == 1 && end.has_value() && end->isInt() &&
                        end->toInt() == -1;
      return rows ? Rank::two : Rank::unknown;
    } else if (one_of(name,
                      {"aten::conv2d", "aten::_convolution", "aten::conv_transpose2d", "aten::upsample_bilinear2d",
                       "aten::upsample_nearest2d", "aten::pixel_shuffle", "aten::max_pool2d"})) {
      return Rank::other;
    } else {
      return Rank::unknown;
    }
  }
  return Rank::unknown;
}

bool has_constant_batch(const Block* block) {
  for (const Node* node : block->nodes()) {
    for (const Block* inner : node->blocks()) {
      if (has_constant_batch(inner)) return true;
    }
    std::size_t at = 0;
    if (one_of(name_of(node),
               {"aten::view", "aten::reshape", "aten::expand", "aten::new_zeros", "aten::new_ones", "aten::new_full",
                "aten::new_empty", "aten::broadcast_to", "aten::repeat", "aten::tile"})) {
      at = 1;
    } else if (!one_of(name_of(node),
                       {"aten::zeros", "aten::ones", "aten::full", "aten::empty", "aten::rand", "aten::randn"})) {
      continue;
    }
    const Value* sizes = node->input(at);
    std::optional<c10::IValue> first;
    if (const auto known = torch::jit::toIValue(sizes); known.has_value() && known->isIntList()) {
      if (known->toIntVector().size() > 1) first = known->toIntVector()[0];
    } else if (sizes->node()->kind() == c10::prim::ListConstruct && sizes->node()->inputs().size() > 1) {
      first = torch::jit::toIValue(sizes->node()->input(0));
    }
    if (first.has_value() && first->isInt() && first->toInt() > 0) return true;
  }
  return false;
}

// Deterministic and not constant, without touching the process's random numbers.
at::Tensor example(std::vector<std::int64_t> sizes) {
  std::int64_t count = 1;
  for (const std::int64_t size : sizes) count *= size;
  return at::arange(count, at::kFloat).mul(0.7).sin().mul(0.5).add(0.5).view(sizes);
}

void leaves(const c10::IValue& value, std::vector<at::Tensor>& found) {
  if (value.isTensor()) {
    if (value.toTensor().defined()) found.push_back(value.toTensor());
  } else if (value.isTuple()) {
    for (const c10::IValue& item : value.toTupleRef().elements()) leaves(item, found);
  } else if (value.isList()) {
    for (const c10::IValue& item : value.toListRef()) leaves(item, found);
  } else if (value.isGenericDict()) {
    for (const auto& item : value.toGenericDict()) leaves(item.value(), found);
  }
}

// True when the batch of two gives for its first image what that image gives alone.
bool batches_agree(const c10::IValue& one, const c10::IValue& two) {
  std::vector<at::Tensor> single;
  std::vector<at::Tensor> pair;
  leaves(one, single);
  leaves(two, pair);
  if (single.size() != pair.size() || single.empty()) return false;
  for (std::size_t i = 0; i < single.size(); ++i) {
    if (single[i].dim() == 0 || pair[i].dim() != single[i].dim()) return false;
    if (pair[i].size(0) != 2 * single[i].size(0)) return false;
    const at::Tensor first = pair[i].narrow(0, 0, single[i].size(0)).to(at::kFloat);
    const at::Tensor alone = single[i].to(at::kFloat);
    if (first.sizes() != alone.sizes()) return false;
    const double scale = alone.numel() == 0 ? 1.0 : alone.abs().max().item<double>();
    if (!at::allclose(first, alone, 1e-3, 1e-3 * scale, /*equal_nan=*/true)) return false;
  }
  return true;
}

class Probe {
 public:
  Probe(ScriptInterface& interface, const ScriptArchive& archive, const RunForward& run)
      : interface_(interface), run_(run) {
    const std::vector<Dimension>& dimensions = interface.signature.inputs[0].dimensions;
    const std::int64_t channels = dimensions[1].size > 0 ? dimensions[1].size : 3;
    sizes_ = {1, channels, interface.input_height > 0 ? interface.input_height : 224,
              interface.input_width > 0 ? interface.input_width : 224};
    if (!archive.traced_inputs.empty() && archive.traced_inputs[0].size() == 4)
      traced_batch_ = archive.traced_inputs[0][0];
  }

  void run(bool batches) {
    c10::IValue one;
    if (!try_run(1, one)) {
      c10::IValue traced;
      if (traced_batch_ > 1 && try_run(traced_batch_, traced)) fix_batch(traced_batch_, traced);
      return;
    }
    note_output(one, 1);
    if (!batches) return;
    c10::IValue two;
    if (try_run(2, two) && batches_agree(one, two)) return;
    fix_batch(1, one);
  }

 private:
  bool try_run(std::int64_t batch, c10::IValue& result) {
    std::vector<std::int64_t> sizes = sizes_;
    sizes[0] = batch;
    try {
      // The example is made at one size and cut, so that the first image is the same in every batch.
      std::vector<std::int64_t> most = sizes;
      most[0] = std::max<std::int64_t>(batch, 2);
      result = run_({example(most).narrow(0, 0, batch).contiguous()});
      return true;
    } catch (const std::exception& error) {
      failure_ = jit::failure_text(error);
      return false;
    }
  }

  void note_output(const c10::IValue& value, std::int64_t batch) {
    if (!value.isTensor() || interface_.signature.output.kind != OutputNode::Kind::tensor) return;
    std::vector<Dimension>& dimensions = interface_.signature.output.spec.dimensions;
    const at::Tensor tensor = value.toTensor();
    if (!dimensions.empty() || tensor.dim() == 0) return;
    for (std::int64_t i = 0; i < tensor.dim(); ++i) {
      const bool counts = i == 0 && tensor.size(0) == batch;
      // Two dimensions: classes. More: sizes that follow the input's.
      dimensions.push_back(counts || tensor.dim() != 2 ? dynamic_dimension(counts) : fixed_dimension(tensor.size(i)));
    }
    if (tensor.dim() == 2 && tensor.size(0) == batch && tensor.size(1) > 1) interface_.task = Task::classify;
  }

  void fix_batch(std::int64_t batch, const c10::IValue& value) {
    note_output(value, batch);
    if (batch == 1) {
      interface_.signature.batchable = false;
    } else {
      Dimension& dimension = interface_.signature.inputs[0].dimensions[0];
      dimension.size = batch;
      dimension.minimum = batch;
      dimension.maximum = batch;
    }
    interface_.notes.push_back("the batch size " + std::to_string(batch) + " was fixed when the model was traced" +
                               (failure_.empty() ? std::string() : " (" + failure_ + ")") + "; images run " +
                               (batch == 1 ? "one by one" : "in groups of that size") +
                               ", export with torch.jit.script or torch.export for larger batches");
  }

  ScriptInterface& interface_;
  const RunForward& run_;
  std::vector<std::int64_t> sizes_;
  std::int64_t traced_batch_ = 0;
  std::string failure_;
};

}  // namespace

ScriptInterface read_interface(const c10::FunctionSchema& schema, const Graph* graph, const ScriptArchive& archive,
                               bool prepares_images, const std::string& subject) {
  ScriptInterface interface;
  Signature& signature = interface.signature;
  for (std::size_t i = 1; i < schema.arguments().size(); ++i) {
    const c10::Argument& argument = schema.arguments()[i];
    // What has a default (targets = None) is for training.
    if (argument.default_value().has_value() && i > 1) break;
    TensorSpec spec;
    spec.name = argument.name();
    const c10::TypePtr type = without_optional(argument.type());
    const bool only = i == 1 && (schema.arguments().size() == 2 || schema.arguments()[2].default_value().has_value());
    if (is_tensor(type)) {
      if (only) {
        spec.dimensions = {dynamic_dimension(true), dynamic_dimension(), dynamic_dimension(), dynamic_dimension()};
        if (graph != nullptr) spec.dimensions[1].size = input_channels(*graph);
      } else {
        signature.form = InputForm::named;
      }
    } else if (is_tensor_list(type) && only) {
      signature.form = InputForm::list_chw;
      signature.preprocesses_itself = prepares_images;
      spec.dimensions = {fixed_dimension(3), dynamic_dimension(), dynamic_dimension()};
      if (prepares_images) {
        spec.minimum = 0.0;
        spec.maximum = 1.0;
        spec.has_range = true;
      }
    } else if (type->kind() == TypeKind::DictType) {
      signature.form = InputForm::named;
    } else {
      throw Error(ErrorCode::unsupported, subject,
                  "forward takes " + printable(argument.name()) + " of type " + printable(type->str()) +
                      ", expected tensors, a list of tensors or a dict of tensors; export a module that takes images");
    }
    signature.inputs.push_back(std::move(spec));
  }
  if (signature.inputs.empty()) {
    throw Error(ErrorCode::unsupported, subject,
                "forward takes no input, expected images; export a module that takes them");
  }
  if (signature.form == InputForm::batched_nchw && !archive.traced_inputs.empty() &&
      archive.traced_inputs[0].size() == 4) {
    const std::vector<std::int64_t>& sizes = archive.traced_inputs[0];
    const auto usable = [](std::int64_t size) { return size > 0 && size <= kMaxHint ? static_cast<int>(size) : 0; };
    interface.input_height = usable(sizes[2]);
    interface.input_width = usable(sizes[3]);
    Dimension& channels = signature.inputs[0].dimensions[1];
    if (channels.size < 0 && sizes[1] > 0) channels.size = sizes[1];
  }
  if (!schema.returns().empty()) signature.output = output_tree(schema.returns()[0].type(), {});
  // Freezing leaves absent parts of a tuple out.
  if (graph != nullptr && graph->outputs().size() == 1 && is_tensor(graph->outputs()[0]->type())) {
    signature.output = output_tree(graph->outputs()[0]->type(), {});
  }
  if (graph == nullptr || graph->outputs().size() != 1) return interface;
  name_dict_keys(signature.output, graph->outputs()[0]);
  if (signature.form == InputForm::batched_nchw && is_class_map(signature.output)) interface.task = Task::segment;
  std::int64_t classes = -1;
  if (signature.form == InputForm::batched_nchw && signature.output.kind == OutputNode::Kind::tensor &&
      rank_of(graph->outputs()[0], classes) == Rank::two && classes > 1) {
    interface.task = Task::classify;
    signature.output.spec.dimensions = {dynamic_dimension(true), fixed_dimension(classes)};
  }
  return interface;
}

void probe_interface(ScriptInterface& interface, const Graph* graph, const ScriptArchive& archive,
                     const RunForward& run) {
  Signature& signature = interface.signature;
  if (signature.form != InputForm::batched_nchw || signature.inputs.size() != 1) return;
  const bool batches = graph == nullptr || has_constant_batch(graph->block());
  bool shape = signature.output.kind == OutputNode::Kind::tensor && signature.output.spec.dimensions.empty();
  std::int64_t classes = -1;
  if (shape && graph != nullptr && rank_of(graph->outputs()[0], classes) == Rank::other) shape = false;
  if (batches || shape) Probe(interface, archive, run).run(batches);
}

}  // namespace ptrun::torchscript
