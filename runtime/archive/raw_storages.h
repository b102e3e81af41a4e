// What legacy files and safetensors share: storages that stand in the file as they are, little-endian, without CRC.
#pragma once

#include <bit>
#include <memory>
#include <optional>
#include <vector>

#include "archive/dtypes.h"
#include "archive/tensor_file.h"
#include "archive/torch_objects.h"

namespace ptrun::archive {

class RawStorageFile : public TensorFile {
 public:
  // The reader has compared each range with the file's size when it filled offsets_.
  void read_storage(std::size_t index, void* to) const final {
    source_->read(offsets_.at(index), to, static_cast<std::size_t>(storages_[index].bytes));
    if constexpr (std::endian::native == std::endian::big) {
      swap_bytes(to, storages_[index].bytes, info(storages_[index].dtype).swap);
    }
  }

  std::optional<std::uint64_t> storage_offset(std::size_t index) const final {
    if constexpr (std::endian::native == std::endian::big) return std::nullopt;
    return offsets_.at(index);
  }

  void verify() const final {}  // there are no check sums

 protected:
  using TensorFile::TensorFile;

  // True when [begin, begin + bytes) lies inside the file.
  bool holds(std::uint64_t begin, std::uint64_t bytes) const {
    return begin <= source_->size() && bytes <= source_->size() - begin;
  }

  std::vector<std::uint64_t> offsets_;  // by storage, in the file
};

}  // namespace ptrun::archive
