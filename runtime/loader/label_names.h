// Class names out of JSON: what label files, sidecars and configurations of other tools have in common.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace ptrun {

inline constexpr std::size_t kMaxLabels = 1'000'000;

// In order of the index, from any of
//   ["cat", "dog"]   {"0": "cat", "1": "dog"}   {"cat": 0, "dog": 1}   {"0": ["n01440764", "tench"]} (Keras)
// or an object that holds one of these as id2label, label2id, names, label_names, class_names, classes, labels,
// idx_to_class or class_to_idx. `problem` says what is wrong with any other form, and the result is empty then.
std::vector<std::string> label_names(const nlohmann::json& value, std::string& problem);

}  // namespace ptrun
