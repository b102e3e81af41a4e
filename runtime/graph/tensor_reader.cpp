#include "graph/tensor_reader.h"

#include <ATen/ATen.h>

#include "core/text.h"
#include "graph/dtype.h"
#include "ptrun/error.h"

namespace ptrun {
namespace {

using archive::TensorInfo;
using archive::TensorLayout;

// Integers that a quantised tensor stores.
c10::ScalarType quantized_integer(DType dtype) {
  switch (dtype) {
    case DType::qint8: return c10::kChar;
    case DType::quint8: return c10::kByte;
    case DType::qint32: return c10::kInt;
    default: return c10::ScalarType::Undefined;
  }
}

bool is_dense(TensorLayout layout) {
  return layout == TensorLayout::strided || layout == TensorLayout::quantized_per_tensor ||
         layout == TensorLayout::quantized_per_channel;
}

}  // namespace

TensorReader::TensorReader(std::shared_ptr<const archive::TensorFile> file, std::uint64_t memory_limit)
    : file_(std::move(file)), memory_limit_(memory_limit), storages_(file_->storages().size()) {}

TensorReader::~TensorReader() = default;

void TensorReader::charge(std::uint64_t bytes, const std::string& name) {
  if (bytes > memory_limit_ || used_ > memory_limit_ - bytes) {
    throw Error(ErrorCode::limit_exceeded, file_->source().name(),
                "tensor " + printable(name) + " needs " + human_bytes(bytes) + " more, which takes the weights over " +
                    human_bytes(memory_limit_) + "; raise constant_memory_limit if the file is to be trusted");
  }
  used_ += bytes;
}

const at::Tensor& TensorReader::storage(std::size_t index) {
  at::Tensor& tensor = storages_.at(index);
  if (!tensor.defined()) {
    const archive::Storage& info = file_->storages()[index];
    charge(info.bytes, "storage " + info.key);
    tensor = at::empty({static_cast<std::int64_t>(info.bytes)}, at::kByte);
    if (info.bytes != 0) file_->read_storage(index, tensor.data_ptr());
  }
  return tensor;
}

at::Tensor TensorReader::read(std::size_t index, const std::string& name, Doubles doubles) {
  const TensorInfo& info = file_->tensors().at(index);
  if (!is_dense(info.layout) || info.storage == archive::kNoStorage) {
    throw Error(
        ErrorCode::unsupported, file_->source().name(),
        "weight " + printable(name) + " is " + archive::to_string(info.layout) +
            (info.what.empty() ? std::string() : " (" + printable(info.what) + ")") +
            ", expected dense values; make it dense in Python (tensor.to_dense(), .dequantize()) and save again");
  }
  const bool quantized = info.layout != TensorLayout::strided;
  const auto type = quantized ? quantized_integer(info.dtype) : scalar_type(info.dtype);
  if (!type || *type == c10::ScalarType::Undefined) {
    throw Error(ErrorCode::unsupported, file_->source().name(),
                "weight " + printable(name) + " has element type " + archive::to_string(info.dtype) +
                    ", which this build cannot compute with; convert it to float32 in Python and save again");
  }
  const at::Tensor& bytes = storage(info.storage);
  at::Tensor tensor = at::empty({0}, at::TensorOptions(*type));
  // The archive has compared sizes, strides and offset with the storage; set_ checks them once more.
  tensor.set_(bytes.storage(), info.offset, info.shape, info.strides);
  if (!tensor.is_contiguous() || info.conjugate || info.negative || quantized) {
    // An expanded view (stride 0) can claim far more elements than its storage holds bytes.
    const std::uint64_t item = quantized ? sizeof(float) : static_cast<std::uint64_t>(tensor.element_size());
    const auto count = static_cast<std::uint64_t>(archive::element_count(info.shape));
    charge(count > memory_limit_ / item ? memory_limit_ + 1 : count * item, name);
    tensor = tensor.contiguous();
  }
  if (quantized) tensor = dequantize(info, tensor.to(at::kFloat), name);
  if (info.conjugate) tensor = tensor.conj().resolve_conj();
  if (info.negative) tensor = tensor.neg();
  const bool kept = doubles == Doubles::keep && tensor.scalar_type() == at::kDouble;
  if (tensor.is_floating_point() && tensor.scalar_type() != at::kFloat && !kept) {
    // A copy for each name, also where names share one storage.
    charge(static_cast<std::uint64_t>(tensor.numel()) * sizeof(float), name);
    tensor = tensor.to(at::kFloat);
  }
  return tensor;
}

// (q - zero_point) * scale, as torch.Tensor.dequantize().
at::Tensor TensorReader::dequantize(const TensorInfo& info, const at::Tensor& values, const std::string& name) {
  if (info.layout == TensorLayout::quantized_per_tensor) return values.sub(info.zero_point).mul(info.scale);
  // PyTorch 1.4 wrote scales and zero points as plain lists, later versions as tensors.
  const bool as_lists = info.scales == archive::kNoTensor;
  const at::Tensor scales =
      (as_lists ? at::tensor(info.scale_values) : read(info.scales, name + " (scales)")).to(at::kFloat);
  const at::Tensor zero_points =
      (as_lists ? at::tensor(info.zero_point_values) : read(info.zero_points, name + " (zero points)")).to(at::kFloat);
  const std::int64_t axis = info.axis;
  if (axis < 0 || axis >= values.dim() || scales.numel() != values.size(axis) ||
      zero_points.numel() != values.size(axis)) {
    throw Error(ErrorCode::bad_model, file_->source().name(),
                "weight " + printable(name) + " is quantised along dimension " + std::to_string(axis) + " with " +
                    std::to_string(scales.numel()) + " scales, which its shape does not fit");
  }
  std::vector<std::int64_t> shape(static_cast<std::size_t>(values.dim()), 1);
  shape[static_cast<std::size_t>(axis)] = -1;
  return values.sub(zero_points.reshape(shape)).mul(scales.reshape(shape));
}

}  // namespace ptrun
