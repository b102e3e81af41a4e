// Pickle streams as plain data. Protocols 2 to 5; nothing is ever imported or called: a REDUCE becomes a node that
// names its callable. Opcodes: Python's pickletools.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "archive/limits.h"

namespace ptrun::archive {

using NodeId = std::uint32_t;
inline constexpr NodeId kNoNode = 0xFFFFFFFFU;

// One value. Children are ids into Pickle::nodes, so a deep or cyclic value costs no recursion to destroy.
struct PickleNode {
  enum class Type {
    none,
    boolean,
    integer,
    big_integer,  // text: little-endian two's complement bytes
    real,
    text,
    bytes,
    tuple,
    list,
    set,
    frozen_set,
    dict,           // children: key, value, key, value, ... in order of insertion, later duplicates win
    global,         // text: "module name" joined by a newline, module first
    reduce,         // children: callable, arguments tuple, then state when BUILD followed (else kNoNode)
    object,         // NEWOBJ: children: class, arguments tuple, keyword arguments or kNoNode, state or kNoNode
    persistent_id,  // children: the id
  };
  Type type = Type::none;
  std::int64_t integer = 0;  // boolean, integer
  double real = 0.0;
  std::string text;
  std::vector<NodeId> children;
  // Items set on a reduce or object node after it was made (OrderedDict, list subclasses): for a mapping key, value,
  // ...; for a sequence the items.
  std::vector<NodeId> items;
};

struct Pickle {
  std::vector<PickleNode> nodes;
  NodeId root = kNoNode;
  int protocol = 0;

  const PickleNode& operator[](NodeId id) const { return nodes.at(id); }
  // "torch._utils._rebuild_tensor_v2" for a global node; empty for others.
  std::string global_name(NodeId id) const;
  // Key/value children of a dict, or of an OrderedDict, defaultdict or Counter written as reduce; else empty.
  const std::vector<NodeId>* mapping(NodeId id) const;
  // The value of text key `key` in mapping(id), or kNoNode.
  NodeId lookup(NodeId id, std::string_view key) const;
};

// Reads one pickle from `bytes` at `offset`, and leaves `offset` behind its STOP. `subject` names the file and record
// in errors. Throws bad_model or limit_exceeded.
Pickle read_pickle(std::string_view bytes, std::size_t& offset, const std::string& subject, const Limits& limits = {});

}  // namespace ptrun::archive
