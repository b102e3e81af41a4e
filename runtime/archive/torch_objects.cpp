#include "archive/torch_objects.h"

#include <algorithm>
#include <array>

#include "archive/dtypes.h"
#include "archive/fail.h"

namespace ptrun::archive {
namespace {

using Type = PickleNode::Type;

constexpr std::size_t kKeyDigits = 20;
constexpr int kTypeWrappers = 16;  // _rebuild_from_type_v2 inside itself

// A storage as one persistent id sees it: the whole, or the view that old files describe.
struct StorageRef {
  std::size_t storage = kNoStorage;
  std::uint64_t first_byte = 0;
  std::uint64_t bytes = 0;
};

class TorchReader {
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

// ('storage', class, key, location, element count[, view]) or, in old whole modules, ('module', class, file, text).
void TorchReader::read_persistent_id(NodeId id) {
  const NodeId tuple = data_[id].children[0];
  if (!data_.is(tuple, Type::tuple)) bad("a persistent id is not a tuple");
  const Arguments& parts = data_[tuple].children;
  const std::string_view word = parts.empty() ? std::string_view() : data_.text(parts[0]);
  if (word == "module" && parts.size() == 4) return;
  if (word != "storage" || parts.size() < 5 || parts.size() > 6) {
    bad("a persistent id ", in_quotes(word), " with ", parts.size(), " parts, expected 'storage' with 5");
  }
  StorageRef ref;
  ref.storage = storage_index(id, parts);
  ref.bytes = objects_.storages[ref.storage].bytes;
  if (parts.size() == 6 && !data_.is(parts[5], Type::none)) {
    const Arguments& view = data_[parts[5]].children;
    if (!data_.is(parts[5], Type::tuple) || view.size() != 3) bad("a storage view is not a tuple of 3");
    const std::uint64_t item = item_size(objects_.storages[ref.storage].dtype);
    std::uint64_t end = 0;
    if (!multiply(count(view[1], "a view's offset"), item, ref.first_byte) ||
        !multiply(count(view[2], "a view's size"), item, ref.bytes) || !add(ref.first_byte, ref.bytes, end) ||
        end > objects_.storages[ref.storage].bytes) {
      bad("a storage view reaches outside its storage");
    }
  }
  refs_.emplace(id, ref);
}

std::size_t TorchReader::storage_index(NodeId id, const Arguments& parts) {
  static_cast<void>(id);
  std::string name = data_.global_name(parts[1]);
  const std::size_t dot = name.rfind('.');
  const std::string module = dot == std::string::npos ? std::string() : name.substr(0, dot);
  const DType dtype = storage_dtype_named(dot == std::string::npos ? name : name.substr(dot + 1));
  if ((module != "torch" && module != "torch.storage" && module != "torch.cuda") || dtype == DType::unknown) {
    bad("storage class ", in_quotes(name), " is not known");
  }
  Storage storage;
  storage.key = digits(parts[2], "storage key");
  storage.dtype = dtype;
  storage.location = data_.text(parts[3]);
  if (!multiply(count(parts[4], "a storage's element count"), item_size(dtype), storage.bytes)) {
    bad("storage ", storage.key, " claims more bytes than 64 bits count");
  }
  const bool untyped = name.find("UntypedStorage") != std::string::npos;
  const auto [known, fresh] = objects_.by_key.emplace(storage.key, objects_.storages.size());
  if (!fresh) {
    const Storage& first = objects_.storages[known->second];
    if (first.bytes != storage.bytes) {
      bad("storage ", storage.key, " has ", first.bytes, " bytes in one place and ", storage.bytes, " in another");
    }
    if (first.dtype != dtype) note_swap(known->second, dtype);
    return known->second;
  }
  if (!add(total_bytes_, storage.bytes, total_bytes_) || total_bytes_ > limits_.tensor_total_bytes) {
    fail_limit(subject_, part_, ": the tensors take more than the limit of ", limits_.tensor_total_bytes, " bytes");
  }
  objects_.storages.push_back(std::move(storage));
  objects_.swap.push_back(untyped ? 0 : info(dtype).swap);
  untyped_.push_back(untyped);
  return known->second;
}

// The first dtype seen decides how an untyped storage swaps.
void TorchReader::note_swap(std::size_t storage, DType dtype) {
  std::uint8_t& unit = objects_.swap[storage];
  if (unit == 0) unit = info(dtype).swap;
  if (unit != info(dtype).swap) unit = kMixedSwap;
}

StorageRef TorchReader::storage_at(NodeId id) const {
  const auto found = refs_.find(id);
  if (found == refs_.end()) bad("a tensor is built from something that is not a storage");
  return found->second;
}

std::size_t TorchReader::tensor_of(NodeId id, const char* what) const {
  const auto found = objects_.tensor_nodes.find(id);
  if (found == objects_.tensor_nodes.end()) bad(what, " is not a tensor");
  return found->second;
}

DType TorchReader::dtype_at(NodeId id) const {
  const std::string name = data_.global_name(id);
  constexpr std::string_view kModule = "torch.";
  const DType dtype =
      name.rfind(kModule, 0) == 0 ? dtype_named(std::string_view(name).substr(kModule.size())) : DType::unknown;
  if (dtype == DType::unknown) bad("dtype ", in_quotes(name), " is not known");
  return dtype;
}

void TorchReader::keep(NodeId id, TensorInfo tensor) {
  if (data_[id].items != PickleNode::Items::none) bad("a tensor is used as a list or a dict");
  objects_.tensor_nodes.emplace(id, objects_.tensors.size());
  objects_.tensors.push_back(std::move(tensor));
}

// Sizes, strides and offset lie inside the storage; what repeats elements is bounded in sum.
void TorchReader::check_inside(TensorInfo& tensor, const StorageRef& ref) {
  if (tensor.shape.size() != tensor.strides.size()) {
    bad("a tensor has ", tensor.shape.size(), " sizes and ", tensor.strides.size(), " strides");
  }
  const DTypeInfo& type = info(tensor.dtype);
  std::uint64_t elements = 1;
  std::uint64_t last = 0;  // index of the last element reached, from the offset
  bool fits = true;
  const bool empty = std::find(tensor.shape.begin(), tensor.shape.end(), 0) != tensor.shape.end();
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    const auto size = static_cast<std::uint64_t>(tensor.shape[i]);
    std::uint64_t reach = 0;
    if (size != 0) fits = fits && multiply(elements, size, elements);
    if (!empty) {
      fits = fits && multiply(size - 1, static_cast<std::uint64_t>(tensor.strides[i]), reach) && add(last, reach, last);
    }
  }
  std::uint64_t end = 0;
  std::uint64_t bits = 0;
  std::uint64_t bytes = 0;
  fits = fits && multiply(elements, type.bits, bytes);
  if (fits && !empty) {
    fits = add(last, static_cast<std::uint64_t>(tensor.offset), end) && add(end, 1, end) &&
           multiply(end, type.bits, bits) && (bits - 1) / 8 < ref.bytes;
  }
  if (!fits) {
    bad("a tensor's sizes, strides and offset reach outside its storage ", objects_.storages[ref.storage].key, " of ",
        ref.bytes, " bytes");
  }
  bytes /= 8;
  if (!empty && bytes > ref.bytes) {
    if (!add(expanded_bytes_, bytes, expanded_bytes_) || expanded_bytes_ > limits_.expanded_bytes) {
      fail_limit(subject_, part_,
                 ": tensors that repeat elements of a smaller storage expand to more than the limit of ",
                 limits_.expanded_bytes, " bytes");
    }
  }
  if (ref.first_byte != 0) {
    const std::uint64_t item = std::max<std::uint64_t>(type.bytes, 1);
    if (ref.first_byte % item != 0) bad("a storage view does not begin at an element");
    tensor.offset += static_cast<std::int64_t>(ref.first_byte / item);
  }
}

// (storage, offset, size, stride, ...)
TensorInfo TorchReader::strided(const Arguments& arguments, DType dtype) {
  const StorageRef ref = storage_at(arguments[0]);
  TensorInfo tensor;
  tensor.storage = ref.storage;
  tensor.dtype = dtype == DType::unknown ? objects_.storages[ref.storage].dtype : dtype;
  tensor.offset = static_cast<std::int64_t>(count(arguments[1], "a tensor's offset"));
  tensor.shape = dimensions(arguments[2], "size");
  tensor.strides = dimensions(arguments[3], "stride");
  check_inside(tensor, ref);
  return tensor;
}

void TorchReader::read_metadata(NodeId id, TensorInfo& tensor) const {
  const auto flag = [&](const char* name) {
    const NodeId value = data_.lookup(id, name);
    return data_.is(value, Type::boolean) && data_[value].integer != 0;
  };
  tensor.conjugate = flag("conj");
  tensor.negative = flag("neg");
}

// _rebuild_tensor, _rebuild_tensor_v2: the dtype is that of the storage class, also when the storage is used twice.
void TorchReader::rebuild_v2(NodeId id, const Arguments& arguments) {
  const NodeId tuple = data_.is(arguments[0], Type::persistent_id) ? data_[arguments[0]].children[0] : kNoNode;
  DType dtype = DType::unknown;
  if (tuple != kNoNode && refs_.count(arguments[0]) != 0) {
    const std::string name = data_.global_name(data_[tuple].children[1]);
    dtype = storage_dtype_named(std::string_view(name).substr(name.rfind('.') + 1));
  }
  TensorInfo tensor = strided(arguments, dtype);
  if (arguments.size() > 6) read_metadata(arguments[6], tensor);
  keep(id, std::move(tensor));
}

void TorchReader::rebuild_v3(NodeId id, const Arguments& arguments) {
  TensorInfo tensor = strided(arguments, dtype_at(arguments[6]));
  if (untyped_[tensor.storage]) note_swap(tensor.storage, tensor.dtype);
  if (arguments.size() > 7) read_metadata(arguments[7], tensor);
  keep(id, std::move(tensor));
}

// Parameter and friends: the tensor in the first argument. What only its Python class can read stays without one.
void TorchReader::rebuild_alias(NodeId id, const Arguments& arguments) {
  if (arguments.empty()) return;
  const auto found = objects_.tensor_nodes.find(arguments[0]);
  if (found == objects_.tensor_nodes.end()) return;
  const std::size_t tensor = found->second;
  objects_.tensor_nodes.emplace(id, tensor);
}

// One scale and one zero point a channel, as two tensors or, before PyTorch 1.5, as two lists.
void TorchReader::read_channels(NodeId scales, NodeId zero_points, TensorInfo& tensor) const {
  const auto channels = static_cast<std::size_t>(tensor.shape[static_cast<std::size_t>(tensor.axis)]);
  bool equal = false;
  if (data_.is(scales, Type::list) && data_.is(zero_points, Type::list)) {
    for (const NodeId value : data_[scales].children) tensor.scale_values.push_back(real(value, "a scale"));
    for (const NodeId value : data_[zero_points].children) {
      tensor.zero_point_values.push_back(integer(value, "a zero point"));
    }
    equal = tensor.scale_values.size() == channels && tensor.zero_point_values.size() == channels;
  } else {
    tensor.scales = tensor_of(scales, "a quantizer's scales");
    tensor.zero_points = tensor_of(zero_points, "a quantizer's zero points");
    const std::vector<std::int64_t> shape{static_cast<std::int64_t>(channels)};
    equal = objects_.tensors[tensor.scales].shape == shape && objects_.tensors[tensor.zero_points].shape == shape;
  }
  if (!equal) bad("a quantizer has another number of scales than the tensor has channels");
}

void TorchReader::read_quantizer(NodeId id, TensorInfo& tensor) const {
  if (!data_.is(id, Type::tuple)) bad("a quantized tensor has no quantizer");
  const Arguments& parts = data_[id].children;
  const std::string scheme = parts.empty() ? std::string() : data_.global_name(parts[0]);
  if (scheme == "torch.per_tensor_affine" && parts.size() == 3) {
    tensor.layout = TensorLayout::quantized_per_tensor;
    tensor.scale = real(parts[1], "a quantizer's scale");
    tensor.zero_point = integer(parts[2], "a quantizer's zero point");
  } else if ((scheme == "torch.per_channel_affine" || scheme == "torch.per_channel_affine_float_qparams") &&
             parts.size() == 4) {
    tensor.layout = TensorLayout::quantized_per_channel;
    tensor.axis = integer(parts[3], "a quantizer's axis");
    if (tensor.axis < 0 || static_cast<std::size_t>(tensor.axis) >= tensor.shape.size()) {
      bad("a quantizer's axis ", tensor.axis, " is outside the tensor");
    }
    read_channels(parts[1], parts[2], tensor);
  } else {
    bad("quantizer ", in_quotes(scheme), " is not known");
  }
}

void TorchReader::rebuild_quantized(NodeId id, const Arguments& arguments) {
  TensorInfo tensor = strided(arguments, DType::unknown);
  read_quantizer(arguments[4], tensor);
  keep(id, std::move(tensor));
}

// (layout, (indices, values, size[, coalesced])) for COO, (layout, (compressed, plain, values, size)) for the others.
void TorchReader::rebuild_sparse(NodeId id, const Arguments& arguments) {
  const NodeId layout_arguments = data_.arguments(arguments[0]);
  const std::string_view layout = layout_arguments != kNoNode && !data_[layout_arguments].children.empty()
                                      ? data_.text(data_[layout_arguments].children[0])
                                      : std::string_view();
  const Arguments parts = data_.sequence(arguments[1]);
  const std::size_t values_at = layout == "torch.sparse_coo" ? 1 : 2;
  if (layout.empty() || parts.size() < values_at + 2) bad("a sparse tensor lacks its layout, values or size");
  TensorInfo tensor;
  const TensorInfo& values = objects_.tensors[tensor_of(parts[values_at], "a sparse tensor's values")];
  tensor.storage = values.storage;
  tensor.dtype = values.dtype;
  tensor.shape = dimensions(parts[values_at + 1], "size");
  tensor.layout = TensorLayout::sparse;
  tensor.what = printable(layout);
  keep(id, std::move(tensor));
}

void TorchReader::rebuild_nested(NodeId id, const Arguments& arguments) {
  const TensorInfo& buffer = objects_.tensors[tensor_of(arguments[0], "a nested tensor's buffer")];
  TensorInfo tensor;
  tensor.storage = buffer.storage;
  tensor.dtype = buffer.dtype;
  tensor.layout = TensorLayout::nested;
  tensor.what = "nested";
  keep(id, std::move(tensor));
}

void TorchReader::rebuild_meta(NodeId id, const Arguments& arguments) {
  TensorInfo tensor;
  tensor.dtype = dtype_at(arguments[0]);
  tensor.shape = dimensions(arguments[1], "size");
  tensor.strides = dimensions(arguments[2], "stride");
  tensor.layout = TensorLayout::meta;
  tensor.what = "meta";
  keep(id, std::move(tensor));
}

// (class, dtype, size, ...)
void TorchReader::rebuild_subclass(NodeId id, const Arguments& arguments) {
  TensorInfo tensor;
  tensor.dtype = dtype_at(arguments[1]);
  tensor.shape = dimensions(arguments[2], "size");
  tensor.layout = TensorLayout::opaque;
  tensor.what = printable(data_.global_name(arguments[0]));
  keep(id, std::move(tensor));
}

void TorchReader::rebuild_numpy(NodeId id, const Arguments& arguments) {
  TensorInfo tensor;
  tensor.dtype = dtype_at(arguments[1]);
  tensor.layout = TensorLayout::opaque;
  tensor.what = "a NumPy array";
  keep(id, std::move(tensor));
}

bool TorchReader::read_rebuild(NodeId id, std::string_view name, const Arguments& arguments) {
  static constexpr std::array<Rebuild, 16> kRebuilds = {{
      {"torch._utils._rebuild_tensor", 4, 4, &TorchReader::rebuild_v2},
      {"torch._utils._rebuild_tensor_v2", 6, 7, &TorchReader::rebuild_v2},
      {"torch._utils._rebuild_tensor_v3", 7, 8, &TorchReader::rebuild_v3},
      {"torch._utils._rebuild_parameter", 2, 3, &TorchReader::rebuild_alias},
      {"torch._utils._rebuild_parameter_with_state", 3, 4, &TorchReader::rebuild_alias},
      {"torch.nn.parameter.Parameter", 0, 2, &TorchReader::rebuild_alias},
      {"torch.nn.parameter.Buffer", 0, 2, &TorchReader::rebuild_alias},
      {"torch.autograd.variable.Variable", 0, 2, &TorchReader::rebuild_alias},
      {"torch._utils._rebuild_qtensor", 7, 7, &TorchReader::rebuild_quantized},
      {"torch._utils._rebuild_sparse_tensor", 2, 2, &TorchReader::rebuild_sparse},
      {"torch._utils._rebuild_sparse_csr_tensor", 2, 2, &TorchReader::rebuild_sparse},
      {"torch._utils._rebuild_nested_tensor", 4, 4, &TorchReader::rebuild_nested},
      {"torch._utils._rebuild_meta_tensor_no_storage", 4, 4, &TorchReader::rebuild_meta},
      {"torch._utils._rebuild_wrapper_subclass", 8, 8, &TorchReader::rebuild_subclass},
      {"torch._utils._rebuild_device_tensor_from_numpy", 4, 4, &TorchReader::rebuild_numpy},
      {"torch._utils._rebuild_device_tensor_from_cpu_tensor", 4, 4, &TorchReader::rebuild_alias},
  }};
  for (const Rebuild& row : kRebuilds) {
    if (row.name != name) continue;
    if (arguments.size() < row.minimum || arguments.size() > row.maximum) {
      bad(name, " has ", arguments.size(), " arguments, expected ", row.minimum, " to ", row.maximum);
    }
    (this->*row.read)(id, arguments);
    return true;
  }
  return false;
}

void TorchReader::read_call(NodeId id) {
  std::string name = data_.callable_name(id);
  if (name.rfind("torch.", 0) != 0) return;
  Arguments arguments = data_[data_.arguments(id)].children;
  // A tensor subclass: (function, class, arguments, attributes); the class and its attributes are Python's.
  for (int depth = 0; name == "torch._tensor._rebuild_from_type_v2" || name == "torch._tensor._rebuild_from_type";
       ++depth) {
    if (depth == kTypeWrappers || arguments.size() < 3 || !data_.is(arguments[2], Type::tuple)) {
      bad(name, " does not hold a function and its arguments");
    }
    name = data_.global_name(arguments[0]);
    arguments = Arguments(data_[arguments[2]].children);
  }
  if (!read_rebuild(id, name, arguments) && name.rfind("torch._utils._rebuild", 0) == 0) {
    fail(ErrorCode::unsupported, subject_, part_, ": a tensor is written by ", in_quotes(name),
         ", which this version does not know; save plain tensors with torch.save(model.state_dict(), ...)");
  }
}

}  // namespace

TorchObjects read_torch_objects(const Pickle& data, const std::string& subject, const std::string& part,
                                const Limits& limits) {
  return TorchReader(data, subject, part, limits).run();
}

void swap_bytes(void* data, std::uint64_t bytes, std::size_t unit) {
  if (unit < 2) return;
  auto* at = static_cast<unsigned char*>(data);
  for (std::uint64_t i = 0; i + unit <= bytes; i += unit) std::reverse(at + i, at + i + unit);
}

}  // namespace ptrun::archive
