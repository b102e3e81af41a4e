#include "archive/pickled_module.h"

#include <algorithm>

#include "archive/fail.h"
#include "archive/module_tree.h"

namespace ptrun {
namespace {

using archive::in_quotes;
using archive::kNoNode;
using archive::NodeId;
using archive::Pickle;
using archive::text_of;
using Node = archive::PickleNode;

std::string below(const std::string& place, std::string_view name) {
  return place.empty() ? std::string(name) : text_of(place, '.', name);
}

// The __dict__ of an object, where its class keeps one.
NodeId object_state(const Pickle& data, NodeId id) {
  const NodeId state = data.state(id);
  if (data.is(state, Node::Type::tuple) && !data[state].children.empty()) return data[state].children[0];
  return state;
}

const char* type_name(PickledValue::Type type) {
  switch (type) {
    case PickledValue::Type::absent: return "absent";
    case PickledValue::Type::none: return "None";
    case PickledValue::Type::boolean: return "a boolean";
    case PickledValue::Type::integer: return "an integer";
    case PickledValue::Type::real: return "a real number";
    case PickledValue::Type::text: return "a text";
    case PickledValue::Type::sequence: return "a list";
    case PickledValue::Type::mapping: return "a dict";
    case PickledValue::Type::tensor: return "a tensor";
    case PickledValue::Type::module: return "a module";
    case PickledValue::Type::object: return "an object";
    case PickledValue::Type::global: return "a class or function";
  }
  return "unknown";
}

}  // namespace

PickledValue::PickledValue(const ModuleSource* source, std::uint32_t node, std::string place)
    : source_(node == kNoNode ? nullptr : source), node_(node), place_(std::move(place)) {}

PickledValue::Type PickledValue::type() const {
  if (source_ == nullptr) return Type::absent;
  const Pickle& data = source_->file->data();
  if (source_->file->tensor_at(node_)) return Type::tensor;
  switch (data[node_].type) {
    case Node::Type::none: return Type::none;
    case Node::Type::boolean: return Type::boolean;
    case Node::Type::integer: return Type::integer;
    case Node::Type::real: return Type::real;
    case Node::Type::text:
    case Node::Type::bytes: return Type::text;
    case Node::Type::tuple:
    case Node::Type::list:
    case Node::Type::set:
    case Node::Type::frozen_set: return Type::sequence;
    case Node::Type::dict: return Type::mapping;
    case Node::Type::global: return Type::global;
    default: break;
  }
  if (archive::is_module(data, node_)) return Type::module;
  if (data.is_mapping(node_)) return Type::mapping;
  if (data[node_].items == Node::Items::sequence || !data.sequence(node_).empty()) return Type::sequence;
  return Type::object;
}

bool PickledValue::given() const { return source_ != nullptr && source_->file->data()[node_].type != Node::Type::none; }

std::optional<bool> PickledValue::boolean() const {
  if (type() != Type::boolean) return std::nullopt;
  return source_->file->data()[node_].integer != 0;
}

std::optional<std::int64_t> PickledValue::integer() const {
  const Type found = type();
  if (found != Type::integer && found != Type::boolean) return std::nullopt;
  return source_->file->data()[node_].integer;
}

std::optional<double> PickledValue::real() const {
  if (type() == Type::real) return source_->file->data()[node_].real;
  if (const auto whole = integer()) return static_cast<double>(*whole);
  return std::nullopt;
}

std::optional<std::string> PickledValue::text() const {
  if (type() != Type::text) return std::nullopt;
  return std::string(source_->file->data().text(node_));
}

std::vector<PickledValue> PickledValue::items() const {
  std::vector<PickledValue> values;
  if (type() != Type::sequence) return values;
  for (const NodeId node : source_->file->data().sequence(node_)) {
    values.emplace_back(source_, node, below(place_, std::to_string(values.size())));
  }
  return values;
}

std::vector<std::pair<PickledValue, PickledValue>> PickledValue::entries() const {
  std::vector<std::pair<PickledValue, PickledValue>> pairs;
  if (type() != Type::mapping) return pairs;
  const Pickle& data = source_->file->data();
  for (const auto& [key, value] : data.mapping(node_)) {
    pairs.emplace_back(PickledValue(source_, key, place_), PickledValue(source_, value, below(place_, data.text(key))));
  }
  return pairs;
}

std::string PickledValue::class_name() const {
  switch (type()) {
    case Type::object:
    case Type::module: return archive::class_of(source_->file->data(), node_);
    case Type::global: return source_->file->data().global_name(node_);
    default: return {};
  }
}

std::string PickledValue::method() const {
  if (type() != Type::object) return {};
  const Pickle& data = source_->file->data();
  // A bound method is pickled as getattr(object, name).
  if (data.callable_name(node_) != "builtins.getattr") return {};
  const std::vector<NodeId> arguments = data.sequence(data.arguments(node_));
  return arguments.size() == 2 ? std::string(data.text(arguments[1])) : std::string();
}

PickledValue PickledValue::attribute(std::string_view name) const {
  const Type found = type();
  if (found == Type::module) return module()->attribute(name);
  if (found != Type::object && found != Type::mapping) return {};
  const Pickle& data = source_->file->data();
  const NodeId holder = found == Type::mapping ? node_ : object_state(data, node_);
  return {source_, data.lookup(holder, name), below(place_, name)};
}

std::optional<PickledModule> PickledValue::module() const {
  if (type() != Type::module) return std::nullopt;
  return PickledModule(source_, node_, place_);
}

PickledModule::PickledModule(const ModuleSource* source, std::uint32_t node, std::string place)
    : source_(source),
      node_(node),
      place_(std::move(place)),
      class_name_(archive::class_of(source->file->data(), node)) {}

std::string_view PickledModule::short_class() const noexcept {
  const std::size_t dot = class_name_.rfind('.');
  return std::string_view(class_name_).substr(dot == std::string::npos ? 0 : dot + 1);
}

std::string_view PickledModule::name() const noexcept {
  const std::size_t dot = place_.rfind('.');
  return std::string_view(place_).substr(dot == std::string::npos ? 0 : dot + 1);
}

PickledValue PickledModule::attribute(std::string_view name) const {
  const Pickle& data = source_->file->data();
  return {source_, data.lookup(archive::module_attributes(data, node_), name), below(place_, name)};
}

bool PickledModule::has(std::string_view name) const {
  if (attribute(name).given()) return true;
  for (const std::string_view registry : {"_modules", "_parameters", "_buffers"}) {
    if (attribute(registry).attribute(name).given()) return true;
  }
  return false;
}

PickledValue PickledModule::require(std::string_view name, bool has_fallback) const {
  PickledValue value = attribute(name);
  if (!value && !has_fallback) fail("has no attribute " + in_quotes(name) + ", which its class always has");
  return value;
}

void PickledModule::fail_type(std::string_view name, const std::string& expected) const {
  fail("has an attribute " + in_quotes(name) + " that is " + type_name(attribute(name).type()) + ", expected " +
       expected);
}

std::int64_t PickledModule::integer(std::string_view name, std::optional<std::int64_t> fallback) const {
  const PickledValue value = require(name, fallback.has_value());
  if (!value) return *fallback;
  if (const auto found = value.integer()) return *found;
  fail_type(name, "an integer");
}

double PickledModule::real(std::string_view name, std::optional<double> fallback) const {
  const PickledValue value = require(name, fallback.has_value());
  if (!value) return *fallback;
  if (const auto found = value.real()) return *found;
  fail_type(name, "a number");
}

bool PickledModule::boolean(std::string_view name, std::optional<bool> fallback) const {
  const PickledValue value = require(name, fallback.has_value());
  if (!value) return *fallback;
  if (const auto found = value.integer()) return *found != 0;
  fail_type(name, "a boolean");
}

std::string PickledModule::text(std::string_view name, std::optional<std::string> fallback) const {
  const PickledValue value = require(name, fallback.has_value());
  if (!value) return *fallback;
  if (auto found = value.text()) return *std::move(found);
  fail_type(name, "a text");
}

std::vector<std::int64_t> PickledModule::integers(std::string_view name,
                                                  std::optional<std::vector<std::int64_t>> fallback) const {
  const PickledValue value = require(name, fallback.has_value());
  if (!value) return *fallback;
  if (const auto single = value.integer()) return {*single};
  if (value.type() != PickledValue::Type::sequence) fail_type(name, "integers");
  std::vector<std::int64_t> numbers;
  for (const PickledValue& item : value.items()) {
    const auto number = item.integer();
    if (!number)
      fail("has an attribute " + in_quotes(name) + " with " + type_name(item.type()) + " in it, expected integers");
    numbers.push_back(*number);
  }
  return numbers;
}

std::vector<std::int64_t> PickledModule::sizes(std::string_view name, std::size_t count,
                                               std::optional<std::int64_t> fallback) const {
  std::optional<std::vector<std::int64_t>> other;
  if (fallback) other = std::vector<std::int64_t>(count, *fallback);
  if (const auto single = attribute(name).integer()) return std::vector<std::int64_t>(count, *single);
  std::vector<std::int64_t> numbers = integers(name, other);
  if (numbers.size() != count) {
    fail("has an attribute " + in_quotes(name) + " of " + std::to_string(numbers.size()) + " numbers, expected " +
         std::to_string(count));
  }
  return numbers;
}

std::vector<PickledModule> PickledModule::children() const {
  std::vector<PickledModule> modules;
  for (const auto& [key, value] : attribute("_modules").entries()) {
    if (!value.given()) continue;
    const std::string name = key.text().value_or(std::string());
    if (value.type() != PickledValue::Type::module) {
      fail("has a child " + in_quotes(name) + " that is " + type_name(value.type()) + ", expected a module");
    }
    modules.emplace_back(source_, value.node_, below(place_, name));
  }
  return modules;
}

std::optional<PickledModule> PickledModule::find(std::string_view name) const {
  const PickledValue value = attribute("_modules").attribute(name);
  if (!value.given()) return std::nullopt;
  if (value.type() != PickledValue::Type::module) {
    fail("has a child " + in_quotes(name) + " that is " + type_name(value.type()) + ", expected a module");
  }
  return PickledModule(source_, value.node_, below(place_, name));
}

PickledModule PickledModule::child(std::string_view name) const {
  auto found = find(name);
  if (!found) fail("has no child " + in_quotes(name) + ", which its class always has");
  return *std::move(found);
}

Weights PickledModule::weights() const { return Weights(source_->table, place_); }

std::string PickledModule::title() const {
  const std::string shown = printable(short_class());
  return place_.empty() ? shown : shown + " at " + printable(place_);
}

void PickledModule::fail(const std::string& problem) const {
  throw Error(ErrorCode::bad_model, source_->file->source().name(),
              title() + " " + problem + "; the file is damaged or of another version of that class");
}

void PickledModule::refuse(const std::string& problem) const {
  throw Error(ErrorCode::unsupported, source_->file->source().name(), title() + " " + problem);
}

namespace archive {

std::unique_ptr<const ModuleSource> read_module_tree(std::shared_ptr<const TensorFile> file, NodeId root) {
  auto source = std::make_unique<ModuleSource>();
  source->file = std::move(file);
  source->root = root;
  const ModuleTree tree =
      walk_modules(source->file->data(), root, source->file->source().name(), source->file->limits());
  for (const auto* tensors : {&tree.tensors, &tree.others}) {
    for (const auto& [name, node] : *tensors) {
      const std::optional<std::size_t> tensor = source->file->tensor_at(node);
      if (!tensor) continue;
      const TensorInfo& info = source->file->tensors()[*tensor];
      const bool usable = info.layout == TensorLayout::strided || info.layout == TensorLayout::quantized_per_tensor ||
                          info.layout == TensorLayout::quantized_per_channel;
      if (usable) source->table.add({name, info.dtype, info.shape, *tensor});
    }
  }
  return source;
}

PickledModule root_module(const ModuleSource& source) { return PickledModule(&source, source.root, {}); }

std::vector<std::pair<std::string, std::string>> module_classes(const ModuleSource& source) {
  return walk_modules(source.file->data(), source.root, source.file->source().name(), source.file->limits()).classes;
}

}  // namespace archive
}  // namespace ptrun
