#include <ATen/ATen.h>
#include <torch/csrc/jit/ir/ir.h>

#include "core/text.h"
#include "graph/builder_impl.h"
#include "graph/dtype.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

std::string full_name(const Weights& w, std::string_view name) {
  return w.prefix().empty() ? std::string(name) : w.prefix() + "." + std::string(name);
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i != 0) text += ", ";
    text += shape[i] < 0 ? std::string("*") : std::to_string(shape[i]);
  }
  return text + "]";
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

torch::jit::Value* GraphBuilder::Impl::raw(Value value) {
  if (!value) throw Error(ErrorCode::internal, "GraphBuilder", "an empty Value was used as an argument");
  return static_cast<torch::jit::Value*>(value.handle_);
}

GraphBuilder::Impl::Known GraphBuilder::Impl::known_of(Value value) const {
  const auto found = known.find(raw(value));
  return found == known.end() ? Known{} : found->second;
}

Value GraphBuilder::Impl::with(Value value, Known facts) {
  known[raw(value)] = facts;
  return value;
}

void GraphBuilder::Impl::use(const WeightTable::Entry* entry) {
  if (entry != nullptr) used[static_cast<std::size_t>(entry - table->entries().data())] = true;
}

void GraphBuilder::Impl::mismatch(const std::string& name, const std::string& expectation) {
  const WeightTable::Entry* entry = table->find(name);
  mismatched.push_back(printable(name) + " has shape " + (entry ? shape_text(entry->shape) : "[]") + ", expected " +
                       expectation);
}

Value GraphBuilder::Impl::weight(const Weights& w, std::string_view name) {
  const std::string full = full_name(w, name);
  if (const auto known_constant = constants.find(full); known_constant != constants.end()) {
    return Value(known_constant->second);
  }
  const WeightTable::Entry* entry = table->find(full);
  at::Tensor tensor;
  if (entry == nullptr) {
    missing.push_back(full);
  } else {
    use(entry);
    if (provider) {
      tensor = provider(*entry).detach();
      if (tensor.is_floating_point() && tensor.scalar_type() != at::kFloat) tensor = tensor.to(at::kFloat);
    }
  }
  if (!tensor.defined()) tensor = at::empty({0});
  torch::jit::Value* constant = graph->insertConstant(c10::IValue(std::move(tensor)));
  constants.emplace(full, constant);
  return Value(constant);
}

Value GraphBuilder::Impl::parameter(const Weights& w, std::string_view name,
                                    const std::vector<std::int64_t>& expected) {
  const std::string full = full_name(w, name);
  if (const WeightTable::Entry* entry = table->find(full)) {
    bool fits = entry->shape.size() == expected.size();
    for (std::size_t i = 0; fits && i < expected.size(); ++i) {
      fits = expected[i] < 0 || entry->shape[i] == expected[i];
    }
    if (!fits) mismatch(full, shape_text(expected));
  }
  return weight(w, name);
}

GraphBuilder::GraphBuilder(const WeightTable& table) : impl_(std::make_unique<Impl>(table)) {
  impl_->graph = std::make_shared<torch::jit::Graph>();
  impl_->used.resize(table.entries().size());
}

GraphBuilder::~GraphBuilder() = default;
GraphBuilder::GraphBuilder(GraphBuilder&&) noexcept = default;
GraphBuilder& GraphBuilder::operator=(GraphBuilder&&) noexcept = default;

Value GraphBuilder::input(std::string_view name) {
  torch::jit::Value* value = impl_->graph->addInput();
  value->setType(c10::TensorType::get());
  impl_->input_names.emplace_back(name);
  return Value(value);
}

void GraphBuilder::output(Value value, std::string_view name) {
  impl_->outputs.push_back(Impl::raw(value));
  impl_->output_names.emplace_back(name);
}

Value GraphBuilder::weight(const Weights& w, std::string_view name) { return impl_->weight(w, name); }

void GraphBuilder::skip(const Weights& w) {
  impl_->use(impl_->table->find(w.prefix()));
  for (const std::size_t index : impl_->table->below(w.prefix())) impl_->used[index] = true;
}

Value GraphBuilder::weight(const Weights& w, std::string_view name, const std::vector<std::int64_t>& shape) {
  return impl_->parameter(w, name, shape);
}

