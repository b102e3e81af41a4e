#include "archive/dense_tensors.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "archive/dtypes.h"
#include "archive/fail.h"

namespace ptrun::archive {
namespace {

bool is_quantized(const TensorInfo& tensor) {
  return tensor.layout == TensorLayout::quantized_per_tensor || tensor.layout == TensorLayout::quantized_per_channel;
}

// Copies a strided view to `out` in row-major order; whole runs where the innermost sizes are contiguous.
void gather(const TensorInfo& tensor, const char* from, std::size_t item, std::string& out) {
  std::size_t outer = tensor.shape.size();
  std::int64_t run = 1;
  while (outer > 0 && (tensor.strides[outer - 1] == run || tensor.shape[outer - 1] == 1)) run *= tensor.shape[--outer];
  const std::size_t run_bytes = static_cast<std::size_t>(run) * item;
  std::vector<std::int64_t> index(outer, 0);
  std::int64_t at = tensor.offset;
  for (std::size_t done = 0; done < out.size(); done += run_bytes) {
    std::memcpy(out.data() + done, from + static_cast<std::size_t>(at) * item, run_bytes);
    for (std::size_t i = outer; i-- > 0;) {
      at += tensor.strides[i];
      if (++index[i] < tensor.shape[i]) break;
      at -= tensor.strides[i] * tensor.shape[i];
      index[i] = 0;
    }
  }
}

// Turns round the sign bit of every `step`th number of `unit` bytes; on every machine that runs LibTorch the last byte
// of a number holds it.
void flip_signs(std::string& bytes, std::size_t unit, std::size_t first, std::size_t step) {
  for (std::size_t at = (first + 1) * unit - 1; at < bytes.size(); at += step * unit) {
    bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ 0x80U);
  }
}

bool is_complex(DType dtype) {
  return dtype == DType::complex32 || dtype == DType::complex64 || dtype == DType::complex128;
}

}  // namespace

std::uint64_t DenseTensors::size(std::size_t index, const std::string& name) const {
  const TensorInfo& tensor = file_.tensors().at(index);
  const bool dense = (tensor.layout == TensorLayout::strided || is_quantized(tensor)) && tensor.storage != kNoStorage;
  if (!dense) {
    fail(ErrorCode::unsupported, file_.source().name(), "tensor ", in_quotes(name), " is ", to_string(tensor.layout),
         tensor.what.empty() ? "" : " (" + printable(tensor.what) + ")",
         ", expected dense values; make it dense in Python (tensor.to_dense()) and save again");
  }
  const DTypeInfo& type = info(tensor.dtype);
  if (type.bits != type.bytes * 8U) {
    fail(ErrorCode::unsupported, file_.source().name(), "tensor ", in_quotes(name), " has dtype ", type.name,
         ", whose elements share bytes; dequantize it in Python and save again");
  }
  std::uint64_t bytes = 0;
  if (!multiply(static_cast<std::uint64_t>(element_count(tensor.shape)), type.bytes, bytes) ||
      bytes > file_.limits().tensor_total_bytes) {
    fail_limit(file_.source().name(), "tensor ", in_quotes(name), " has more bytes than the limit of ",
               file_.limits().tensor_total_bytes);
  }
  return bytes;
}

const std::string& DenseTensors::storage(std::size_t index) {
  if (cached_ == index) return bytes_;
  cached_ = kNoStorage;
  bytes_.assign(static_cast<std::size_t>(file_.storages().at(index).bytes), '\0');
  if (!bytes_.empty()) file_.read_storage(index, bytes_.data());
  cached_ = index;
  return bytes_;
}

std::string DenseTensors::read(std::size_t index, const std::string& name) {
  std::string out(static_cast<std::size_t>(size(index, name)), '\0');
  const TensorInfo& tensor = file_.tensors()[index];
  if (out.empty()) return out;
  const std::size_t item = info(tensor.dtype).bytes;
  gather(tensor, storage(tensor.storage).data(), item, out);
  const bool complex = is_complex(tensor.dtype);
  const std::size_t unit = complex ? item / 2 : item;
  if (tensor.conjugate && complex) flip_signs(out, unit, 1, 2);
  if (tensor.negative) flip_signs(out, unit, 0, 1);
  return out;
}

std::vector<double> DenseTensors::numbers(std::size_t index, const std::string& name) {
  const DType dtype = file_.tensors().at(index).dtype;
  const std::string bytes = read(index, name);
  const auto all = [&](auto kind) {
    std::vector<double> values;
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(kind)) {
      std::memcpy(&kind, bytes.data() + at, sizeof(kind));
      values.push_back(static_cast<double>(kind));
    }
    return values;
  };
  switch (dtype) {
    case DType::float64: return all(double{});
    case DType::float32: return all(float{});
    case DType::int64: return all(std::int64_t{});
    case DType::int32: return all(std::int32_t{});
    default: fail_bad(file_.source().name(), "tensor ", in_quotes(name), " has scales of dtype ", to_string(dtype));
  }
}

std::string DenseTensors::dequantized(std::size_t index, const std::string& name) {
  const std::string integers = read(index, name);
  const TensorInfo& tensor = file_.tensors()[index];
  const std::size_t item = info(tensor.dtype).bytes;
  const std::size_t count = integers.size() / item;
  // Elements of one channel that stand together, and channels.
  std::size_t inner = std::max<std::size_t>(count, 1);
  std::vector<float> scales{static_cast<float>(tensor.scale)};
  std::vector<double> zero_points{static_cast<double>(tensor.zero_point)};  // with a fraction for float_qparams
  if (tensor.layout == TensorLayout::quantized_per_channel) {
    const auto axis = static_cast<std::size_t>(tensor.axis);
    inner = 1;
    for (std::size_t i = axis + 1; i < tensor.shape.size(); ++i) inner *= static_cast<std::size_t>(tensor.shape[i]);
    const bool lists = tensor.scales == kNoTensor;  // PyTorch before 1.5
    const std::vector<double> wide = lists ? tensor.scale_values : numbers(tensor.scales, name);
    scales.clear();
    for (const double scale : wide) scales.push_back(static_cast<float>(scale));
    if (lists) {
      zero_points.assign(tensor.zero_point_values.begin(), tensor.zero_point_values.end());
    } else {
      zero_points = numbers(tensor.zero_points, name);
    }
  }
  std::string out(count * sizeof(float), '\0');
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t channel = inner == 0 ? 0 : i / inner % scales.size();
    double integer = 0;
    if (tensor.dtype == DType::qint32) {
      std::int32_t wide = 0;
      std::memcpy(&wide, integers.data() + i * item, item);
      integer = wide;
    } else if (tensor.dtype == DType::qint8) {
      integer = static_cast<signed char>(integers[i]);
    } else {
      integer = static_cast<unsigned char>(integers[i]);
    }
    const float value = static_cast<float>(integer - zero_points[channel]) * scales[channel];
    std::memcpy(out.data() + i * sizeof(float), &value, sizeof(value));
  }
  return out;
}

}  // namespace ptrun::archive
