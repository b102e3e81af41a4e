// ptrun's element types and LibTorch's.
#pragma once

#include <c10/core/ScalarType.h>

#include <optional>

#include "ptrun/signature.h"

namespace ptrun {

// Nothing for `unknown` and for types that LibTorch lacks.
std::optional<c10::ScalarType> scalar_type(DType dtype);
// `unknown` for types that ptrun does not name.
DType dtype_of(c10::ScalarType type);

}  // namespace ptrun
