// Class names beside the weights of a checkpoint.
#include <array>

#include "archive/fail.h"
#include "archive/inspect_archive.h"
#include "archive/module_tree.h"

namespace ptrun::archive {
namespace {

using Type = PickleNode::Type;

constexpr std::size_t kMaxNames = 100'000;

// timm, torchvision's training recipes, ultralytics, mmcv and common habits.
constexpr std::array<std::string_view, 9> kKeys = {"classes",      "class_names",  "names",    "labels",     "CLASSES",
                                                   "idx_to_class", "class_to_idx", "id2label", "label_names"};

std::vector<std::string> from_sequence(const Pickle& data, NodeId id) {
  std::vector<std::string> names;
  for (const NodeId item : data.sequence(id)) {
    if (!data.is(item, Type::text) || names.size() >= kMaxNames) return {};
    names.emplace_back(data.text(item));
  }
  return names;
}

// {0: "cat"}, {"0": "cat"} or {"cat": 0}; every index from 0 has to be there once.
std::vector<std::string> from_mapping(const Pickle& data, NodeId id) {
  const auto pairs = data.mapping(id);
  if (pairs.size() > kMaxNames) return {};
  std::vector<std::string> names(pairs.size());
  std::vector<bool> seen(pairs.size(), false);
  for (const auto& [key, value] : pairs) {
    const bool by_index = data.is(key, Type::integer);
    const NodeId number = by_index ? key : value;
    const NodeId name = by_index ? value : key;
    if (!data.is(number, Type::integer) || !data.is(name, Type::text)) return {};
    const std::int64_t index = data[number].integer;
    if (index < 0 || static_cast<std::size_t>(index) >= names.size() || seen[static_cast<std::size_t>(index)]) {
      return {};
    }
    seen[static_cast<std::size_t>(index)] = true;
    names[static_cast<std::size_t>(index)] = data.text(name);
  }
  return names;
}

std::vector<std::string> below(const Pickle& data, NodeId mapping, std::string_view prefix, std::string& where) {
  for (const std::string_view key : kKeys) {
    const NodeId value = data.lookup(mapping, key);
    std::vector<std::string> names = data.is_mapping(value) ? from_mapping(data, value) : from_sequence(data, value);
    if (names.empty()) continue;
    where = text_of(prefix, key);
    return names;
  }
  return {};
}

}  // namespace

std::vector<std::string> find_class_names(const Pickle& data, NodeId module, std::string& where) {
  std::vector<std::string> names = below(data, data.root, "", where);
  for (const char* inner : {"meta", "dataset_meta", "hyper_parameters", "config"}) {
    if (!names.empty()) return names;
    names = below(data, data.lookup(data.root, inner), text_of(inner, '.'), where);
  }
  if (names.empty() && is_module(data, module)) names = below(data, module_attributes(data, module), "model.", where);
  return names;
}

}  // namespace ptrun::archive
