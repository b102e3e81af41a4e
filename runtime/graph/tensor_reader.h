// Tensors of a file as at::Tensor: each storage is read once, tensors that share one keep sharing it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "archive/tensor_file.h"

namespace at {
class Tensor;
}

namespace ptrun {

// Reads on demand; keeps the storages it has read until it is destroyed. One thread.
class TensorReader {
 public:
  // `memory_limit`: bytes of all storages read and of all copies made, compared before each allocation.
  TensorReader(std::shared_ptr<const archive::TensorFile> file, std::uint64_t memory_limit);
  ~TensorReader();
  TensorReader(const TensorReader&) = delete;
  TensorReader& operator=(const TensorReader&) = delete;

  // Tensor `index` of the file on the CPU, wherever it lived, contiguous, conjugation and negation carried out;
  // quantised ones become float32. Throws bad_model, limit_exceeded, or unsupported for layouts without
  // dense values; messages name the file and what `index` stands for (`name`).
  // Floating types become float32; `keep` leaves float64 as it is.
  enum class Doubles { convert, keep };
  at::Tensor read(std::size_t index, const std::string& name, Doubles doubles = Doubles::convert);

 private:
  const at::Tensor& storage(std::size_t index);
  at::Tensor dequantize(const archive::TensorInfo& info, const at::Tensor& values, const std::string& name);
  void charge(std::uint64_t bytes, const std::string& name);

  std::shared_ptr<const archive::TensorFile> file_;
  std::uint64_t memory_limit_;
  std::uint64_t used_ = 0;
  std::vector<at::Tensor> storages_;  // undefined until read; uint8 [bytes]
};

}  // namespace ptrun
