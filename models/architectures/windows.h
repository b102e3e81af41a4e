// Attention in windows of a feature map, shared by the Swin families.
#pragma once

#include "ptrun/graph.h"

namespace ptrun::models {

// The windows of one stage's feature map [N, H, W, C], all scalars of the graph: an image size need not be known.
struct WindowGrid {
  std::int64_t window = 0;  // tokens on each side
  Value height, width;      // of the feature map
  Value padded_height, padded_width;
  Value rows, columns;              // of windows
  Value shift_height, shift_width;  // half a window; 0 on a side with one window
  Value mask;                       // [rows * columns, 1, tokens, tokens]: -100 where a shifted window joins far sides
};

// The grid of x [N, H, W, C].
WindowGrid window_grid(GraphBuilder& g, Value x, std::int64_t window);

// x [N, H, W, C] padded, shifted if asked, and cut: [N * windows, tokens, C], and back.
Value to_windows(GraphBuilder& g, const WindowGrid& grid, Value x, std::int64_t channels, bool shifted);
Value from_windows(GraphBuilder& g, const WindowGrid& grid, Value x, std::int64_t channels, bool shifted);

// The mask of self_attention() over windows: `bias` [1, heads, tokens, tokens], with the grid's mask when shifted, for
// `images` images.
Value window_mask(GraphBuilder& g, const WindowGrid& grid, Value bias, std::int64_t heads, Value images, bool shifted);

// Swin V2's attention: softmax of scaled cosines of queries and keys. qkv [N, tokens, 3 * channels], logit_scale
// [heads, 1, 1].
Value cosine_attention(GraphBuilder& g, Value qkv, Value logit_scale, std::int64_t heads, std::int64_t channels,
                       Value mask);

// Swin V2 has no bias for keys: what a file holds there, the middle third of `bias`, is not used.
Value without_key_bias(GraphBuilder& g, Value bias, std::int64_t channels);

// Four neighbours of x [N, H, W, C] become one of 4 C channels; an odd side is padded.
Value merge_neighbours(GraphBuilder& g, Value x);

// Rows `index` (any shape, tokens * tokens of them) of `table` [positions, heads] as [1, heads, tokens, tokens].
Value position_bias(GraphBuilder& g, Value table, Value index, std::int64_t tokens);

}  // namespace ptrun::models
