#include "graph/dtype.h"

#include <array>
#include <utility>

namespace ptrun {
namespace {

constexpr std::array kTypes = {
    std::pair{DType::boolean, c10::ScalarType::Bool},
    std::pair{DType::uint8, c10::ScalarType::Byte},
    std::pair{DType::int8, c10::ScalarType::Char},
    std::pair{DType::uint16, c10::ScalarType::UInt16},
    std::pair{DType::int16, c10::ScalarType::Short},
    std::pair{DType::uint32, c10::ScalarType::UInt32},
    std::pair{DType::int32, c10::ScalarType::Int},
    std::pair{DType::uint64, c10::ScalarType::UInt64},
    std::pair{DType::int64, c10::ScalarType::Long},
    std::pair{DType::float16, c10::ScalarType::Half},
    std::pair{DType::bfloat16, c10::ScalarType::BFloat16},
    std::pair{DType::float32, c10::ScalarType::Float},
    std::pair{DType::float64, c10::ScalarType::Double},
    std::pair{DType::complex32, c10::ScalarType::ComplexHalf},
    std::pair{DType::complex64, c10::ScalarType::ComplexFloat},
    std::pair{DType::complex128, c10::ScalarType::ComplexDouble},
    std::pair{DType::float8_e4m3fn, c10::ScalarType::Float8_e4m3fn},
    std::pair{DType::float8_e5m2, c10::ScalarType::Float8_e5m2},
    std::pair{DType::float8_e4m3fnuz, c10::ScalarType::Float8_e4m3fnuz},
    std::pair{DType::float8_e5m2fnuz, c10::ScalarType::Float8_e5m2fnuz},
    std::pair{DType::float8_e8m0fnu, c10::ScalarType::Float8_e8m0fnu},
    std::pair{DType::float4_e2m1fn_x2, c10::ScalarType::Float4_e2m1fn_x2},
    std::pair{DType::qint8, c10::ScalarType::QInt8},
    std::pair{DType::quint8, c10::ScalarType::QUInt8},
    std::pair{DType::qint32, c10::ScalarType::QInt32},
    std::pair{DType::quint4x2, c10::ScalarType::QUInt4x2},
    std::pair{DType::quint2x4, c10::ScalarType::QUInt2x4},
};

}  // namespace

std::optional<c10::ScalarType> scalar_type(DType dtype) {
  for (const auto& [ours, theirs] : kTypes) {
    if (ours == dtype) return theirs;
  }
  return std::nullopt;
}

DType dtype_of(c10::ScalarType type) {
  for (const auto& [ours, theirs] : kTypes) {
    if (theirs == type) return ours;
  }
  return DType::unknown;
}

}  // namespace ptrun
