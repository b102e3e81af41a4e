#include "archive/module_tree.h"

#include <set>

#include "archive/fail.h"

namespace ptrun::archive {
namespace {

using Type = PickleNode::Type;

constexpr std::string_view kGraphModule = "torch.fx.graph_module.reduce_graph_module";
constexpr std::uint64_t kNameBytes = 64ULL << 20U;  // all dotted names together

// Names that Module.register_buffer(persistent=False) keeps out of state_dict().
std::set<std::string, std::less<>> not_persistent(const Pickle& data, NodeId attributes) {
  std::set<std::string, std::less<>> names;
  for (const NodeId name : data.sequence(data.lookup(attributes, "_non_persistent_buffers_set"))) {
    names.emplace(data.text(name));
  }
  return names;
}

}  // namespace

std::string class_of(const Pickle& data, NodeId id) {
  const NodeId callable = data.callable(id);
  if (data.is(callable, Type::persistent_id)) {
    // Old whole modules: ('module', class, source file, source text).
    const std::vector<NodeId> parts = data.sequence(data[callable].children[0]);
    return parts.size() == 4 ? data.global_name(parts[1]) : std::string();
  }
  const std::string name = data.global_name(callable);
  if (name == kGraphModule) return "torch.fx.graph_module.GraphModule";
  if (name != "copyreg._reconstructor") return name;
  const std::vector<NodeId>& arguments = data[data.arguments(id)].children;
  return arguments.empty() ? name : data.global_name(arguments[0]);
}

NodeId module_attributes(const Pickle& data, NodeId id) {
  NodeId state = data.state(id);
  if (data.callable_name(id) == kGraphModule) {
    const std::vector<NodeId>& arguments = data[data.arguments(id)].children;
    state = arguments.empty() ? kNoNode : arguments[0];
  }
  // A class with __slots__ pickles (dict, slots).
  if (data.is(state, Type::tuple) && !data[state].children.empty()) state = data[state].children[0];
  const bool module =
      data.is_mapping(data.lookup(state, "_modules")) && data.is_mapping(data.lookup(state, "_parameters"));
  return module ? state : kNoNode;
}

bool is_module(const Pickle& data, NodeId id) { return module_attributes(data, id) != kNoNode; }

ModuleTree walk_modules(const Pickle& data, NodeId root, const std::string& subject, const Limits& limits) {
  struct Step {
    NodeId node;
    std::string name;
    std::size_t depth;
  };
  ModuleTree tree;
  std::set<std::string, std::less<>> classes;
  std::vector<Step> pending;
  std::uint64_t name_bytes = 0;
  std::size_t names = 0;
  // A module that is its own child, or shared by thousands, would make names without end.
  const auto dotted = [&](const std::string& prefix, NodeId key) {
    std::string name = prefix.empty() ? std::string(data.text(key)) : text_of(prefix, '.', data.text(key));
    name_bytes += name.size() + 1;
    if (++names > limits.weight_names || name_bytes > kNameBytes) {
      fail_limit(subject, "the module tree has more names than the limit of ", limits.weight_names);
    }
    return name;
  };
  pending.push_back({root, "", 0});
  while (!pending.empty()) {
    const Step step = std::move(pending.back());
    pending.pop_back();
    const NodeId attributes = module_attributes(data, step.node);
    if (attributes == kNoNode) continue;
    std::string name = class_of(data, step.node);
    if (classes.insert(name).second) tree.classes.emplace_back(std::move(name), step.name);
    for (const auto& [key, value] : data.mapping(data.lookup(attributes, "_parameters"))) {
      if (!data.is(value, Type::none)) tree.tensors.emplace_back(dotted(step.name, key), value);
    }
    const std::set<std::string, std::less<>> skipped = not_persistent(data, attributes);
    for (const auto& [key, value] : data.mapping(data.lookup(attributes, "_buffers"))) {
      if (data.is(value, Type::none)) continue;
      const bool saved = skipped.count(data.text(key)) == 0;
      (saved ? tree.tensors : tree.others).emplace_back(dotted(step.name, key), value);
    }
    for (const auto& [key, value] : data.mapping(attributes)) {
      if (data.callable(value) == kNoNode || data.is_mapping(value)) continue;
      tree.others.emplace_back(dotted(step.name, key), value);
    }
    if (step.depth >= limits.pickle_depth) {
      fail_limit(subject, "modules are nested deeper than the limit of ", limits.pickle_depth);
    }
    const auto children = data.mapping(data.lookup(attributes, "_modules"));
    for (auto child = children.rbegin(); child != children.rend(); ++child) {
      pending.push_back({child->second, dotted(step.name, child->first), step.depth + 1});
    }
  }
  return tree;
}

}  // namespace ptrun::archive
