// Tensors as plain bytes without LibTorch: row-major, views and lazy signs carried out. What the writers write.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "archive/tensor_file.h"

namespace ptrun::archive {

// Reads one storage at a time and keeps the last, so memory is the largest storage and the largest tensor. One thread.
class DenseTensors {
 public:
  explicit DenseTensors(const TensorFile& file) : file_(file) {}

  // Bytes of tensor `index` in row-major order, conjugation and negation carried out; a quantised one gives its
  // integers. `name` stands for it in messages. Throws unsupported for layouts and sub-byte types without such bytes,
  // limit_exceeded over Limits::tensor_total_bytes, and bad_model.
  std::string read(std::size_t index, const std::string& name);
  // float32 values (q - zero_point) * scale of a quantised tensor, as torch.Tensor.dequantize() computes them.
  std::string dequantized(std::size_t index, const std::string& name);
  // Bytes that read() will give. Throws as read() does.
  std::uint64_t size(std::size_t index, const std::string& name) const;

 private:
  const std::string& storage(std::size_t index);
  std::vector<double> numbers(std::size_t index, const std::string& name);

  const TensorFile& file_;
  std::size_t cached_ = kNoStorage;
  std::string bytes_;
};

}  // namespace ptrun::archive
