// The inner loops of compiled plans, on plain memory: products of matrices and depthwise convolutions with what follows
// them, one set for each kind of processor and element type. Images stand pixel by pixel, the channels of a pixel side
// by side (channels_last). Any thread may call them; none allocates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace ptrun::kernels {

// int16: rows and weights as 16-bit integers with a scale each, results and summands in float32.
enum class Element : std::uint8_t { float32, bfloat16, int16 };

enum class Activation : std::uint8_t { clamp, hardswish, hardsigmoid, sigmoid, silu, gelu, gelu_tanh };

// What happens to a sum in float32 before it is stored.
struct Epilogue {
  Activation activation = Activation::clamp;
  // Bounds of `clamp`: infinite where nothing is to happen, 0 and infinite for relu.
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
  // The activation follows the addition of Product::other instead of preceding it.
  bool after_addition = false;
};

// out = epilogue(rows x weights + bias): a linear layer, or a 1x1 convolution, whose rows are pixels.
struct Product {
  const void* rows = nullptr;     // [row_count, depth]
  std::size_t row_stride = 0;     // elements from row to row; 0: depth
  std::size_t row_count = 0;      // at least 1
  std::size_t depth = 0;          // at least 1, even but for float32
  const void* weights = nullptr;  // pack_weights()
  std::size_t columns = 0;        // at least 1
  // Those that are made: from and to the edge of a panel, or the last one.
  std::size_t first_column = 0;
  std::size_t last_column = 0;
  const float* bias = nullptr;           // `columns` rounded up to a multiple of 8
  const void* other = nullptr;           // [row_count, columns], added; may be null
  void* out = nullptr;                   // [row_count, columns], overlaps none of the inputs; may be `other`
  std::size_t out_stride = 0;            // elements from row to row of `out` and `other`; 0: columns
  const float* gate = nullptr;           // [depth], that each row is multiplied with; DeepProduct::gates only
  const float* row_scales = nullptr;     // [row_count], of int16 only
  const float* column_scales = nullptr;  // zeros up to a multiple of 8 columns, of int16 only
  Epilogue epilogue;
  float* scratch = nullptr;  // kProductScratch floats
};
constexpr std::size_t kProductRows = 224;  // of a block that shares a panel of weights
constexpr std::size_t kLargestPanel = 32;  // columns
constexpr std::size_t kProductScratch = kProductRows * kLargestPanel;

// A depthwise convolution of one image: a square filter for each channel.
struct Depthwise {
  const void* in = nullptr;  // [height, width, channels]
  std::size_t height = 0, width = 0, channels = 0;
  std::size_t kernel = 3;  // 3, 5 or 7
  std::size_t stride = 1;  // 1 or 2
  std::size_t padding = 0;
  const float* weights = nullptr;  // [kernel, kernel, channels]
  const float* bias = nullptr;     // [channels]
  void* out = nullptr;             // [out_height, out_width, channels], does not overlap `in`
  std::size_t out_height = 0, out_width = 0;
  // Where only some rows are there: the row of the image that `in` begins with, that of the result for `out`.
  std::size_t first_in = 0, first_out = 0;
  Epilogue epilogue;
};

// A convolution of any filter, stride 1 and padding less than the filter's sides.
struct DenseConvolution {
  const void* in = nullptr;  // [images, height, width, channels]
  std::size_t height = 0, width = 0, channels = 0;
  std::size_t kernel_height = 3, kernel_width = 3, padding = 0;
  const void* weights = nullptr;  // DenseLoops::pack
  const float* bias = nullptr;    // `columns` rounded up to a multiple of 8
  const void* other = nullptr;    // as `out`, added; may be null
  void* out = nullptr;  // [images, out_height, out_width, columns], overlaps none of the inputs; may be `other`
  std::size_t out_height = 0, out_width = 0, columns = 0;
  Epilogue epilogue;
};

