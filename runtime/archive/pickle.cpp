#include "archive/pickle.h"

#include <array>

#include "archive/fail.h"

namespace ptrun::archive {
namespace {

using Type = PickleNode::Type;

constexpr std::size_t kReduceItems = 3;
constexpr std::size_t kObjectItems = 4;

// Where `items` begin among the children of a reduce or object node.
std::size_t items_begin(const PickleNode& node) { return node.type == Type::reduce ? kReduceItems : kObjectItems; }

bool is_call(const PickleNode& node) { return node.type == Type::reduce || node.type == Type::object; }

// Python's fix_imports: Python 3 writes these module names into protocol 2 and reads them back (Lib/_compat_pickle.py).
std::string_view modern_module(std::string_view module) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kNames = {{
      {"__builtin__", "builtins"},
      {"copy_reg", "copyreg"},
      {"UserDict", "collections"},
      {"cPickle", "pickle"},
  }};
  for (const auto& [old_name, new_name] : kNames) {
    if (module == old_name) return new_name;
  }
  return module;
}

bool is_mapping_class(std::string_view name) {
  constexpr std::array<std::string_view, 4> kNames = {"collections.OrderedDict", "collections.defaultdict",
                                                      "collections.Counter", "builtins.dict"};
  for (const std::string_view known : kNames) {
    if (name == known) return true;
  }
  return false;
}

void append_pairs(const std::vector<NodeId>& children, std::size_t begin,
                  std::vector<std::pair<NodeId, NodeId>>& pairs) {
  for (std::size_t i = begin; i + 1 < children.size(); i += 2) pairs.emplace_back(children[i], children[i + 1]);
}

}  // namespace

std::string_view Pickle::text(NodeId id) const {
  if (id >= nodes.size()) return {};
  const PickleNode& node = nodes[id];
  if (node.type != Type::text && node.type != Type::bytes && node.type != Type::big_integer) return {};
  return std::string_view(node.decoded ? decoded : bytes).substr(node.range.offset, node.range.count);
}

std::string Pickle::global_name(NodeId id) const {
  if (!is(id, Type::global)) return {};
  const PickleNode& node = nodes[id];
  if (!node.children.empty()) {
    return text_of(modern_module(text(node.children[0])), '.', text(node.children[1]));
  }
  const std::string_view lines = std::string_view(bytes).substr(node.range.offset, node.range.count);
  const std::size_t newline = lines.find('\n');
  return text_of(modern_module(lines.substr(0, newline)), '.', lines.substr(newline + 1));
}

NodeId Pickle::callable(NodeId id) const {
  return id < nodes.size() && is_call(nodes[id]) ? nodes[id].children[0] : kNoNode;
}

NodeId Pickle::arguments(NodeId id) const {
  return id < nodes.size() && is_call(nodes[id]) ? nodes[id].children[1] : kNoNode;
}

NodeId Pickle::state(NodeId id) const {
  return id < nodes.size() && is_call(nodes[id]) ? nodes[id].children[2] : kNoNode;
}

std::string Pickle::callable_name(NodeId id) const { return global_name(callable(id)); }

std::vector<NodeId> Pickle::sequence(NodeId id) const {
  if (id >= nodes.size()) return {};
  const PickleNode& node = nodes[id];
  switch (node.type) {
    case Type::tuple:
    case Type::list:
    case Type::set:
    case Type::frozen_set: return node.children;
    case Type::reduce:
    case Type::object: break;
    default: return {};
  }
  if (node.items == PickleNode::Items::sequence) {
    return {node.children.begin() + static_cast<std::ptrdiff_t>(items_begin(node)), node.children.end()};
  }
  // Protocol 2 writes a set as set([..]).
  const std::string name = callable_name(id);
  const std::vector<NodeId>& arguments_of = nodes[node.children[1]].children;
  if ((name == "builtins.set" || name == "builtins.frozenset" || name == "torch.Size") && arguments_of.size() == 1) {
    const PickleNode& values = nodes[arguments_of[0]];
    if (values.type == Type::list || values.type == Type::tuple) return values.children;
  }
  return {};
}

bool Pickle::is_mapping(NodeId id) const {
  if (id >= nodes.size()) return false;
  const PickleNode& node = nodes[id];
  if (node.type == Type::dict) return true;
  return is_call(node) && (node.items == PickleNode::Items::mapping || is_mapping_class(callable_name(id)));
}

std::vector<std::pair<NodeId, NodeId>> Pickle::mapping(NodeId id) const {
  std::vector<std::pair<NodeId, NodeId>> pairs;
  if (!is_mapping(id)) return pairs;
  const PickleNode& node = nodes[id];
  if (node.type == Type::dict) {
    append_pairs(node.children, 0, pairs);
    return pairs;
  }
  // Python 2 writes OrderedDict([[key, value], ...]) and Counter({..}) as arguments instead of items.
  for (const NodeId argument : nodes[node.children[1]].children) {
    if (is(argument, Type::dict)) append_pairs(nodes[argument].children, 0, pairs);
    if (!is(argument, Type::list) && !is(argument, Type::tuple)) continue;
    for (const NodeId item : nodes[argument].children) {
      const PickleNode& pair = nodes[item];
      if ((pair.type == Type::list || pair.type == Type::tuple) && pair.children.size() == 2) {
        pairs.emplace_back(pair.children[0], pair.children[1]);
      }
    }
  }
  if (node.items == PickleNode::Items::mapping) append_pairs(node.children, items_begin(node), pairs);
  return pairs;
}

NodeId Pickle::lookup(NodeId id, std::string_view key) const {
  const std::vector<std::pair<NodeId, NodeId>> pairs = mapping(id);
  for (auto pair = pairs.rbegin(); pair != pairs.rend(); ++pair) {
    if (is(pair->first, Type::text) && text(pair->first) == key) return pair->second;
  }
  return kNoNode;
}

}  // namespace ptrun::archive
