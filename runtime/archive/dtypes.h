// Element types: names, sizes and how their bytes swap. One table (dtypes.cpp).
#pragma once

#include <cstdint>
#include <string_view>

#include "ptrun/signature.h"

namespace ptrun::archive {

struct DTypeInfo {
  DType dtype;
  std::string_view name;     // torch.NAME
  std::string_view alias;    // torch.ALIAS, or empty
  std::string_view storage;  // torch.STORAGE, or empty
  std::string_view safetensors;
  std::uint8_t bytes;  // of an element in a storage
  std::uint8_t bits;   // of an element of a tensor
  std::uint8_t swap;   // bytes that turn round as one on another byte order; half the size for complex types
};

const DTypeInfo& info(DType dtype);
const DTypeInfo* dtype_by_safetensors(std::string_view name);

}  // namespace ptrun::archive
