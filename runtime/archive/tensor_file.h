// A file of tensors and plain data: torch.save (zip and legacy) and safetensors behind one form.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "archive/kind.h"
#include "archive/limits.h"
#include "archive/pickle.h"
#include "archive/zip.h"
#include "ptrun/signature.h"

namespace ptrun::archive {

// Bytes that one or several tensors view. Checked: length is exactly what the file declares for it.
struct Storage {
  std::string key;             // "0", as the file names it; the tensor's name in safetensors
  DType dtype = DType::uint8;  // uint8 for an untyped storage
  std::uint64_t bytes = 0;
  std::string location;  // "cpu", "cuda:0": where it lived, for information
};

enum class TensorLayout {
  strided,
  quantized_per_tensor,
  quantized_per_channel,
  // Reported, not usable as a weight:
  sparse,
  nested,
  meta,    // a shape without data
  opaque,  // a subclass that only its Python class can rebuild
};

inline constexpr std::size_t kNoStorage = static_cast<std::size_t>(-1);
inline constexpr std::size_t kNoTensor = static_cast<std::size_t>(-1);

// One tensor as written. Checked: rank, sizes, strides and offset lie inside its storage.
struct TensorInfo {
  std::size_t storage = kNoStorage;  // index into TensorFile::storages(); kNoStorage for meta and opaque
  DType dtype = DType::unknown;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;  // elements of dtype
  std::int64_t offset = 0;            // elements of dtype
  TensorLayout layout = TensorLayout::strided;
  bool conjugate = false;
  bool negative = false;
  double scale = 1.0;  // quantized_per_tensor
  std::int64_t zero_point = 0;
  std::size_t scales = kNoTensor;       // quantized_per_channel: index into TensorFile::tensors()
  std::size_t zero_points = kNoTensor;  // the same
  std::vector<double> scale_values;     // PyTorch before 1.5 writes them as plain lists, then the indices say kNoTensor
  std::vector<std::int64_t> zero_point_values;
  std::int64_t axis = 0;
  std::string what;  // of what cannot be used: "torch.sparse_coo", "_rebuild_wrapper_subclass"
};

// Bytes of one element as it stands in a file; 0 for unknown. The sub-byte types quint4x2 and quint2x4 count as 1 in a
// storage, float4_e2m1fn_x2 is a pair in 1 byte and its shapes count pairs.
std::size_t item_size(DType dtype);
const char* to_string(DType dtype);  // "float32"
const char* to_string(TensorLayout layout);
// By PyTorch's name ("float32", "half"); unknown when there is none.
DType dtype_named(std::string_view name);
// By storage class name ("FloatStorage"); unknown when there is none. An untyped storage is uint8.
DType storage_dtype_named(std::string_view name);
// Product of the sizes. Fits for every tensor that has data; the largest number where a meta or sparse shape does not.
std::int64_t element_count(const std::vector<std::int64_t>& shape);

// Immutable after open; any thread may read.
class TensorFile {
 public:
  virtual ~TensorFile() = default;
  // Opens torch_save_zip, torch_save_legacy, safetensors or shard_index. Throws bad_model, limit_exceeded, or
  // unsupported for another kind.
  static std::shared_ptr<const TensorFile> open(std::shared_ptr<const ByteSource> source, Kind kind,
                                                const Limits& limits = {});

  const ByteSource& source() const noexcept { return *source_; }
  Kind kind() const noexcept { return kind_; }
  const Limits& limits() const noexcept { return limits_; }
  const std::vector<Storage>& storages() const noexcept { return storages_; }
  const std::vector<TensorInfo>& tensors() const noexcept { return tensors_; }
  // The object as plain data; tensors are found by their node. For safetensors a dict name -> tensor is made up.
  const Pickle& data() const noexcept { return data_; }
  // Index into tensors() of the tensor that node `id` (a rebuild call, Parameter or subclass) stands for.
  std::optional<std::size_t> tensor_at(NodeId id) const;
  // File facts for inspect: "format version", "byte order", safetensors metadata, ... (name, value) in order.
  const std::vector<std::pair<std::string, std::string>>& facts() const noexcept { return facts_; }

  // The JSON that ptrun convert put into the file (labels, preset, task); empty where there is none. Foreign text.
  const std::string& own_facts() const noexcept { return own_facts_; }

  // The storage's bytes in this machine's byte order, CRC checked where one is recorded, into `to`, which has exactly
  // storages()[index].bytes bytes. Throws bad_model.
  virtual void read_storage(std::size_t index, void* to) const = 0;
  // Where the bytes stand in the file when they can be viewed in place: stored as they are, in this machine's byte
  // order, not compressed. Nothing is verified then.
  virtual std::optional<std::uint64_t> storage_offset(std::size_t index) const = 0;
  // Reads every record and checks its CRC. Throws bad_model.
  virtual void verify() const = 0;

 protected:
  TensorFile(std::shared_ptr<const ByteSource> source, Kind kind, const Limits& limits)
      : source_(std::move(source)), kind_(kind), limits_(limits) {}

  std::shared_ptr<const ByteSource> source_;
  Kind kind_;
  Limits limits_;
  std::vector<Storage> storages_;
  std::vector<TensorInfo> tensors_;
  Pickle data_;
  std::unordered_map<NodeId, std::size_t> tensor_nodes_;
  std::vector<std::pair<std::string, std::string>> facts_;
  std::string own_facts_;
};

// One file per format; called by TensorFile::open.
std::shared_ptr<const TensorFile> open_torch_zip(std::shared_ptr<const ByteSource> source, const Limits& limits);
std::shared_ptr<const TensorFile> open_torch_legacy(std::shared_ptr<const ByteSource> source, const Limits& limits);
std::shared_ptr<const TensorFile> open_safetensors(std::shared_ptr<const ByteSource> source, const Limits& limits);

}  // namespace ptrun::archive