Value GraphBuilder::constant(double value) { return Value(impl_->graph->insertConstant(c10::IValue(value))); }
Value GraphBuilder::constant(std::int64_t value) { return Value(impl_->graph->insertConstant(c10::IValue(value))); }

jit::Operand GraphBuilder::Impl::operand(const Argument& argument) {
  struct Visitor {
    torch::jit::Graph& graph;
    jit::Operand operator()(std::monostate) const { return c10::IValue(); }
    jit::Operand operator()(Value value) const { return raw(value); }
    jit::Operand operator()(std::int64_t value) const { return c10::IValue(value); }
    jit::Operand operator()(double value) const { return c10::IValue(value); }
    jit::Operand operator()(bool value) const { return c10::IValue(value); }
    jit::Operand operator()(const std::string& value) const { return c10::IValue(value); }
    jit::Operand operator()(const std::vector<std::int64_t>& value) const { return c10::IValue(value); }
    jit::Operand operator()(const std::vector<double>& value) const { return c10::IValue(value); }
    jit::Operand operator()(const std::vector<Value>& values) const {
      std::vector<torch::jit::Value*> items;
      items.reserve(values.size());
      for (const Value& value : values) items.push_back(raw(value));
      const bool integers = !items.empty() && items.front()->type()->kind() == c10::TypeKind::IntType;
      const c10::TypePtr type = integers ? c10::TypePtr(c10::IntType::get()) : c10::TypePtr(c10::TensorType::get());
      return graph.insertNode(graph.createList(type, items))->output();
    }
    jit::Operand operator()(DType dtype) const {
      const auto type = scalar_type(dtype);
      if (!type) throw Error(ErrorCode::internal, "GraphBuilder::op", "a dtype that LibTorch lacks");
      return c10::IValue(static_cast<std::int64_t>(*type));
    }
  };
  return std::visit(Visitor{*graph}, argument);
}

std::vector<jit::Operand> GraphBuilder::Impl::operands(const std::vector<Argument>& arguments) {
  std::vector<jit::Operand> result;
  result.reserve(arguments.size());
  for (const Argument& argument : arguments) result.push_back(operand(argument));
  return result;
}

std::vector<Value> GraphBuilder::op_results(std::string_view schema, const std::vector<Argument>& arguments,
                                            const std::vector<std::pair<std::string, Argument>>& named) {
  std::vector<std::pair<std::string, jit::Operand>> keywords;
  keywords.reserve(named.size());
  for (const auto& [key, argument] : named) keywords.emplace_back(key, impl_->operand(argument));
  std::vector<Value> results;
  for (torch::jit::Value* value : jit::insert_operator(*impl_->graph, schema, impl_->operands(arguments), keywords)) {
    results.push_back(Value(value));
  }
  return results;
}

Value GraphBuilder::op(std::string_view schema, const std::vector<Argument>& arguments,
                       const std::vector<std::pair<std::string, Argument>>& named) {
  const std::vector<Value> results = op_results(schema, arguments, named);
  if (results.size() != 1) {
    throw Error(ErrorCode::internal, std::string(schema),
                "returns " + std::to_string(results.size()) + " values, expected one; use op_results");
  }
  return results.front();
}

GraphBuilder make_builder(const WeightTable& table, TensorProvider provider) {
  GraphBuilder builder(table);
  builder.impl().provider = std::move(provider);
  return builder;
}

WeightDifferences differences(GraphBuilder& builder) {
  const GraphBuilder::Impl& impl = builder.impl();
  WeightDifferences result;
  result.missing = impl.missing;
  result.mismatched = impl.mismatched;
  for (std::size_t i = 0; i < impl.used.size(); ++i) {
    const std::string& name = impl.table->entries()[i].name;
    if (impl.used[i]) {
      ++result.used;
    } else if (!ends_with(name, "num_batches_tracked")) {
      result.left_over.push_back(name);
    }
  }
  return result;
}

GraphModule finish(GraphBuilder& builder) {
  GraphBuilder::Impl& impl = builder.impl();
  if (impl.outputs.empty()) throw Error(ErrorCode::internal, "GraphBuilder", "the network has no output");
  for (torch::jit::Value* output : impl.outputs) impl.graph->registerOutput(output);
  if (!jit::is_normal(*impl.graph)) jit::normalise(impl.graph);
  return {impl.graph};
}

}  // namespace ptrun
