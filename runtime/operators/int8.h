// What an int8 plan does between oneDNN's quantised layers: operators on bytes that LibTorch lacks or does slowly.
#pragma once

namespace ptrun {

// Registers them with LibTorch's dispatcher as ptrun::NAME, for plans that ptrun itself makes; model files may not name
// them. Cheap after the first call; any thread.
//
// A byte q of a tensor with scale s and zero point z stands for the number s * (q - z). Results are rounded to the
// nearest, halves to even, and saturate at 0 and 255, as torch.quantize_per_tensor and oneDNN do. Tensors of four
// dimensions are channels last; results are too.
//   quantize_u8(Tensor x, float scale, int zero_point) -> Tensor: float32 or bfloat16 to bytes
//   dequantize_u8(Tensor x, float scale, int zero_point, ScalarType dtype) -> Tensor
//   max_pool2d_u8(Tensor x, int[2] kernel, int[2] stride, int[2] padding, int[2] size) -> Tensor: `size` of the result
//   mean_u8(Tensor x, float scale, int zero_point, ScalarType dtype) -> Tensor: over height and width, [N, C, 1, 1]
//   scale_u8(Tensor x, float scale, int zero_point, Tensor gate, float out_scale, int out_zero_point) -> Tensor: times
//     the float32 or bfloat16 number [N, C, 1, 1] of its channel
//   add_u8(Tensor a, float a_scale, int a_zero_point, Tensor b, float b_scale, int b_zero_point, float out_scale,
//     int out_zero_point) -> Tensor: of one shape
// They throw c10::Error for other shapes and types.
void register_int8_operators();

}  // namespace ptrun
