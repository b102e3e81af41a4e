// The tree of a whole pickled module behind ptrun::PickledModule and ptrun::PickledValue.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "archive/tensor_file.h"
#include "archive/weight_table.h"
#include "ptrun/modules.h"

namespace ptrun {

struct ModuleSource {
  std::shared_ptr<const archive::TensorFile> file;
  archive::NodeId root = archive::kNoNode;
  WeightTable table;  // all dense tensors by their places in the tree
};

namespace archive {

// The tree below `root`, which is_module() holds for. Throws limit_exceeded for a tree with more names than the limit.
std::unique_ptr<const ModuleSource> read_module_tree(std::shared_ptr<const TensorFile> file, NodeId root);
PickledModule root_module(const ModuleSource& source);

// Every class of modules below `root` and where it stands first.
std::vector<std::pair<std::string, std::string>> module_classes(const ModuleSource& source);

}  // namespace archive
}  // namespace ptrun
