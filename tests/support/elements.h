// Elements of a stored tensor as numbers, read the slow and plain way through sizes, strides and offset.
#pragma once

#include <complex>
#include <vector>

#include "archive/tensor_file.h"

namespace ptrun::test {

// All elements in logical order; quantized ones as their integers, float4 pairs as bytes.
std::vector<std::complex<double>> elements(const archive::TensorFile& file, std::size_t tensor);

}  // namespace ptrun::test
