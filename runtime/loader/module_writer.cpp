#include "loader/module_writer.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/text.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

// A rule takes some hundred bytes of stack; no published network nests deeper than 20.
constexpr std::size_t kDepth = 100;
// Modules may be shared: a tree whose levels hold one child twice doubles with every level.
constexpr std::size_t kCalls = 100'000;
constexpr std::int64_t kNumbers = 4096;
constexpr std::size_t kListed = 40;

constexpr std::string_view kWeightNorm = "torch.nn.utils.weight_norm.WeightNorm";
constexpr std::string_view kSpectralNorm = "torch.nn.utils.spectral_norm.SpectralNorm";
constexpr std::string_view kPrune = "torch.nn.utils.prune.";

bool is_parametrisation(const std::string& name) {
  return name == kWeightNorm || name == kSpectralNorm || name.compare(0, kPrune.size(), kPrune) == 0;
}

std::vector<std::int64_t> shape_of(const Weights& weights, std::string_view name) {
  return weights.shape(name).value_or(std::vector<std::int64_t>{});
}

void check_rank(const PickledModule& module, std::string_view name, int rank) {
  const auto shape = module.weights().shape(name);
  if (!shape) module.fail("has no tensor '" + printable(name) + "', or one that is not dense");
  if (rank < 0 || shape->size() == static_cast<std::size_t>(rank)) return;
  module.fail("has a tensor '" + printable(name) + "' of " + std::to_string(shape->size()) + " dimensions, expected " +
              std::to_string(rank));
}

}  // namespace

ModuleWriter::ModuleWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ModuleWriter::~ModuleWriter() = default;

GraphBuilder& ModuleWriter::graph() noexcept { return impl_->builder; }
ModuleFacts& ModuleWriter::facts() noexcept { return impl_->facts; }

// Hooks change what a module gives; only those of torch.nn.utils are known.
void ModuleWriter::Impl::check_hooks(const PickledModule& module, const ModuleRule& rule) const {
  for (const std::string_view list : {"_forward_pre_hooks", "_forward_hooks"}) {
    for (const auto& [key, hook] : module.attribute(list).entries()) {
      const std::string name = hook.class_name();
      if (list == "_forward_pre_hooks" && is_parametrisation(name)) continue;
      module.refuse("has a forward hook (" + printable(name) +
                    "), which is Python code outside the file; remove it in Python and save again");
    }
  }
  const PickledValue forward = module.attribute("forward");
  if (forward && (rule.other_forward.empty() || forward.method() != rule.other_forward)) {
    module.refuse(
        "has a forward function of its own, put in place of its class's, which is Python code outside the file; "
        "export the model with torch.jit.trace");
  }
}

void ModuleWriter::Impl::fail_unknown() const {
  std::vector<std::string> unknown;
  for (const auto& [name, where] : archive::module_classes(*source)) {
    if (rules.count(name) != 0) continue;
    unknown.push_back(printable(name) +
                      (where.empty() ? std::string(" (the model itself)") : " at " + printable(where)));
  }
  throw Error(ErrorCode::unsupported, source->file->source().name(),
              "it is a whole pickled module with " + std::to_string(unknown.size()) +
                  (unknown.size() == 1 ? " class" : " classes") +
                  " whose forward function is Python code outside the file: " + join_some(unknown, kListed));
}

Values ModuleWriter::forward(const PickledModule& child, const Values& inputs) {
  Impl& impl = *impl_;
  const auto rule = impl.rules.find(child.class_name());
  if (rule == impl.rules.end()) impl.fail_unknown();
  if (std::find(impl.nodes.begin(), impl.nodes.end(), child.node_) != impl.nodes.end()) {
    child.fail("contains itself");
  }
  if (impl.nodes.size() >= kDepth || ++impl.calls > kCalls) {
    throw Error(ErrorCode::limit_exceeded, impl.source->file->source().name(),
                child.title() + " is nested deeper than " + std::to_string(kDepth) +
                    " modules or runs after more than " + std::to_string(kCalls) + " others");
  }
  impl.check_hooks(child, *rule->second);
  impl.nodes.push_back(child.node_);
  Values result = rule->second->write(*this, child, inputs);
  impl.nodes.pop_back();
  return result;
}

Value ModuleWriter::forward(const PickledModule& child, Value input) {
  const Values result = forward(child, Values(input));
  if (result.items.size() != 1) {
    child.refuse("gives " + std::to_string(result.items.size()) + " tensors where one is expected");
  }
  return result.items.front();
}

Value ModuleWriter::forward_all(const PickledModule& parent, Value input) {
  for (const PickledModule& child : parent.children()) input = forward(child, input);
  return input;
}

Value ModuleWriter::only(const PickledModule& module, const Values& inputs) const {
  if (inputs.items.size() != 1) {
    module.refuse("is given " + std::to_string(inputs.items.size()) + " tensors where it takes one");
  }
  return inputs.items.front();
}

