// For programs that use LibTorch themselves: tensors in and out. The only header of ptrun that needs LibTorch's, and
// the same LibTorch that libptrun was built with.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/ivalue.h>

#include <cstring>
#include <memory>

#include "ptrun/export.h"
#include "ptrun/model.h"
#include "ptrun/predictor.h"

namespace ptrun {

// Runs a model on tensors, without images, labels and tasks around it. Immutable after construction; any thread may
// call any method, and its OpenMP thread count stays as it is.
class PTRUN_API TensorRunner {
 public:
  // Of `options` counts what says where and how to run: device, precision (but for bf16 and int8, which are for
  // predictors), batch_size (0: 1), the limits of images, log. Throws what Predictor throws.
  explicit TensorRunner(const Model& model, const PredictOptions& options = {});
  ~TensorRunner();
  TensorRunner(const TensorRunner&) = delete;
  TensorRunner& operator=(const TensorRunner&) = delete;

  // One image decoded and preprocessed as Predictor does it: [3, H, W] float32 on the CPU. Throws Error for an image
  // that cannot be read, and unsupported for models that take images of any size in a list.
  at::Tensor prepare(const Input& image) const;
  // `batch` [N, 3, H, W] float32 on the CPU, 1 <= N <= batch_size(). What the module returns: a tensor, or a tuple,
  // list or dict of tensors, on the CPU, without the rows that fill up the batch. Throws model_failed when the module
  // throws, invalid_argument for a shape that the signature does not allow.
  c10::IValue run(const at::Tensor& batch) const;
  int batch_size() const noexcept;  // The largest N of run().

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A copy of a raw output as a tensor. Throws c10::Error for dtypes that LibTorch cannot hold. Any thread.
inline at::Tensor to_tensor(const TensorOutput& output) {
  const auto type = [&] {
    switch (output.dtype) {
      case DType::boolean: return at::kBool;
      case DType::uint8: return at::kByte;
      case DType::int8: return at::kChar;
      case DType::int16: return at::kShort;
      case DType::int32: return at::kInt;
      case DType::int64: return at::kLong;
      case DType::float16: return at::kHalf;
      case DType::bfloat16: return at::kBFloat16;
      case DType::float64: return at::kDouble;
      case DType::complex64: return at::kComplexFloat;
      case DType::complex128: return at::kComplexDouble;
      case DType::float32: return at::kFloat;
      default: TORCH_CHECK(false, "ptrun::to_tensor: output ", output.name, " has a dtype without a tensor type");
    }
  }();
  at::Tensor tensor = at::empty(output.shape, at::TensorOptions(type));
  TORCH_CHECK(tensor.nbytes() == output.data.size(), "ptrun::to_tensor: output ", output.name, " holds ",
              output.data.size(), " bytes, its shape needs ", tensor.nbytes());
  if (!output.data.empty()) std::memcpy(tensor.mutable_data_ptr(), output.data.data(), output.data.size());
  return tensor;
}

}  // namespace ptrun
