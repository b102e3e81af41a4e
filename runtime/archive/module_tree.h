// torch.nn modules pickled whole, read as plain data (torch/nn/modules/module.py:Module.__getstate__).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "archive/pickle.h"

namespace ptrun::archive {

// True when node `id` is a pickled torch.nn.Module: an object whose state has _modules and _parameters.
bool is_module(const Pickle& data, NodeId id);
// The module's attributes as a mapping node, or kNoNode.
NodeId module_attributes(const Pickle& data, NodeId id);
// "torchvision.models.resnet.ResNet"; also for other objects. Empty when `id` is not an object.
std::string class_of(const Pickle& data, NodeId id);

struct ModuleTree {
  std::vector<std::pair<std::string, NodeId>> tensors;  // dotted name -> node, in state_dict() order
  // Buffers that state_dict() leaves out, and attributes that may be tensors: calls of any kind.
  std::vector<std::pair<std::string, NodeId>> others;
  std::vector<std::pair<std::string, std::string>> classes;  // class -> where it stands first, once each
};

// Walks the modules below `root` without recursion. A module used twice gives its names twice, as state_dict() does.
// Throws limit_exceeded when there are more names than `limits` allow.
ModuleTree walk_modules(const Pickle& data, NodeId root, const std::string& subject, const Limits& limits);

}  // namespace ptrun::archive