// What old-style hooks compute before every forward: torch/nn/utils/weight_norm.py, spectral_norm.py, prune.py.
Value ModuleWriter::Impl::normed_weight(const PickledModule& module, const std::string& name, int rank) {
  const Weights weights = module.weights();
  for (const auto& [key, hook] : module.attribute("_forward_pre_hooks").entries()) {
    const std::string kind = hook.class_name();
    if (!is_parametrisation(kind)) continue;
    const bool pruned = kind != kWeightNorm && kind != kSpectralNorm;
    if (hook.attribute(pruned ? "_tensor_name" : "name").text() != name) continue;
    std::vector<std::string> parts = {name + "_orig", name + "_mask"};
    if (kind == kWeightNorm) parts = {name + "_v", name + "_g"};
    if (kind == kSpectralNorm) parts = {name + "_orig", name + "_u", name + "_v"};
    for (const std::string& part : parts) {
      if (!weights.shape(part)) module.fail("has no tensor '" + printable(part) + "', which its hook needs");
    }
    check_rank(module, parts[0], rank);
    const Value first = builder.weight(weights, parts[0]);
    const Value second = builder.weight(weights, parts[1]);
    if (pruned) return builder.op("aten::mul.Tensor", {first, second});
    const std::int64_t dim = hook.attribute("dim").integer().value_or(-1);
    if (kind == kWeightNorm) return builder.op("aten::_weight_norm", {first, second, dim});
    if (dim < 0 || dim >= static_cast<std::int64_t>(shape_of(weights, parts[0]).size()))
      module.fail("normalises a dimension that its weight lacks");
    const Value rows = builder.flatten(builder.op("aten::transpose.int", {first, dim, std::int64_t{0}}));
    if (dim > 1) module.refuse("normalises dimension " + std::to_string(dim) + " by spectral_norm, expected 0 or 1");
    const Value right = builder.op("aten::mv", {rows, builder.weight(weights, parts[2])});
    return builder.op("aten::div.Tensor", {first, builder.op("aten::dot", {second, right})});
  }
  return {};
}

Value ModuleWriter::parameter(const PickledModule& module, std::string_view name, int rank) {
  if (const Value computed = impl_->normed_weight(module, std::string(name), rank)) return computed;
  check_rank(module, name, rank);
  return impl_->builder.weight(module.weights(), name);
}

Argument ModuleWriter::optional_parameter(const PickledModule& module, std::string_view name, int rank) {
  if (!module.has(name) && !module.has(std::string(name) + "_orig") && !module.has(std::string(name) + "_g")) return {};
  return parameter(module, name, rank);
}

std::vector<double> ModuleWriter::numbers(const PickledModule& module, std::string_view name) {
  const PickledValue value = module.attribute(name);
  if (const auto single = value.real()) return {*single};
  std::vector<double> result;
  if (value.type() == PickledValue::Type::sequence) {
    for (const PickledValue& item : value.items()) {
      const auto number = item.real();
      if (!number || result.size() >= static_cast<std::size_t>(kNumbers)) {
        module.fail("has a list '" + printable(name) + "' with something else than numbers in it, or too many");
      }
      result.push_back(*number);
    }
    return result;
  }
  const std::string full = module.place().empty() ? std::string(name) : module.place() + "." + std::string(name);
  const WeightTable::Entry* entry = impl_->source->table.find(full);
  if (entry == nullptr) module.fail("has no numbers '" + printable(name) + "'");
  const std::int64_t count = archive::element_count(entry->shape);
  if (count > kNumbers)
    module.fail("has " + std::to_string(count) + " numbers '" + printable(name) + "', expected few");
  const at::Tensor tensor = impl_->read(*entry).to(at::kDouble).contiguous().view({-1});
  const auto* data = tensor.data_ptr<double>();
  result.assign(data, data + tensor.numel());
  return result;
}

ModuleWriter make_module_writer(const ModuleSource& source, const ModelTables& tables, TensorProvider provider,
                                TensorProvider read) {
  std::unordered_map<std::string_view, const ModuleRule*> rules;
  for (const ModuleRule& rule : tables.modules) {
    for (const std::string_view name : rule.classes) rules.emplace(name, &rule);
  }
  return ModuleWriter(std::make_unique<ModuleWriter::Impl>(ModuleWriter::Impl{
      &source, make_builder(source.table, std::move(provider)), std::move(read), std::move(rules), {}, {}, 0}));
}

Values write_tree(ModuleWriter& writer, const ModuleSource& source) {
  GraphBuilder& builder = writer.graph();
  const PickledModule root = archive::root_module(source);
  const Values outputs = writer.forward(root, Values(builder.input("images")));
  if (outputs.items.empty()) root.refuse("gives no tensor");
  for (std::size_t i = 0; i < outputs.items.size(); ++i) {
    std::string name = outputs.items.size() == 1 ? "output" : "output" + std::to_string(i);
    if (i < outputs.names.size()) name = outputs.names[i];
    builder.output(outputs.items[i], name);
  }
  return outputs;
}

}  // namespace ptrun
