#include "loader/label_names.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/text.h"

namespace ptrun {
namespace {

using nlohmann::json;

constexpr std::size_t kIndexDigits = 7;

// Hugging Face, ultralytics, timm, torchvision's ImageFolder and habit.
constexpr std::array<const char*, 9> kKeys = {"id2label", "label2id", "names",        "label_names", "class_names",
                                              "classes",  "labels",   "idx_to_class", "class_to_idx"};

constexpr const char* kForms = R"(; write {"0": "name"} or ["name"])";

// The name in `value`: text, or Keras' pair ["n01440764", "tench"]. Null for anything else.
const std::string* name_in(const json& value) {
  const json& name = value.is_array() && value.size() == 2 ? value[1] : value;
  return name.get_ptr<const json::string_t*>();
}

std::size_t index_in(const std::string& key) {
  const bool digits = !key.empty() && key.size() <= kIndexDigits &&
                      std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; });
  return digits ? std::stoul(key) : kMaxLabels;
}

std::vector<std::string> from_list(const json& list, std::string& problem) {
  std::vector<std::string> names;
  for (const json& value : list) {
    const std::string* name = name_in(value);
    if (name == nullptr) {
      problem = "label " + std::to_string(names.size()) + " is not text" + kForms;
      return {};
    }
    names.push_back(*name);
  }
  return names;
}

std::vector<std::string> from_object(const json& object, std::string& problem) {
  std::vector<std::string> names(object.size());
  std::vector<bool> seen(object.size());
  for (const auto& [key, value] : object.items()) {
    const bool by_name = value.is_number_unsigned();
    const std::size_t index = by_name ? value.get<std::size_t>() : index_in(key);
    if (index >= names.size() || seen[index]) {
      problem = "label key " + printable(by_name ? value.dump() : key) + " is not one of 0 to " +
                std::to_string(names.size() - 1) + ", each once; keys are class indices";
      return {};
    }
    const std::string* name = by_name ? &key : name_in(value);
    if (name == nullptr) {
      problem = "label " + key + " is not text" + kForms;
      return {};
    }
    seen[index] = true;
    names[index] = *name;
  }
  return names;
}

}  // namespace

std::vector<std::string> label_names(const json& value, std::string& problem) {
  const auto names_in = [&](const json& names) {
    if (names.size() <= kMaxLabels) return names.is_array() ? from_list(names, problem) : from_object(names, problem);
    problem = "holds more than a million labels";
    return std::vector<std::string>();
  };
  if (value.is_array()) return names_in(value);
  if (!value.is_object()) {
    problem = std::string("labels are neither a list nor an object of names") + kForms;
    return {};
  }
  for (const char* key : kKeys) {
    const auto found = value.find(key);
    if (found == value.end() || !found->is_structured()) continue;
    return names_in(*found);
  }
  return names_in(value);
}

}  // namespace ptrun
