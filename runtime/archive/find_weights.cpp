// Where checkpoints keep their weights, and under which prefixes.
#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "archive/fail.h"
#include "archive/module_tree.h"
#include "archive/weight_table.h"

namespace ptrun::archive {
namespace {

using Type = PickleNode::Type;

struct WeightKey {
  std::string_view name;
  bool ema = false;
};

// In order of preference. The first four are timm's (timm/models/_helpers.py:load_state_dict), then ultralytics,
// basicsr, Lightning, detectron2, GAN and distillation habits.
constexpr std::array kKeys = {
    WeightKey{"state_dict_ema", true},
    WeightKey{"model_ema", true},
    WeightKey{"ema_state_dict", true},
    WeightKey{"params_ema", true},
    WeightKey{"ema", true},
    WeightKey{"state_dict"},
    WeightKey{"model_state_dict"},
    WeightKey{"model"},
    WeightKey{"net"},
    WeightKey{"network"},
    WeightKey{"module"},
    WeightKey{"weights"},
    WeightKey{"params"},
    WeightKey{"generator"},
    WeightKey{"student"},
    WeightKey{"teacher"},
};

constexpr std::array<std::string_view, 8> kPrefixes = {"module.",   "_orig_mod.", "model.",     "net.",
                                                       "backbone.", "encoder.",   "encoder_q.", "network."};

// First parts of names under which averaged copies stand beside the network, in the habit of Lightning modules.
constexpr std::array<std::string_view, 5> kAveraged = {"ema_model.", "model_ema.", "ema_net.", "net_ema.", "ema."};

// What training keeps beside the network: losses with parameters, metrics, the counter of swa_utils.AveragedModel.
bool is_of_training(std::string_view name) {
  constexpr std::array<std::string_view, 3> kStarts = {"criterion", "loss", "metric"};
  const std::string_view first = name.substr(0, name.find('.'));
  if (name == "n_averaged" || first == "train_metrics" || first == "val_metrics" || first == "test_metrics")
    return true;
  return first.size() < name.size() && std::any_of(kStarts.begin(), kStarts.end(), [&](std::string_view start) {
           return first.substr(0, start.size()) == start;
         });
}

bool begins(const std::string& name, std::string_view prefix) {
  return name.size() > prefix.size() && name.compare(0, prefix.size(), prefix) == 0;
}

constexpr int kLevels = 4;  // a state_dict inside a dict inside a dict

class Finder {
 public:
  explicit Finder(const TensorFile& file) : file_(file), data_(file.data()) {}

  FoundWeights find() {
    found_.node = data_.root;
    for (int level = 0; !is_module(data_, found_.node); ++level) {
      const std::optional<std::pair<std::string, NodeId>> next =
          level < kLevels ? inner(found_.node) : std::optional<std::pair<std::string, NodeId>>();
      if (!next) break;
      found_.where += (found_.where.empty() ? "" : ".") + next->first;
      found_.node = next->second;
    }
    if (is_module(data_, found_.node)) {
      add_module();
    } else {
      add_mapping();
    }
    // A tree of pooling and activations has none and runs all the same.
    if (entries_.empty() && !found_.whole_module) refuse();
    if (!found_.whole_module) {
      drop_training();
      choose_averaged();
    }
    strip_prefixes();
    for (WeightTable::Entry& entry : entries_) found_.table.add(std::move(entry));
    return std::move(found_);
  }

 private:
  bool has_tensors(NodeId id) const {
    for (const auto& [key, value] : data_.mapping(id)) {
      if (data_.is(key, Type::text) && file_.tensor_at(value)) return true;
    }
    return false;
  }
  bool holds_weights(NodeId id) const { return is_module(data_, id) || has_tensors(id) || inner_key(id) != nullptr; }

