// Storages and tensors out of a torch.save pickle, for torch_zip.cpp and torch_legacy.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "archive/tensor_file.h"

namespace ptrun::archive {

struct TorchObjects {
  std::vector<Storage> storages;
  std::vector<std::uint8_t> swap;  // per storage: bytes that turn round as one; kMixedSwap when its tensors disagree
  std::unordered_map<std::string, std::size_t> by_key;
  std::vector<TensorInfo> tensors;
  std::unordered_map<NodeId, std::size_t> tensor_nodes;
};
inline constexpr std::uint8_t kMixedSwap = 0xFF;

// Reads every storage reference and tensor of `data`, wherever it stands, and checks them against each other: names,
// sizes, strides and offsets inside their storage. Throws bad_model or limit_exceeded with `subject` and `part`.
TorchObjects read_torch_objects(const Pickle& data, const std::string& subject, const std::string& part,
                                const Limits& limits);

// Turns round groups of `unit` bytes; `bytes` is a multiple of it.
void swap_bytes(void* data, std::uint64_t bytes, std::size_t unit);

}  // namespace ptrun::archive
