#include "archive/tensor_file.h"

#include <limits>

#include "archive/fail.h"
#include "archive/sharded.h"

namespace ptrun::archive {

std::int64_t element_count(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) {
    if (size == 0) return 0;
    if (__builtin_mul_overflow(count, size, &count)) count = std::numeric_limits<std::int64_t>::max();
  }
  return count;
}

const char* to_string(TensorLayout layout) {
  switch (layout) {
    case TensorLayout::strided: return "strided";
    case TensorLayout::quantized_per_tensor: return "quantized per tensor";
    case TensorLayout::quantized_per_channel: return "quantized per channel";
    case TensorLayout::sparse: return "sparse";
    case TensorLayout::nested: return "nested";
    case TensorLayout::meta: return "meta (without data)";
    case TensorLayout::opaque: return "a tensor subclass";
  }
  return "unknown";
}

std::optional<std::size_t> TensorFile::tensor_at(NodeId id) const {
  const auto found = tensor_nodes_.find(id);
  if (found == tensor_nodes_.end()) return std::nullopt;
  return found->second;
}

std::shared_ptr<const TensorFile> TensorFile::open(std::shared_ptr<const ByteSource> source, Kind kind,
                                                   const Limits& limits) {
  switch (kind) {
    case Kind::torch_save_zip: return open_torch_zip(std::move(source), limits);
    case Kind::torch_save_legacy: return open_torch_legacy(std::move(source), limits);
    case Kind::safetensors: return open_safetensors(std::move(source), limits);
    case Kind::shard_index: return open_sharded(std::move(source), limits);
    default:
      fail(ErrorCode::unsupported, source->name(), "is ", info(kind).title,
           ", expected a file written by torch.save or a safetensors file");
  }
}

}  // namespace ptrun::archive
