// Finds storages and tensors in a torch.save pickle, one pass over its nodes. For torch_objects.cpp and
// torch_rebuild.cpp only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "archive/dtypes.h"
#include "archive/fail.h"
#include "archive/torch_objects.h"

namespace ptrun::archive {

inline constexpr std::size_t kKeyDigits = 20;
inline constexpr int kTypeWrappers = 16;  // _rebuild_from_type_v2 inside itself

// A storage as one persistent id sees it: the whole, or the view that old files describe.
struct StorageRef {
  std::size_t storage = kNoStorage;
  std::uint64_t first_byte = 0;
  std::uint64_t bytes = 0;
};

class TorchReader {
  using Type = PickleNode::Type;

 public:
  TorchReader(const Pickle& data, const std::string& subject, const std::string& part, const Limits& limits)
      : data_(data), subject_(subject), part_(part), limits_(limits) {}

  // Arguments are made before the call that takes them, so one pass in order meets every tensor before its users.
  TorchObjects run() {
    for (NodeId id = 0; id < data_.nodes.size(); ++id) {
      const Type type = data_[id].type;
      if (type == Type::persistent_id) read_persistent_id(id);
      if (type == Type::reduce || type == Type::object) read_call(id);
    }
    return std::move(objects_);
  }

 private:
  template <typename... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    fail_bad(subject_, part_, ": ", parts..., "; the file is damaged or made to do harm, get it again from its author");
  }

  struct Rebuild;
  using Arguments = std::vector<NodeId>;

  std::int64_t integer(NodeId id, const char* what) const {
    if (!data_.is(id, Type::integer)) bad(what, " is not an integer");
    return data_[id].integer;
  }
  std::uint64_t count(NodeId id, const char* what) const {
    const std::int64_t value = integer(id, what);
    if (value < 0) bad(what, " of ", value, " is negative");
    return static_cast<std::uint64_t>(value);
  }
  double real(NodeId id, const char* what) const {
    if (data_.is(id, Type::integer)) return static_cast<double>(data_[id].integer);
    if (!data_.is(id, Type::real)) bad(what, " is not a number");
    return data_[id].real;
  }
  std::vector<std::int64_t> dimensions(NodeId id, const char* what) const {
    if (!data_.is(id, Type::tuple) && !data_.is(id, Type::list) && !data_.is(id, Type::reduce)) {
      bad("a tensor's ", what, " is not a tuple");
    }
    const std::vector<NodeId> parts = data_.sequence(id);
    if (parts.size() > limits_.tensor_dimensions) {
      fail_limit(subject_, part_, ": a tensor of ", parts.size(), " dimensions, the limit is ",
                 limits_.tensor_dimensions);
    }
    std::vector<std::int64_t> values;
    values.reserve(parts.size());
    for (const NodeId part : parts) values.push_back(static_cast<std::int64_t>(count(part, what)));
    return values;
  }
  std::string digits(NodeId id, const char* what) const {
    const std::string_view text = data_.text(id);
    const bool plain = !text.empty() && text.size() <= kKeyDigits &&
                       std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    // A key becomes a record name, so nothing but digits may reach it.
    if (!plain) bad(what, " ", in_quotes(text), " is not made of digits");
    return std::string(text);
  }

  void read_persistent_id(NodeId id);
  std::size_t storage_index(NodeId id, const Arguments& parts);
  void read_call(NodeId id);
  bool read_rebuild(NodeId id, std::string_view name, const Arguments& arguments);
  StorageRef storage_at(NodeId id) const;
  std::size_t tensor_of(NodeId id, const char* what) const;
  TensorInfo strided(const Arguments& arguments, DType dtype);
  void check_inside(TensorInfo& tensor, const StorageRef& ref);
  void note_swap(std::size_t storage, DType dtype);
  void read_metadata(NodeId id, TensorInfo& tensor) const;
  void read_quantizer(NodeId id, TensorInfo& tensor) const;
  void read_channels(NodeId scales, NodeId zero_points, TensorInfo& tensor) const;
  DType dtype_at(NodeId id) const;
  void keep(NodeId id, TensorInfo tensor);

  void rebuild_v2(NodeId id, const Arguments& arguments);
  void rebuild_v3(NodeId id, const Arguments& arguments);
  void rebuild_alias(NodeId id, const Arguments& arguments);
  void rebuild_quantized(NodeId id, const Arguments& arguments);
  void rebuild_sparse(NodeId id, const Arguments& arguments);
  void rebuild_nested(NodeId id, const Arguments& arguments);
  void rebuild_meta(NodeId id, const Arguments& arguments);
  void rebuild_subclass(NodeId id, const Arguments& arguments);
  void rebuild_numpy(NodeId id, const Arguments& arguments);

  const Pickle& data_;
  const std::string& subject_;
  const std::string& part_;
  const Limits& limits_;
  TorchObjects objects_;
  std::unordered_map<NodeId, StorageRef> refs_;
  std::vector<bool> untyped_;
  std::uint64_t total_bytes_ = 0;
  std::uint64_t expanded_bytes_ = 0;
};

struct TorchReader::Rebuild {
  std::string_view name;
  std::size_t minimum;
  std::size_t maximum;
  void (TorchReader::*read)(NodeId id, const Arguments& arguments);
};

}  // namespace ptrun::archive
