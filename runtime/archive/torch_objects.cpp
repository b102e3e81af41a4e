#include "archive/torch_objects.h"

#include "archive/torch_reader.h"

namespace ptrun::archive {

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
  // Nothing is read from an empty tensor, and its offset was not compared with anything.
  if (empty) tensor.offset = 0;
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