  // The preferred usual key of a dict whose value has weights one level down.
  const WeightKey* inner_key(NodeId id) const {
    for (const WeightKey& key : kKeys) {
      const NodeId value = data_.lookup(id, key.name);
      if (value != kNoNode && (is_module(data_, value) || has_tensors(value))) return &key;
    }
    return nullptr;
  }

  // The next level down, or nothing when `id` is the state_dict itself.
  std::optional<std::pair<std::string, NodeId>> inner(NodeId id) {
    if (!data_.is_mapping(id)) return std::nullopt;
    const WeightKey* chosen = nullptr;
    for (const WeightKey& key : kKeys) {
      if (!holds_weights(data_.lookup(id, key.name))) continue;
      if (chosen == nullptr) {
        chosen = &key;
      } else if (chosen->ema && !key.ema) {
        found_.notes.push_back(
            text_of("EMA weights '", chosen->name, "' are used, not '", key.name, "', as timm does"));
        break;
      }
    }
    if (chosen != nullptr) return std::pair(std::string(chosen->name), data_.lookup(id, chosen->name));
    if (has_tensors(id)) return std::nullopt;
    return only_child(id);
  }

  // An unusual key is taken when nothing else in the dict could be meant.
  std::optional<std::pair<std::string, NodeId>> only_child(NodeId id) {
    std::optional<std::pair<std::string, NodeId>> only;
    for (const auto& [key, value] : data_.mapping(id)) {
      if (!data_.is(key, Type::text) || (!is_module(data_, value) && !has_tensors(value))) continue;
      if (only) return std::nullopt;
      only.emplace(printable(data_.text(key)), value);
    }
    if (only)
      found_.notes.push_back(
          text_of("weights are taken from key ", in_quotes(only->first), ", the only one that has any"));
    return only;
  }

  void add_entry(std::string name, std::size_t tensor) {
    const TensorInfo& info = file_.tensors()[tensor];
    const bool usable = info.layout == TensorLayout::strided || info.layout == TensorLayout::quantized_per_tensor ||
                        info.layout == TensorLayout::quantized_per_channel;
    if (!usable) {
      found_.notes.push_back(text_of("tensor ", in_quotes(name), " is ", to_string(info.layout), " and is left out"));
      return;
    }
    entries_.push_back({std::move(name), info.dtype, info.shape, tensor});
  }

  void add_mapping() {
    std::vector<std::string> ignored;
    std::vector<std::pair<NodeId, NodeId>> pairs = data_.mapping(found_.node);
    for (const auto& [key, value] : pairs) {
      const std::optional<std::size_t> tensor = file_.tensor_at(value);
      if (tensor && data_.is(key, Type::text)) {
        add_entry(std::string(data_.text(key)), *tensor);
      } else {
        ignored.push_back(in_quotes(data_.text(key)));
      }
    }
    if (!ignored.empty() && !entries_.empty()) {
      found_.notes.push_back(text_of("entries that are not tensors are ignored: ", join_some(ignored, 5)));
    }
  }

  void add_module() {
    found_.whole_module = true;
    found_.module_class = class_of(data_, found_.node);
    ModuleTree tree = walk_modules(data_, found_.node, file_.source().name(), file_.limits());
    for (auto& [name, node] : tree.tensors) {
      if (const std::optional<std::size_t> tensor = file_.tensor_at(node)) add_entry(std::move(name), *tensor);
    }
    for (auto& [name, where] : tree.classes) {
      found_.classes.push_back(std::move(name));
      found_.class_places.push_back(std::move(where));
    }
  }

  template <typename Holds>
  void remove_entries(Holds holds, const std::string& note) {
    std::vector<std::string> names;
    std::vector<WeightTable::Entry> kept;
    for (WeightTable::Entry& entry : entries_) {
      if (holds(entry.name)) {
        names.push_back(in_quotes(entry.name));
      } else {
        kept.push_back(std::move(entry));
      }
    }
    entries_ = std::move(kept);
    found_.notes.push_back(text_of(note, ": ", join_some(names, 5)));
  }

