// Named weights found inside a file: which names, shapes and dtypes exist. The table behind ptrun::Weights.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "archive/tensor_file.h"
#include "ptrun/signature.h"

namespace ptrun {

// True for the names of running statistics and batch counts, which are no parameters.
bool names_statistic(std::string_view name);

class WeightTable {
 public:
  struct Entry {
    std::string name;
    DType dtype = DType::unknown;
    std::vector<std::int64_t> shape;
    std::size_t tensor = 0;  // index into TensorFile::tensors()
  };

  // Adds in file order. Throws bad_model for a name that is there already.
  void add(Entry entry);
  const std::vector<Entry>& entries() const noexcept { return entries_; }
  const Entry* find(std::string_view name) const;
  // True when `prefix` itself, or a name beginning with `prefix` + ".", exists.
  bool has_prefix(std::string_view prefix) const;
  // Indices, in file order, of the entries whose names begin with `prefix` + "."; all of them for an empty prefix.
  std::vector<std::size_t> below(std::string_view prefix) const;
  // Elements of all entries but statistics.
  std::int64_t parameters() const;

 private:
  std::vector<Entry> entries_;
  std::map<std::string, std::size_t, std::less<>> index_;  // sorted, so that a prefix is a range
};

namespace archive {

// The weights of a checkpoint, and how they were found.
struct FoundWeights {
  WeightTable table;
  std::string where;                      // "" for the file itself, "state_dict_ema", "model"
  NodeId node = kNoNode;                  // the dict or module that `where` names
  std::string stripped_prefix;            // "module."
  bool whole_module = false;              // taken out of a pickled module by its dotted names
  std::string module_class;               // of a whole module: "torchvision.models.resnet.ResNet"
  std::vector<std::string> classes;       // of a whole module: every class in it, once each
  std::vector<std::string> class_places;  // where each class stands first: "layer1.0", "" for the module itself
  std::vector<std::string> notes;         // what was ignored or preferred, one sentence each
};

// Finds the state_dict in a file: the object itself, or under the keys that timm, Lightning, ultralytics and others
// use (EMA weights first, as timm does); strips prefixes that all keys share. Throws bad_model naming the keys that
// were there when no weights are found.
FoundWeights find_weights(const TensorFile& file);

}  // namespace archive
}  // namespace ptrun
