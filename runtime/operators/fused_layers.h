// What ptrun::pointwise, ptrun::depthwise and ptrun::strips share: layers whose constants were checked, on plain
// memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/kernels.h"

namespace ptrun {

// Of the processor, for float32, bfloat16 and 16-bit integers. Throws c10::Error for others.
const kernels::Loops& loops_for(c10::ScalarType type);

at::ScalarType type_of(kernels::Element element);

// The one of the loops whose weights have so many parts; null: none.
const kernels::DeepProduct* deep_product(const kernels::Loops& loops, std::int64_t parts);

// Threads that are worth calling for so many products of numbers of `type`: 1 where they take under 10 us, and under
// 150 us while the others sleep.
std::int64_t threads_for(double products, c10::ScalarType type);

// `activation` is a number of kernels::Activation.
kernels::Epilogue epilogue_of(std::int64_t activation, double low, double high, bool after_addition);

// The same of four numbers: activation, low, high, after_addition.
kernels::Epilogue epilogue_of(at::ArrayRef<double> numbers);

// Memory for results of `sizes`: that of `other`, a tensor of these sizes that is added to them, where the operator
// alone holds it; it saves keeping and fetching as much.
at::Tensor results(at::IntArrayRef sizes, const at::Tensor& input, const std::optional<at::Tensor>& other,
                   at::MemoryFormat format);

// A 1x1 convolution or a linear layer: rows of `depth` numbers of `type` become rows of `columns`.
struct PointwiseLayer {
  const kernels::Loops* loops = nullptr;
  kernels::Product product;  // all but rows and results
  c10::ScalarType type = c10::ScalarType::Undefined;
  std::size_t element_size = 0;                // bytes of a number of `type`
  const kernels::DeepProduct* deep = nullptr;  // null: the usual product
};

// Weights and scales as pack_pointwise and pack_integers make them, which stay where they are. Throws c10::Error where
// they do not fit.
PointwiseLayer pointwise_layer(const at::Tensor& weight, const std::optional<at::Tensor>& scales,
                               const at::Tensor& bias, std::int64_t columns, std::int64_t depth, c10::ScalarType type,
                               const kernels::Epilogue& epilogue);

// Rows that are taken at a time where they are copied first: they stay in the second cache beside the weights.
std::size_t prepared_rows(const PointwiseLayer& layer);

// Runs a layer. One for each thread.
class PointwiseRun {
 public:
  explicit PointwiseRun(const PointwiseLayer& layer);

  // The columns [first_column, last_column) of out [count, columns]; other [count, columns] may be null.
  void operator()(const void* rows, std::size_t count, const void* other, void* out, std::size_t first_column,
                  std::size_t last_column);
  void operator()(const void* rows, std::size_t count, const void* other, void* out) {
    (*this)(rows, count, other, out, 0, layer_.product.columns);
  }

 private:
  const PointwiseLayer& layer_;
  at::Tensor rounded_, apart_, room_;
  std::vector<float> row_scales_;
  alignas(64) float scratch_[kernels::kProductScratch];  // NOLINT(modernize-avoid-c-arrays): left as it is, 28 KB
};

// `taps` [kernel, kernel, C] and `bias` [C], float32. Throws c10::Error where there are no such loops.
kernels::Depthwise depthwise_layer(const at::Tensor& taps, const at::Tensor& bias, std::int64_t kernel,
                                   std::int64_t stride, std::int64_t padding, std::int64_t channels,
                                   std::int64_t height, std::int64_t width, const kernels::Epilogue& epilogue);

// ptrun::strips, see fused.h.
at::Tensor strips(const at::Tensor& given, const std::optional<at::Tensor>& expand_weight,
                  const std::optional<at::Tensor>& expand_scales, const std::optional<at::Tensor>& expand_bias,
                  std::int64_t expand_columns, at::ArrayRef<double> expand_epilogue, const at::Tensor& taps,
                  const at::Tensor& bias, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                  at::ArrayRef<double> epilogue, const std::optional<at::Tensor>& project_weight,
                  const std::optional<at::Tensor>& project_scales, const std::optional<at::Tensor>& project_bias,
                  const std::optional<at::Tensor>& given_other, std::int64_t project_columns,
                  at::ArrayRef<double> project_epilogue);

// ptrun::convolution, see fused.h.
at::Tensor convolution(const at::Tensor& given, const at::Tensor& weight, const std::optional<at::Tensor>& scales,
                       const at::Tensor& bias, const std::optional<at::Tensor>& given_other, std::int64_t columns,
                       at::IntArrayRef kernel, std::int64_t stride, std::int64_t padding,
                       at::ArrayRef<double> epilogue);

// ptrun::pack_dense and ptrun::dense, see fused.h.
at::Tensor pack_dense(const at::Tensor& weight, c10::ScalarType type, std::int64_t parts);
at::Tensor dense(const at::Tensor& given, const at::Tensor& weight, const at::Tensor& bias,
                 const std::optional<at::Tensor>& given_other, std::int64_t columns, at::IntArrayRef kernel,
                 std::int64_t padding, at::ArrayRef<double> epilogue);

// ptrun::pack_winograd and ptrun::winograd, see fused.h.
at::Tensor pack_winograd(const at::Tensor& weight, std::int64_t edge);
at::Tensor winograd(const at::Tensor& given, const at::Tensor& weight, const at::Tensor& bias,
                    const std::optional<at::Tensor>& given_other, std::int64_t columns, std::int64_t padding,
                    at::ArrayRef<double> epilogue);

}  // namespace ptrun