  bool all_others_begin_with(std::string_view prefix) const {
    return std::all_of(entries_.begin(), entries_.end(), [&](const WeightTable::Entry& entry) {
      return is_of_training(entry.name) || begins(entry.name, prefix);
    });
  }

  // Only where the rest has a wrapper's name in front: a network may call a layer of its own "loss".
  void drop_training() {
    const auto count = std::count_if(entries_.begin(), entries_.end(),
                                     [](const WeightTable::Entry& entry) { return is_of_training(entry.name); });
    if (count == 0 || static_cast<std::size_t>(count) == entries_.size()) return;
    if (std::any_of(kPrefixes.begin(), kPrefixes.end(), [&](auto prefix) { return all_others_begin_with(prefix); })) {
      remove_entries(is_of_training, "weights of the training itself are left out");
    }
  }

  // {model.x, ema_model.x}: the averaged copy is taken when it has a twin for every other weight.
  void choose_averaged() {
    for (const std::string_view averaged : kAveraged) {
      std::set<std::string_view> twins;
      std::set<std::string_view> others;
      for (const WeightTable::Entry& entry : entries_) {
        const std::string_view name = entry.name;
        const std::size_t dot = name.find('.');
        if (dot == std::string_view::npos) continue;
        (begins(entry.name, averaged) ? twins : others).insert(name.substr(dot + 1));
      }
      // EMA helpers keep the network under a name of their own, such as "module.".
      const auto has_twin = [&](std::string_view name) {
        return twins.count(name) != 0 || twins.count(text_of("module.", name)) != 0;
      };
      if (others.empty() || twins.size() < others.size() || !std::all_of(others.begin(), others.end(), has_twin))
        continue;
      remove_entries([&](const std::string& name) { return !begins(name, averaged); },
                     text_of("EMA weights '", averaged, "' are used, not their twins"));
      for (WeightTable::Entry& entry : entries_) entry.name.erase(0, averaged.size());
      found_.stripped_prefix += averaged;
      return;
    }
  }

  // Wrappers (DataParallel, torch.compile, Lightning) put their own name before every key.
  void strip_prefixes() {
    for (bool stripped = !entries_.empty(); stripped;) {
      stripped = false;
      for (const std::string_view prefix : kPrefixes) {
        const bool shared = std::all_of(entries_.begin(), entries_.end(),
                                        [&](const WeightTable::Entry& entry) { return begins(entry.name, prefix); });
        if (!shared) continue;
        for (WeightTable::Entry& entry : entries_) entry.name.erase(0, prefix.size());
        found_.stripped_prefix += prefix;
        stripped = true;
      }
    }
  }

  [[noreturn]] void refuse() const {
    const std::string& subject = file_.source().name();
    const NodeId root = data_.root;
    if (const std::optional<std::size_t> tensor = file_.tensor_at(root)) {
      std::vector<std::string> sizes;
      for (const std::int64_t size : file_.tensors()[*tensor].shape) sizes.push_back(std::to_string(size));
      fail_bad(subject, "holds one tensor [", join_some(sizes), "], expected named weights; save model.state_dict()");
    }
    std::vector<std::string> keys;
    for (const auto& [key, value] : data_.mapping(root)) keys.push_back(in_quotes(data_.text(key)));
    if (keys.empty()) {
      const std::string name = class_of(data_, root);
      fail_bad(subject, "holds ", name.empty() ? "a value" : "an object " + printable(name),
               " without named weights, expected a state_dict; save model.state_dict()");
    }
    fail_bad(subject, "no weights were found under the keys ", join_some(keys),
             ", expected a state_dict; save model.state_dict()");
  }

  const TensorFile& file_;
  const Pickle& data_;
  FoundWeights found_;
  std::vector<WeightTable::Entry> entries_;
};

}  // namespace

FoundWeights find_weights(const TensorFile& file) { return Finder(file).find(); }

}  // namespace ptrun::archive