// A convolution of 3x3 filters and stride 1 by Winograd's minimal filtering F(edge x edge, 3x3) (Lavin and Gray 2015),
// float32: of each tile of edge x edge results the (edge + 2)^2 pixels under it are transformed, each of the
// (edge + 2)^2 positions is a product of matrices [tiles, channels] x [channels, columns], and their results are
// transformed back. Tiles are numbered along the rows of all images.
struct Winograd {
  std::size_t edge = 4;       // 4 or 2
  const float* in = nullptr;  // [images, height, width, channels]
  std::size_t height = 0, width = 0, channels = 0;
  std::size_t padding = 0;       // 0 or 1
  const float* zeros = nullptr;  // `channels` of them
  const float* bias = nullptr;   // [columns]
  const float* other = nullptr;  // as `out`, added; may be null
  // [images, out_height, out_width, columns], overlaps none of the inputs; may be `other`
  float* out = nullptr;
  std::size_t out_height = 0, out_width = 0, columns = 0;
  Epilogue epilogue;
  // Of both transformed sides: from tile to tile, from position to position.
  std::size_t in_row = 0, in_position = 0;    // a row has `channels`, rounded up to kWinogradLanes
  std::size_t out_row = 0, out_position = 0;  // a row has `columns`, rounded up to kWinogradLanes
  std::size_t reach() const { return edge + 2; }
  std::size_t positions() const { return reach() * reach(); }
  std::size_t tile_rows() const { return (out_height + edge - 1) / edge; }
  std::size_t tile_columns() const { return (out_width + edge - 1) / edge; }
};
constexpr std::size_t kWinogradLanes = 16;

// One head of attention: softmax(queries x keys^T * scale) x values.
struct Attention {
  const void* queries = nullptr;  // [query_count, width]
  const void* keys = nullptr;     // [key_count, width]
  const void* values = nullptr;   // [key_count, width]
  void* out = nullptr;            // [query_count, width]
  // Elements from token to token.
  std::size_t query_stride = 0, key_stride = 0, value_stride = 0, out_stride = 0;
  std::size_t query_count = 0, key_count = 0;  // at least 1
  std::size_t width = 0;                       // at least 1, even for bfloat16
  float scale = 1;                             // above 0
  float* scratch = nullptr;                    // AttentionRoom::size floats
};

// Rows of scores that are there at once, and where in the scratch what stands; in floats.
constexpr std::size_t kAttentionRows = 56;
struct AttentionRoom {
  AttentionRoom(const Attention& a, std::size_t element_size);
  std::size_t row;  // from row to row of scores and shares
  std::size_t scores, shares, keys, values, zeros, zero_count, size;
};

// The same in tiles of 16 x 16 floats, for processors that multiply tiles of bfloat16: each number in so many parts.
struct AttentionTiles {
  AttentionTiles(const Attention& a, std::size_t parts);
  std::size_t key_steps, depth_steps;  // keys and columns of a head in thirty-twos
  std::size_t scores, shares, queries, keys, values, sums, size;
};

// Another way to multiply large matrices, with weights in an order of its own.
struct DeepProduct {
  Element weights;        // their element, of `parts` parts of the same size
  std::size_t parts;      // no two of the table have the same number
  std::size_t columns;    // the columns of a product begin at a multiple of it
  std::size_t rows;       // of a block
  float largest_integer;  // of int16: of weights that are given
  bool gates;             // it takes Product::gate
  bool (*fits)(std::size_t columns, std::size_t depth);
  // Whether it is faster than the usual product.
  bool (*pays)(std::size_t rows, std::size_t columns, std::size_t depth);
  // Whether unfinished sums stand in `out`, which then cannot be `other`.
  bool (*waits)(std::size_t depth);
  std::size_t (*part_size)(std::size_t columns, std::size_t depth);  // elements
  std::size_t (*scratch)(std::size_t row_count, std::size_t depth);  // floats
  // Weights [columns, depth] in the order that `product` reads, from numbers of the loops' element.
  void (*pack)(const void* weights, std::size_t columns, std::size_t depth, void* packed);
  void (*product)(const Product& product);
};

// Dense convolutions on the pixels themselves.
struct DenseLoops {
  std::size_t parts;  // of the weights, bfloat16
  std::size_t lanes;  // the channels of a tap are zeros up to a multiple of it
  std::size_t (*part_size)(std::size_t columns, std::size_t depth);  // elements
  std::size_t (*scratch)(const DenseConvolution& convolution);       // floats
  // Weights [columns, taps x channels] of float32.
  void (*pack)(const void* weights, std::size_t columns, std::size_t depth, void* packed);
  // Rows of results [first, last) of all images, which stand one behind the other. A number that is not finite makes
  // the results NaN whose filter sees it.
  void (*run)(const DenseConvolution& convolution, std::size_t first, std::size_t last, float* scratch);
};

