#include "archive/dtypes.h"

#include <array>

#include "archive/tensor_file.h"

namespace ptrun::archive {
namespace {

// Names: torch/_C dtypes and torch/storage.py:_dtype_to_storage_type_map; safetensors/src/tensor.rs:Dtype.
constexpr std::array<DTypeInfo, 28> kTypes = {{
    {DType::unknown, "unknown", "", "", "", 0, 0, 1},
    {DType::boolean, "bool", "", "BoolStorage", "BOOL", 1, 8, 1},
    {DType::uint8, "uint8", "", "ByteStorage", "U8", 1, 8, 1},
    {DType::int8, "int8", "", "CharStorage", "I8", 1, 8, 1},
    {DType::uint16, "uint16", "", "", "U16", 2, 16, 2},
    {DType::int16, "int16", "short", "ShortStorage", "I16", 2, 16, 2},
    {DType::uint32, "uint32", "", "", "U32", 4, 32, 4},
    {DType::int32, "int32", "int", "IntStorage", "I32", 4, 32, 4},
    {DType::uint64, "uint64", "", "", "U64", 8, 64, 8},
    {DType::int64, "int64", "long", "LongStorage", "I64", 8, 64, 8},
    {DType::float16, "float16", "half", "HalfStorage", "F16", 2, 16, 2},
    {DType::bfloat16, "bfloat16", "", "BFloat16Storage", "BF16", 2, 16, 2},
    {DType::float32, "float32", "float", "FloatStorage", "F32", 4, 32, 4},
    {DType::float64, "float64", "double", "DoubleStorage", "F64", 8, 64, 8},
    {DType::complex32, "complex32", "chalf", "", "", 4, 32, 2},
    {DType::complex64, "complex64", "cfloat", "ComplexFloatStorage", "C64", 8, 64, 4},
    {DType::complex128, "complex128", "cdouble", "ComplexDoubleStorage", "", 16, 128, 8},
    {DType::float8_e4m3fn, "float8_e4m3fn", "", "", "F8_E4M3", 1, 8, 1},
    {DType::float8_e5m2, "float8_e5m2", "", "", "F8_E5M2", 1, 8, 1},
    {DType::float8_e4m3fnuz, "float8_e4m3fnuz", "", "", "F8_E4M3FNUZ", 1, 8, 1},
    {DType::float8_e5m2fnuz, "float8_e5m2fnuz", "", "", "F8_E5M2FNUZ", 1, 8, 1},
    {DType::float8_e8m0fnu, "float8_e8m0fnu", "", "", "F8_E8M0", 1, 8, 1},
    {DType::float4_e2m1fn_x2, "float4_e2m1fn_x2", "", "", "", 1, 8, 1},
    {DType::qint8, "qint8", "", "QInt8Storage", "", 1, 8, 1},
    {DType::quint8, "quint8", "", "QUInt8Storage", "", 1, 8, 1},
    {DType::qint32, "qint32", "", "QInt32Storage", "", 4, 32, 4},
    {DType::quint4x2, "quint4x2", "", "QUInt4x2Storage", "", 1, 4, 1},
    {DType::quint2x4, "quint2x4", "", "QUInt2x4Storage", "", 1, 2, 1},
}};

}  // namespace

const DTypeInfo& info(DType dtype) {
  for (const DTypeInfo& row : kTypes) {
    if (row.dtype == dtype) return row;
  }
  return kTypes[0];
}

const DTypeInfo* dtype_by_safetensors(std::string_view name) {
  for (const DTypeInfo& row : kTypes) {
    if (!row.safetensors.empty() && row.safetensors == name) return &row;
  }
  return nullptr;
}

std::size_t item_size(DType dtype) { return info(dtype).bytes; }

const char* to_string(DType dtype) { return info(dtype).name.data(); }

DType dtype_named(std::string_view name) {
  for (const DTypeInfo& row : kTypes) {
    if (row.name == name || (!row.alias.empty() && row.alias == name)) return row.dtype;
  }
  return DType::unknown;
}

DType storage_dtype_named(std::string_view name) {
  if (name == "UntypedStorage" || name == "_UntypedStorage") return DType::uint8;
  for (const DTypeInfo& row : kTypes) {
    if (!row.storage.empty() && row.storage == name) return row.dtype;
  }
  return DType::unknown;
}

}  // namespace ptrun::archive
