// Operators of our own that compiled plans are made of: ptrun::pointwise, ptrun::depthwise, ptrun::winograd and others,
// over the loops of the kernels room.
#pragma once

namespace ptrun {

// Registers them for the CPU with LibTorch's dispatcher:
//   pack_pointwise(Tensor weight, ScalarType type, int parts=0) -> Tensor
//     Weights [columns, depth] float32 in the order of the processor's loops, in `type` (float32 or bfloat16); with
//     `parts` in that of the kernels::DeepProduct of the loops that has as many and for which they fit.
//   pack_integers(Tensor weight, bool deep=False) -> (Tensor, Tensor)
//     The same as 16-bit integers, and the scale of each column.
//   pointwise(Tensor input, Tensor? gate, Tensor weight, Tensor? scales, Tensor bias, Tensor? other, int columns, bool
//   pixels,
//             int activation, float low, float high, bool after_addition) -> Tensor
//     A 1x1 convolution of [N, C, H, W] (`pixels`) or a linear layer over the last dimension; `gate` [N, C, 1, 1]
//     scales the input, `other` of the result's shape is added. `bias` float32, zeros up to a multiple of 8; activation
//     is a number of kernels::Activation.
//   depthwise(Tensor input, Tensor weight, Tensor bias, int kernel, int stride, int padding, int activation, float low,
//             float high) -> Tensor
//     `weight` [kernel, kernel, C] float32, also for a bfloat16 input.
//   strips(Tensor input, Tensor? expand_weight, Tensor? expand_scales, Tensor? expand_bias, int expand_columns,
//          float[] expand_epilogue, Tensor taps, Tensor bias, int kernel, int stride, int padding, float[] epilogue,
//          Tensor? project_weight, Tensor? project_scales, Tensor? project_bias, Tensor? other, int project_columns,
//          float[] project_epilogue) -> Tensor
//     pointwise (where there are weights), depthwise, pointwise (where there are weights), to the same bits as one
//     after the other, without the images between them. An epilogue is activation, low, high, after_addition.
//   convolution(Tensor input, Tensor weight, Tensor? scales, Tensor bias, Tensor? other, int columns, int[] kernel,
//               int stride, int padding, float[] epilogue) -> Tensor
//     A dense convolution of [N, C, H, W]; `weight` and `scales` of [columns, kernel height x kernel width x C], its
//     depth rounded up to pairs with zeros but for float32.
//   pack_dense(Tensor weight, ScalarType type, int parts) -> Tensor
//     Filters [columns, C, kernel height, kernel width] float32 for dense of inputs of `type`, for the
//     kernels::DenseLoops of the processor that has so many parts.
//   dense(Tensor input, Tensor weight, Tensor bias, Tensor? other, int columns, int[] kernel, int padding,
//         float[] epilogue) -> Tensor
//     A convolution of stride 1 and padding less than the filter's sides. A number that is not finite makes the results
//     NaN whose filter sees it.
//   pack_winograd(Tensor weight, int edge) -> Tensor
//     Filters [columns, C, 3, 3] float32 for winograd by tiles of edge x edge results, 4 or 2: [(edge + 2)^2, columns
//     rounded up to a multiple of 8, C], 4 or 1.8 times as large.
//   winograd(Tensor input, Tensor weight, Tensor bias, Tensor? other, int columns, int padding, float[] epilogue)
//       -> Tensor
//     A convolution of 3x3 filters, stride 1 and padding 0 or 1, float32 only, with 0.25 or 0.44 of the
//     multiplications. An infinity in the input may make all results NaN whose tile sees it.
//   attention(Tensor query, Tensor key, Tensor value, float scale) -> Tensor
//     softmax(query x key^T * scale) x value for each head of [N, heads, tokens, width]; in memory the heads of a token
//     stand side by side in the result.
//   global_mean(Tensor input) -> Tensor
//     [N, C, H, W] to [N, C, 1, 1].
// Where a summand is handed over and nobody else holds it, as the interpreter of graphs does with what is not read
// afterwards, the results of pointwise, dense and winograd stand in its memory.
// Inputs are float32 or bfloat16, images and results channels_last; others are brought into that order. Wrong shapes
// throw c10::Error. Cheap after the first call; any thread.
void register_fused_operators();

}  // namespace ptrun
