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
constexpr std::array<std::string_view, 12> kKeys = {"classes",     "class_names",  "names",        "labels",
                                                    "CLASSES",     "idx_to_class", "class_to_idx", "id2label",
                                                    "label_names", "idx2label",    "label2id",     "classnames"};

// Where trainers put their settings: mmcv and mmengine, Lightning, ultralytics, argparse habits.
constexpr std::array<std::array<std::string_view, 2>, 12> kPlaces = {{{"meta", ""},
                                                                      {"meta", "dataset_meta"},
                                                                      {"dataset_meta", ""},
                                                                      {"hyper_parameters", ""},
                                                                      {"datamodule_hyper_parameters", ""},
                                                                      {"hparams", ""},
                                                                      {"config", ""},
                                                                      {"cfg", ""},
                                                                      {"args", ""},
                                                                      {"opt", ""},
                                                                      {"train_args", ""},
                                                                      {"metadata", ""}}};

// The fields of a dict, or of an object such as argparse.Namespace.
NodeId fields_of(const Pickle& data, NodeId id) { return data.is_mapping(id) ? id : data.state(id); }

// 3 or "3"; -1 for anything else.
std::int64_t index_of(const Pickle& data, NodeId id) {
  constexpr std::size_t kDigits = 7;
  if (data.is(id, Type::integer)) return data[id].integer;
  const std::string_view text = data.is(id, Type::text) ? data.text(id) : std::string_view();
  if (text.empty() || text.size() > kDigits) return -1;
  std::int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

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
    const bool by_name = data.is(value, Type::integer);
    const NodeId name = by_name ? key : value;
    if (!data.is(name, Type::text)) return {};
    const std::int64_t index = index_of(data, by_name ? value : key);
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
  for (const auto& [outer, inner] : kPlaces) {
    if (!names.empty()) return names;
    NodeId place = fields_of(data, data.lookup(data.root, outer));
    std::string prefix = text_of(outer, '.');
    if (!inner.empty()) {
      place = fields_of(data, data.lookup(place, inner));
      prefix += text_of(inner, '.');
    }
    names = below(data, place, prefix, where);
  }
  if (names.empty() && is_module(data, module)) names = below(data, module_attributes(data, module), "model.", where);
  return names;
}

}  // namespace ptrun::archive