struct Loops {
  Element element;    // of rows, weights, other, in, out; int16 has a product alone
  std::size_t panel;  // columns of weights that stand together; at most kLargestPanel
  void (*product)(const Product& product);
  // The rows [first, last) of the result.
  void (*depthwise)(const Depthwise& layer, std::size_t first, std::size_t last);
  // out [channels] = the mean of in [pixels, channels], `stride` elements from pixel to pixel; `sums` has room for
  // `channels`.
  void (*mean)(const void* in, std::size_t pixels, std::size_t stride, std::size_t channels, float* sums, void* out);
  // out [pixels, channels] = in [pixels, channels] * gate [channels]
  void (*scale)(const void* in, const void* gate, std::size_t pixels, std::size_t channels, void* out);
  // Of int16 only: rows of float32 as integers of at most kLargestInteger, each with a scale of its own, that they are
  // to be multiplied with. A row with a NaN or an infinity gets a scale that is none.
  void (*quantise)(const float* rows, std::size_t row_count, std::size_t depth, void* integers,
                   float* scales) = nullptr;
  void (*attention)(const Attention& attention) = nullptr;
  // Of float32 only: the tiles [first, last) to `transformed` [positions, last - first, channels], and the products
  // [positions, last - first, columns] to results, where `products` begins with column `first_column`, a multiple of
  // kWinogradLanes.
  void (*winograd_input)(const Winograd& layer, std::size_t first, std::size_t last, float* transformed) = nullptr;
  void (*winograd_output)(const Winograd& layer, std::size_t first, std::size_t last, std::size_t first_column,
                          std::size_t last_column, const float* products) = nullptr;
  // As exact as the usual product; null: none.
  const DeepProduct* deep = nullptr;
  // Of float32 only, for results that need 16 binary digits (2e-6 of the terms' sum is the largest error measured);
  // null: none.
  const DeepProduct* coarse = nullptr;
  // Of float32 only, for matrices of some size: as `coarse`, in half the time, with 14 binary digits and a sign of the
  // largest number of each row and column (1e-4 of the terms' sum is the largest error to expect); null: none.
  const DeepProduct* digits = nullptr;
  // Convolutions as exact as the element, and as exact as `coarse`; null: none.
  const DenseLoops* dense = nullptr;
  const DenseLoops* coarse_dense = nullptr;
};
constexpr float kLargestInteger = 4095;
constexpr float kLargestWeight = 32767;

// A row of the table: what a kind of processor offers.
struct Set {
  std::string_view name;
  bool (*usable)();       // on this processor
  const Loops* float32;   // null: none
  const Loops* bfloat16;  // null: none
  const Loops* int16;     // null: none
};

// The fastest first; the last one, "plain", runs on every processor and has all.
const std::vector<Set>& sets();

// Of the first usable set that has them; of the set that the environment variable PTRUN_KERNELS names ("avx2") when it
// is usable and has them. Never null.
const Loops* best_loops(Element element);

// The width of the panel that begins at column `first`: the last one has its columns only, in eights.
constexpr std::size_t panel_width(std::size_t columns, std::size_t first, std::size_t panel) {
  const std::size_t left = (columns - first + 7) / 8 * 8;
  return left < panel ? left : panel;
}

// Weights [columns, depth] as integers, each column with a scale of its own; so small that no sum of their products
// with integers of at most kLargestInteger leaves 32 bits.
void quantise_weights(const float* weights, std::size_t columns, std::size_t depth, std::int16_t* integers,
                      float* scales, float largest = kLargestWeight);

// Filters [columns, channels, 3, 3] transformed and packed: `positions` times what pack_weights makes, one after the
// other, of `edge`. Of float32 only.
void winograd_weights(const Loops& loops, std::size_t edge, const float* weights, std::size_t columns,
                      std::size_t channels, float* packed);
// Weights [columns, depth] in the order that the product reads: panel by panel, zeros up to a multiple of 8 columns.
void pack_weights(const Loops& loops, const void* weights, std::size_t columns, std::size_t depth, void* packed);

// Such weights for rows that are to be multiplied with gate [depth] first: out = those of `packed` times it, in the
// same order. Of float32 and bfloat16.
void scale_weights(const Loops& loops, const void* packed, const void* gate, std::size_t columns, std::size_t depth,
                   void* out);

}  // namespace ptrun::kernels
