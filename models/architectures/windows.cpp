// Follows shifted_window_attention() of torchvision/models/swin_transformer.py.
#include "architectures/windows.h"

namespace ptrun::models {
namespace {

// nn.functional.normalize over the last dimension.
Value normalised(GraphBuilder& g, Value x) {
  const Value norm = g.op("aten::linalg_vector_norm", {x, 2.0, std::vector<std::int64_t>{-1}, true});
  return g.op("aten::div.Tensor", {x, g.op("aten::clamp_min", {norm, 1e-12})});
}

Value int_op(GraphBuilder& g, std::string_view schema, const Argument& a, const Argument& b) {
  return g.op(schema, {a, b});
}

// value rounded up to whole windows.
Value padded(GraphBuilder& g, Value value, std::int64_t window) {
  const Value missing = int_op(g, "aten::remainder.int", g.op("aten::neg.int", {value}), window);
  return int_op(g, "aten::add.int", value, missing);
}

// Half a window, or 0 where there is one window only: a padded side is a multiple of the window.
Value shift_of(GraphBuilder& g, Value padded_side, std::int64_t window) {
  return int_op(g, "prim::min.int", window / 2, int_op(g, "aten::sub.int", padded_side, window));
}

// 0, 1 or 2 for each position of a side: positions in one window are neighbours when their regions are the same. The
// positions are counted by a sum and not by arange: on the device and of the type that x has.
Value regions(GraphBuilder& g, Value x, Value side, Value shift, std::int64_t window) {
  const Value ones = g.op("aten::new_ones", {x, g.sizes({side})}, {{"dtype", DType::float32}});
  const Value position = g.op("aten::cumsum", {ones, std::int64_t{0}});
  const auto beyond = [&](const Argument& last) {
    const Value limit = int_op(g, "aten::sub.int", side, last);
    return g.op("aten::to.dtype", {g.op("aten::gt.Scalar", {position, limit}), DType::float32});
  };
  return g.add(beyond(window), beyond(shift));
}

Value window_regions(GraphBuilder& g, Value x, const WindowGrid& grid) {
  const std::int64_t window = grid.window;
  const Value rows = regions(g, x, grid.padded_height, grid.shift_height, window);
  const Value columns = regions(g, x, grid.padded_width, grid.shift_width, window);
  const Value far = g.reshape(g.mul(rows, g.constant(3.0)), {-1, 1});
  const Value region = g.reshape(g.add(far, columns), {grid.rows, window, grid.columns, window});
  return g.reshape(g.permute(region, {0, 2, 1, 3}), {-1, window * window});
}

}  // namespace

WindowGrid window_grid(GraphBuilder& g, Value x, std::int64_t window) {
  WindowGrid grid;
  grid.window = window;
  grid.height = g.size(x, 1);
  grid.width = g.size(x, 2);
  grid.padded_height = padded(g, grid.height, window);
  grid.padded_width = padded(g, grid.width, window);
  grid.rows = int_op(g, "aten::floordiv.int", grid.padded_height, window);
  grid.columns = int_op(g, "aten::floordiv.int", grid.padded_width, window);
  grid.shift_height = shift_of(g, grid.padded_height, window);
  grid.shift_width = shift_of(g, grid.padded_width, window);
  const Value region = window_regions(g, x, grid);
  const std::int64_t tokens = window * window;
  const Value difference = g.op("aten::sub.Tensor", {g.reshape(region, {-1, 1, 1, tokens}),  //
                                                     g.reshape(region, {-1, 1, tokens, 1})});
  const Value apart = g.op("aten::to.dtype", {g.op("aten::ne.Scalar", {difference, std::int64_t{0}}), DType::float32});
  grid.mask = g.mul(apart, g.constant(-100.0));
  return grid;
}

Value to_windows(GraphBuilder& g, const WindowGrid& grid, Value x, std::int64_t channels, bool shifted) {
  const std::int64_t window = grid.window;
  const Value below = int_op(g, "aten::sub.int", grid.padded_height, grid.height);
  const Value right = int_op(g, "aten::sub.int", grid.padded_width, grid.width);
  x = g.op("aten::pad", {x, g.sizes({0, 0, 0, right, 0, below})});
  if (shifted) {
    const Value up = g.op("aten::neg.int", {grid.shift_height});
    const Value left = g.op("aten::neg.int", {grid.shift_width});
    x = g.op("aten::roll", {x, g.sizes({up, left}), std::vector<std::int64_t>{1, 2}});
  }
  x = g.reshape(x, {-1, grid.rows, window, grid.columns, window, channels});
  return g.reshape(g.permute(x, {0, 1, 3, 2, 4, 5}), {-1, window * window, channels});
}

Value from_windows(GraphBuilder& g, const WindowGrid& grid, Value x, std::int64_t channels, bool shifted) {
  const std::int64_t window = grid.window;
  x = g.permute(g.reshape(x, {-1, grid.rows, grid.columns, window, window, channels}), {0, 1, 3, 2, 4, 5});
  x = g.reshape(x, {-1, grid.padded_height, grid.padded_width, channels});
  if (shifted) {
    x = g.op("aten::roll", {x, g.sizes({grid.shift_height, grid.shift_width}), std::vector<std::int64_t>{1, 2}});
  }
  return g.contiguous(g.slice(g.slice(x, 1, 0, grid.height), 2, 0, grid.width));
}

Value window_mask(GraphBuilder& g, const WindowGrid& grid, Value bias, std::int64_t heads, Value images, bool shifted) {
  if (!shifted) return bias;
  const std::int64_t tokens = grid.window * grid.window;
  const Value mask = g.op("aten::type_as", {grid.mask, bias});
  const Value windows = g.op("aten::unsqueeze", {g.add(mask, bias), std::int64_t{0}});
  return g.reshape(g.op("aten::expand", {windows, g.sizes({images, -1, -1, -1, -1})}), {-1, heads, tokens, tokens});
}

Value without_key_bias(GraphBuilder& g, Value bias, std::int64_t channels) {
  const Value keys = g.op("aten::zeros_like", {g.slice(bias, 0, channels, 2 * channels)});
  return g.cat({g.slice(bias, 0, 0, channels), keys, g.slice(bias, 0, 2 * channels, 3 * channels)}, 0);
}

// By scaling the queries before an attention without a scale.
Value cosine_attention(GraphBuilder& g, Value qkv, Value logit_scale, std::int64_t heads, std::int64_t channels,
                       Value mask) {
  constexpr double kLargest = 4.605170185988092;  // log(100)
  const Value scale = g.op("aten::exp", {g.op("aten::clamp_max", {logit_scale, kLargest})});
  const Value images = g.size(qkv, 0);
  const Value tokens = g.size(qkv, 1);
  const Value split = g.permute(g.reshape(qkv, {images, tokens, 3, heads, channels / heads}), {2, 0, 3, 1, 4});
  const Value q = g.mul(normalised(g, g.select(split, 0, 0)), scale);
  const Value k = normalised(g, g.select(split, 0, 1));
  const Value y = g.attention(q, k, g.select(split, 0, 2), {.mask = mask, .scale = 1.0});
  return g.reshape(g.transpose(y, 1, 2), {images, tokens, channels});
}

Value merge_neighbours(GraphBuilder& g, Value x) {
  const Value odd_height = g.op("aten::remainder.int", {g.size(x, 1), std::int64_t{2}});
  const Value odd_width = g.op("aten::remainder.int", {g.size(x, 2), std::int64_t{2}});
  x = g.op("aten::pad", {x, g.sizes({0, 0, 0, odd_width, 0, odd_height})});
  std::vector<Value> quarters;
  for (const std::int64_t column : {0, 1}) {
    for (const std::int64_t row : {0, 1}) {
      const Value height = g.size(x, 1);
      quarters.push_back(g.slice(g.slice(x, 1, row, height, 2), 2, column, g.size(x, 2), 2));
    }
  }
  return g.cat(quarters, -1);
}

Value position_bias(GraphBuilder& g, Value table, Value index, std::int64_t tokens) {
  const Value rows = g.op("aten::index_select", {table, std::int64_t{0}, g.flatten(index, 0)});
  const Value bias = g.permute(g.reshape(rows, {tokens, tokens, -1}), {2, 0, 1});
  return g.op("aten::unsqueeze", {g.contiguous(bias), std::int64_t{0}});
}

}  // namespace ptrun::models
