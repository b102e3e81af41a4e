#include "support/elements.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace ptrun::test {
namespace {

// A binary floating-point number of `exponent_bits` and `mantissa_bits`; what the top exponent means is the caller's.
double small_float(std::uint32_t bits, int exponent_bits, int mantissa_bits, int bias) {
  const std::uint32_t mantissa = bits & ((1U << static_cast<unsigned>(mantissa_bits)) - 1U);
  const std::uint32_t exponent =
      (bits >> static_cast<unsigned>(mantissa_bits)) & ((1U << static_cast<unsigned>(exponent_bits)) - 1U);
  const bool negative = ((bits >> static_cast<unsigned>(exponent_bits + mantissa_bits)) & 1U) != 0;
  const double scaled = std::ldexp(static_cast<double>(mantissa), -mantissa_bits);
  const double value =
      exponent == 0 ? std::ldexp(scaled, 1 - bias) : std::ldexp(1.0 + scaled, static_cast<int>(exponent) - bias);
  return negative ? -value : value;
}

template <typename Number>
double as(const char* at) {
  Number value;
  std::memcpy(&value, at, sizeof(value));
  return static_cast<double>(value);
}

std::complex<double> element(DType dtype, const char* at) {
  switch (dtype) {
    case DType::boolean:
    case DType::uint8:
    case DType::quint8:
    case DType::float4_e2m1fn_x2: return as<std::uint8_t>(at);
    case DType::int8:
    case DType::qint8: return as<std::int8_t>(at);
    case DType::uint16: return as<std::uint16_t>(at);
    case DType::int16: return as<std::int16_t>(at);
    case DType::uint32: return as<std::uint32_t>(at);
    case DType::int32:
    case DType::qint32: return as<std::int32_t>(at);
    case DType::uint64: return as<std::uint64_t>(at);
    case DType::int64: return as<std::int64_t>(at);
    case DType::float32: return as<float>(at);
    case DType::float64: return as<double>(at);
    case DType::float16: return small_float(static_cast<std::uint32_t>(as<std::uint16_t>(at)), 5, 10, 15);
    case DType::bfloat16: return small_float(static_cast<std::uint32_t>(as<std::uint16_t>(at)), 8, 7, 127);
    case DType::float8_e4m3fn: return small_float(static_cast<std::uint8_t>(*at), 4, 3, 7);
    case DType::float8_e4m3fnuz: return small_float(static_cast<std::uint8_t>(*at), 4, 3, 8);
    case DType::float8_e5m2: return small_float(static_cast<std::uint8_t>(*at), 5, 2, 15);
    case DType::float8_e5m2fnuz: return small_float(static_cast<std::uint8_t>(*at), 5, 2, 16);
    case DType::float8_e8m0fnu: return std::ldexp(1.0, static_cast<std::uint8_t>(*at) - 127);
    case DType::complex32: return {element(DType::float16, at).real(), element(DType::float16, at + 2).real()};
    case DType::complex64: return {as<float>(at), as<float>(at + 4)};
    case DType::complex128: return {as<double>(at), as<double>(at + 8)};
    default: throw std::logic_error("dtype without a decoder in this test");
  }
}

}  // namespace

std::vector<std::complex<double>> elements(const archive::TensorFile& file, std::size_t tensor) {
  const archive::TensorInfo& info = file.tensors().at(tensor);
  std::string bytes(file.storages().at(info.storage).bytes, '\0');
  file.read_storage(info.storage, bytes.data());
  std::vector<std::complex<double>> result;
  const std::int64_t count = archive::element_count(info.shape);
  std::vector<std::int64_t> index(info.shape.size(), 0);
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t at = info.offset;
    for (std::size_t d = 0; d < index.size(); ++d) at += index[d] * info.strides[d];
    // at(): a reader that let a bad stride through is caught here, not by luck.
    const char* begin = &bytes.at(static_cast<std::size_t>(at) * archive::item_size(info.dtype));
    std::complex<double> value = element(info.dtype, begin);
    if (info.conjugate) value = std::conj(value);
    result.push_back(info.negative ? -value : value);
    for (std::size_t d = index.size(); d-- > 0;) {
      if (++index[d] < info.shape[d]) break;
      index[d] = 0;
    }
  }
  return result;
}

}  // namespace ptrun::test
