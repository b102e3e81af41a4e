// The functions by which torch.save pickles rebuild a tensor, in one table; none is ever called.
#include <array>

#include "archive/torch_reader.h"

namespace ptrun::archive {

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

}  // namespace ptrun::archive
