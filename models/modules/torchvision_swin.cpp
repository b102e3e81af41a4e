// torchvision/models/swin_transformer.py, versions 1 and 2. Images are [N, H, W, C] inside; their size may vary, so
// padding, shift and mask are computed from it in the graph. Liu et al. 2021 (2103.14030, 2111.09883).
#include <array>
#include <cmath>

#include "modules/modules.h"
#include "modules/rule_tools.h"

namespace ptrun::models {
namespace {

using Sizes = std::vector<std::int64_t>;

// What depends on height and width of the image.
struct Windows {
  std::array<Value, 2> size;   // of the image
  std::array<Value, 2> whole;  // padded to whole windows
  std::array<Value, 2> count;  // of windows
  std::array<Value, 2> shift;  // 0 where one window holds all
  Value total;                 // windows in an image
};

Value integer(ModuleWriter& w, std::int64_t value) { return w.graph().constant(value); }

Windows measure(ModuleWriter& w, Value x, const Sizes& window, const Sizes& shift) {
  GraphBuilder& g = w.graph();
  Windows found;
  for (std::size_t i = 0; i < 2; ++i) {
    found.size[i] = size_of(w, x, static_cast<std::int64_t>(i) + 1);
    const Value up = calculate(w, "aten::add.int", found.size[i], window[i] - 1);
    found.count[i] = calculate(w, "aten::floordiv.int", up, window[i]);
    found.whole[i] = calculate(w, "aten::mul.int", found.count[i], window[i]);
    const Value several = calculate(w, "aten::gt.int", found.whole[i], window[i]);
    found.shift[i] = calculate(w, "aten::mul.int", g.op("aten::Int.bool", {several}), shift[i]);
  }
  found.total = g.op("aten::mul.int", {found.count[0], found.count[1]});
  return found;
}

Value roll(ModuleWriter& w, Value x, const Windows& windows, bool back) {
  GraphBuilder& g = w.graph();
  std::vector<Value> shifts;
  for (const Value shift : windows.shift) shifts.push_back(back ? shift : g.op("aten::neg.int", {shift}));
  return g.op("aten::roll", {x, shifts, Sizes{1, 2}});
}

// 0, 1 or 2: the part of the rolled image that row or column i of dimension `d` came from.
Value regions(ModuleWriter& w, const Windows& windows, std::size_t d, std::int64_t window) {
  GraphBuilder& g = w.graph();
  const Value at = g.op("aten::arange", {windows.whole[d]});
  const auto from = [&](Value start) {
    return g.op("aten::to.dtype", {g.op("aten::ge.Scalar", {at, start}), DType::float32});
  };
  return g.add(from(calculate(w, "aten::sub.int", windows.whole[d], window)),
               from(g.op("aten::sub.int", {windows.whole[d], windows.shift[d]})));
}

// [windows, N, N]: -100 between pixels of one window that are no neighbours in the image, else 0.
Value shift_mask(ModuleWriter& w, const Windows& windows, const Sizes& window) {
  GraphBuilder& g = w.graph();
  const Value rows = g.op("aten::unsqueeze", {regions(w, windows, 0, window[0]), std::int64_t{1}});
  const Value columns = g.op("aten::unsqueeze", {regions(w, windows, 1, window[1]), std::int64_t{0}});
  Value mask = g.add(g.op("aten::mul.Scalar", {rows, 3.0}), columns);
  mask = g.op("aten::unflatten.int", {mask, std::int64_t{1}, Sizes{-1, window[1]}});
  mask = g.op("aten::unflatten.int", {mask, std::int64_t{0}, Sizes{-1, window[0]}});
  mask = g.flatten(g.op("aten::permute", {mask, Sizes{0, 2, 1, 3}}), 2);
  mask = g.op("aten::flatten.using_ints", {mask, std::int64_t{0}, std::int64_t{1}});
  const Value difference = g.op("aten::sub.Tensor", {g.op("aten::unsqueeze", {mask, std::int64_t{1}}),
                                                     g.op("aten::unsqueeze", {mask, std::int64_t{2}})});
  const Value other = g.op("aten::to.dtype", {g.op("aten::ne.Scalar", {difference, 0.0}), DType::float32});
  return g.op("aten::mul.Scalar", {other, -100.0});
}

Value normalised(GraphBuilder& g, Value x) {
  const Value norm = g.op("aten::linalg_vector_norm", {x, 2.0, Sizes{-1}, true});
  return g.op("aten::div.Tensor", {x, g.op("aten::clamp_min", {norm, 1e-12})});
}

// [1, heads, N, N]
Value position_bias(ModuleWriter& w, const PickledModule& m, const Sizes& window, bool second) {
  GraphBuilder& g = w.graph();
  Value table;
  if (second) {
    table = w.forward(m.child("cpb_mlp"), w.parameter(m, "relative_coords_table", 4));
    table = g.op("aten::flatten.using_ints", {table, std::int64_t{0}, std::int64_t{2}});
  } else {
    table = w.parameter(m, "relative_position_bias_table", 2);
  }
  const std::int64_t count = window[0] * window[1];
  Value bias = g.op("aten::index_select", {table, std::int64_t{0}, w.parameter(m, "relative_position_index", 1)});
  bias = g.op("aten::unflatten.int", {bias, std::int64_t{0}, Sizes{count, count}});
  bias = g.op("aten::unsqueeze", {g.op("aten::permute", {bias, Sizes{2, 0, 1}}), std::int64_t{0}});
  return second ? g.op("aten::mul.Scalar", {g.sigmoid(bias), 16.0}) : bias;
}

// Version 2 has no bias for keys: its part counts as zero whatever the file says.
Argument qkv_bias(ModuleWriter& w, const PickledModule& qkv, bool second) {
  GraphBuilder& g = w.graph();
  Argument bias = w.optional_parameter(qkv, "bias", 1);
  if (!second || !std::holds_alternative<Value>(bias)) return bias;
  const std::int64_t length = qkv.weights().size("bias", 0) / 3;
  std::vector<Value> parts;
  for (std::int64_t i = 0; i < 3; ++i) {
    const Value part = g.op("aten::slice.Tensor",
                            {std::get<Value>(bias), std::int64_t{0}, i * length, (i + 1) * length, std::int64_t{1}});
    parts.push_back(i == 1 ? g.op("aten::mul.Scalar", {part, 0.0}) : part);
  }
  return g.cat(parts, 0);
}

Value attention(ModuleWriter& w, const PickledModule& m, Value x, bool second) {
  GraphBuilder& g = w.graph();
  const Sizes window = bounded(m, "window_size", 2, 1, 256);
  const Sizes shift = bounded(m, "shift_size", 2, 0, 256);
  const PickledModule qkv = m.child("qkv");
  const std::int64_t channels = qkv.weights().size("weight", 1);
  const std::int64_t heads = bounded(m, "num_heads", 1, 1, 1 << 16)[0];
  if (channels < heads || channels % heads != 0) m.fail("has channels that its heads do not divide");
  const bool shifted = shift[0] + shift[1] > 0;
  const Windows windows = measure(w, x, window, shift);

  const auto missing = [&](std::size_t d) { return g.op("aten::sub.int", {windows.whole[d], windows.size[d]}); };
  const std::vector<Value> amounts = {integer(w, 0), integer(w, 0), integer(w, 0),
                                      missing(1),    integer(w, 0), missing(0)};
  x = g.op("aten::pad", {x, amounts, std::string("constant"), 0.0});
  if (shifted) x = roll(w, x, windows, false);
  x = g.op("aten::unflatten.int", {x, std::int64_t{2}, Sizes{-1, window[1]}});
  x = g.op("aten::unflatten.int", {x, std::int64_t{1}, Sizes{-1, window[0]}});
  x = g.op("aten::permute", {x, Sizes{0, 1, 3, 2, 4, 5}});
  x = g.op("aten::flatten.using_ints", {x, std::int64_t{3}, std::int64_t{4}});
  x = g.op("aten::flatten.using_ints", {x, std::int64_t{0}, std::int64_t{2}});

  x = g.op("aten::linear", {x, w.parameter(qkv, "weight", 2), qkv_bias(w, qkv, second)});
  x = g.op("aten::unflatten.int", {x, std::int64_t{2}, Sizes{3, heads, channels / heads}});
  x = g.op("aten::permute", {x, Sizes{2, 0, 3, 1, 4}});
  const auto part = [&](std::int64_t i) { return g.op("aten::select.int", {x, std::int64_t{0}, i}); };
  const auto turned = [&](Value y) { return g.op("aten::transpose.int", {y, std::int64_t{-2}, std::int64_t{-1}}); };
  Value scores;
  if (second) {
    scores = g.op("aten::matmul", {normalised(g, part(0)), turned(normalised(g, part(1)))});
    const Value scale = g.op("aten::clamp", {w.parameter(m, "logit_scale", 3), Argument{}, std::log(100.0)});
    scores = g.mul(scores, g.op("aten::exp", {scale}));
  } else {
    const double scale = 1.0 / std::sqrt(static_cast<double>(channels / heads));
    scores = g.op("aten::matmul", {g.op("aten::mul.Scalar", {part(0), scale}), turned(part(1))});
  }
  scores = g.add(scores, position_bias(w, m, window, second));
  if (shifted) {
    Value mask = g.op("aten::unsqueeze", {shift_mask(w, windows, window), std::int64_t{1}});
    mask = g.op("aten::unsqueeze", {mask, std::int64_t{0}});
    scores = g.op("aten::unflatten.int", {scores, std::int64_t{0}, std::vector<Value>{integer(w, -1), windows.total}});
    scores = g.op("aten::flatten.using_ints", {g.add(scores, mask), std::int64_t{0}, std::int64_t{1}});
  }
  Value y = g.op("aten::matmul", {g.softmax(scores, -1), part(2)});
  y = g.flatten(g.op("aten::transpose.int", {y, std::int64_t{1}, std::int64_t{2}}), 2);
  y = w.forward(m.child("proj"), y);

  y = g.op("aten::unflatten.int", {y, std::int64_t{1}, Sizes{window[0], window[1]}});
  y = g.op("aten::unflatten.int",
           {y, std::int64_t{0}, std::vector<Value>{integer(w, -1), windows.count[0], windows.count[1]}});
  y = g.op("aten::permute", {y, Sizes{0, 1, 3, 2, 4, 5}});
  y = g.op("aten::flatten.using_ints", {y, std::int64_t{3}, std::int64_t{4}});
  y = g.op("aten::flatten.using_ints", {y, std::int64_t{1}, std::int64_t{2}});
  if (shifted) y = roll(w, y, windows, true);
  for (std::size_t d = 0; d < 2; ++d) {
    y = g.op("aten::slice.Tensor",
             {y, static_cast<std::int64_t>(d) + 1, std::int64_t{0}, windows.size[d], std::int64_t{1}});
  }
  return y;
}

Value attention_1(ModuleWriter& w, const PickledModule& m, Value x) { return attention(w, m, x, false); }
Value attention_2(ModuleWriter& w, const PickledModule& m, Value x) { return attention(w, m, x, true); }

Value block_1(ModuleWriter& w, const PickledModule& m, Value x) {
  x = w.graph().add(x, chain(w, m, x, {"norm1", "attn"}));
  return w.graph().add(x, chain(w, m, x, {"norm2", "mlp"}));
}

Value block_2(ModuleWriter& w, const PickledModule& m, Value x) {
  x = w.graph().add(x, chain(w, m, x, {"attn", "norm1"}));
  return w.graph().add(x, chain(w, m, x, {"mlp", "norm2"}));
}

// Every second row and column in four parts, one beside the other as channels.
Value merge(ModuleWriter& w, Value x) {
  GraphBuilder& g = w.graph();
  const auto odd = [&](std::int64_t dim) { return calculate(w, "aten::remainder.int", size_of(w, x, dim), 2); };
  const std::vector<Value> amounts = {integer(w, 0), integer(w, 0), integer(w, 0), odd(2), integer(w, 0), odd(1)};
  x = g.op("aten::pad", {x, amounts, std::string("constant"), 0.0});
  const auto every_second = [&](Value y, std::int64_t dim, std::int64_t start) {
    return g.op("aten::slice.Tensor", {y, dim, start, Argument{}, std::int64_t{2}});
  };
  std::vector<Value> parts;
  for (std::int64_t column = 0; column < 2; ++column) {
    for (std::int64_t row = 0; row < 2; ++row) parts.push_back(every_second(every_second(x, 1, row), 2, column));
  }
  return g.cat(parts, -1);
}

Value merging_1(ModuleWriter& w, const PickledModule& m, Value x) {
  return chain(w, m, merge(w, x), {"norm", "reduction"});
}

Value merging_2(ModuleWriter& w, const PickledModule& m, Value x) {
  return chain(w, m, merge(w, x), {"reduction", "norm"});
}

Value swin(ModuleWriter& w, const PickledModule& m, Value x) {
  return chain(w, m, x, {"features", "norm", "permute", "avgpool", "flatten", "head"});
}

}  // namespace

Rules torchvision_swin() {
  return {
      {{"torchvision.models.swin_transformer.ShiftedWindowAttention"}, one_tensor<attention_1>},
      {{"torchvision.models.swin_transformer.ShiftedWindowAttentionV2"}, one_tensor<attention_2>},
      {{"torchvision.models.swin_transformer.SwinTransformerBlock"}, one_tensor<block_1>},
      {{"torchvision.models.swin_transformer.SwinTransformerBlockV2"}, one_tensor<block_2>},
      {{"torchvision.models.swin_transformer.PatchMerging"}, one_tensor<merging_1>},
      {{"torchvision.models.swin_transformer.PatchMergingV2"}, one_tensor<merging_2>},
      {{"torchvision.models.swin_transformer.SwinTransformer"}, one_tensor<swin>},
  };
}

}  // namespace ptrun::models
