// A file of tensors and plain data: torch.save (zip and legacy) and safetensors behind one form.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "archive/kind.h"
#include "archive/limits.h"
#include "archive/pickle.h"
#include "archive/zip.h"
#include "ptrun/signature.h"

namespace ptrun::archive {

// Bytes that one or several tensors view. Checked: length is exactly what the file declares for it.
struct Storage {
  std::string key;             // "0", as the file names it
  DType dtype = DType::uint8;  // uint8 for an untyped storage
  std::uint64_t bytes = 0;
  std::string location;  // "cpu", "cuda:0": where it lived, for information
};

enum class TensorLayout { strided, quantized_per_tensor, quantized_per_channel, sparse, nested, meta };

// One tensor as written. Checked: rank, sizes, strides and offset lie inside its storage.
struct TensorInfo {
  std::size_t storage = 0;  // index into TensorFile::storages()
  DType dtype = DType::unknown;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;  // elements
  std::int64_t offset = 0;            // elements
  TensorLayout layout = TensorLayout::strided;
  bool conjugate = false;
  bool negative = false;
  double scale = 1.0;  // quantized_per_tensor
  std::int64_t zero_point = 0;
};

std::size_t item_size(DType dtype);                                  // bytes; 0 for unknown and sub-byte types
const char* to_string(DType dtype);                                  // "float32"
std::int64_t element_count(const std::vector<std::int64_t>& shape);  // overflow-checked by the reader before

// Immutable after open; any thread may read.
class TensorFile {
 public:
  virtual ~TensorFile() = default;
  // Opens torch_save_zip, torch_save_legacy or safetensors. Throws bad_model, limit_exceeded, or unsupported for
  // another kind.
  static std::shared_ptr<const TensorFile> open(std::shared_ptr<const ByteSource> source, Kind kind,
                                                const Limits& limits = {});

  virtual const ByteSource& source() const noexcept = 0;
  Kind kind() const noexcept { return kind_; }
  const std::vector<Storage>& storages() const noexcept { return storages_; }
  const std::vector<TensorInfo>& tensors() const noexcept { return tensors_; }
  // The object as plain data; tensors are found by their node. For safetensors a dict name -> tensor is made up.
  const Pickle& data() const noexcept { return data_; }
  // Index into tensors() of the tensor that node `id` (a rebuild call, Parameter or subclass) stands for.
  std::optional<std::size_t> tensor_at(NodeId id) const;
  // File facts for inspect: "format version", "byte order", safetensors metadata, ... (name, value) in order.
  const std::vector<std::pair<std::string, std::string>>& facts() const noexcept { return facts_; }

  // The storage's bytes in this machine's byte order, CRC checked where one is recorded, into `to`, which has exactly
  // storages()[index].bytes bytes. Throws bad_model.
  virtual void read_storage(std::size_t index, void* to) const = 0;

 protected:
  Kind kind_ = Kind::unknown;
  std::vector<Storage> storages_;
  std::vector<TensorInfo> tensors_;
  Pickle data_;
  std::unordered_map<NodeId, std::size_t> tensor_nodes_;
  std::vector<std::pair<std::string, std::string>> facts_;
};

}  // namespace ptrun::archive
