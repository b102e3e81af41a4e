// Pickle streams as plain data. Protocols 0 to 5; nothing is ever imported or called: a REDUCE becomes a node that
// names its callable. Opcodes: Python's pickletools.
#pragma once

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "archive/byte_source.h"
#include "archive/limits.h"

namespace ptrun::archive {

using NodeId = std::uint32_t;
inline constexpr NodeId kNoNode = 0xFFFFFFFFU;

// One value. Children are ids into Pickle, so a deep or cyclic value costs no recursion to destroy. Walk values with
// a list of your own, never by recursion, and mark what you have seen: lists and dicts may contain themselves.
struct PickleNode {
  enum class Type : std::uint8_t {
    none,
    boolean,
    integer,
    big_integer,  // over 64 bits; text: little-endian two's complement bytes
    real,
    text,
    bytes,  // bytes, bytearray
    tuple,
    list,
    set,
    frozen_set,
    dict,    // children: key, value, key, value, ... in order of insertion, later duplicates win
    global,  // text: "module\nname"; see Pickle::global_name
    reduce,  // children: callable, arguments tuple, state or kNoNode, then items (below)
    object,  // NEWOBJ: children: class, arguments tuple, state or kNoNode, keyword arguments or kNoNode, then items
    persistent_id,  // children: the id
    tensor,         // made up for a safetensors entry; found by TensorFile::tensor_at
  };
  // What was set on a reduce or object node after it was made (OrderedDict, subclasses of list).
  enum class Items : std::uint8_t { none, sequence, mapping };

  // A range of Pickle's bytes (or of its decoded texts).
  struct TextRange {
    std::uint32_t offset;
    std::uint32_t count;
  };

  Type type = Type::none;
  Items items = Items::none;
  bool decoded = false;     // the text stands in Pickle::decoded
  std::uint32_t depth = 0;  // 1 + the deepest child when the child was added
  union {
    std::int64_t integer = 0;  // boolean, integer
    double real;
    TextRange range;
  };
  std::vector<NodeId> children;
};

class Pickle {
 public:
  std::deque<PickleNode> nodes;
  std::string bytes;    // the stream
  std::string decoded;  // texts that do not stand in the stream as they are
  NodeId root = kNoNode;
  int protocol = 0;

  const PickleNode& operator[](NodeId id) const { return nodes.at(id); }
  bool is(NodeId id, PickleNode::Type type) const { return id < nodes.size() && nodes[id].type == type; }
  // The text of a text, bytes, global or big_integer node; empty for others and for kNoNode.
  std::string_view text(NodeId id) const;
  // "torch._utils._rebuild_tensor_v2" for a global node, with Python 2's module names as Python 3's; else empty.
  std::string global_name(NodeId id) const;
  // Parts of a reduce or object node; kNoNode when absent or another type.
  NodeId callable(NodeId id) const;   // reduce: what would be called; object: the class
  NodeId arguments(NodeId id) const;  // a tuple node, always
  NodeId state(NodeId id) const;      // what BUILD set
  // The name of callable(id) when that is a global, else empty.
  std::string callable_name(NodeId id) const;
  // Elements of a tuple, list, set or frozen_set, of set() and frozenset() written as a call, or sequence items of a
  // reduce or object node; else empty.
  std::vector<NodeId> sequence(NodeId id) const;
  // Keys and values of a dict, or of an OrderedDict, defaultdict, Counter or other mapping written as a call.
  std::vector<std::pair<NodeId, NodeId>> mapping(NodeId id) const;
  // True when mapping(id) means something, also when it is empty.
  bool is_mapping(NodeId id) const;
  // The value of text key `key` in mapping(id), or kNoNode. The last one of equal keys wins.
  NodeId lookup(NodeId id, std::string_view key) const;
};

// Reads one pickle from `source` between `offset` and `end` and leaves `offset` behind its STOP; reads no further than
// it must. `part` names the record in errors ("data.pkl"). Throws bad_model, unsupported or limit_exceeded.
Pickle read_pickle(const ByteSource& source, std::uint64_t& offset, std::uint64_t end, const std::string& part,
                   const Limits& limits = {});

// Reads `bytes`, which have to be exactly one pickle. `subject` names the file.
Pickle read_pickle(std::string bytes, const std::string& subject, const std::string& part, const Limits& limits = {});

}  // namespace ptrun::archive
