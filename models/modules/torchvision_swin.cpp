// torchvision/models/swin_transformer.py, versions 1 and 2. Images are [N, H, W, C] inside; their size may vary. Liu et
// al. 2021 (2103.14030, 2111.09883).
#include "architectures/blocks.h"
#include "architectures/windows.h"
#include "modules/modules.h"
#include "modules/rule_tools.h"

namespace ptrun::models {
namespace {

// Tokens on a window's side, and whether it is shifted. torchvision builds square windows, shifted by none or half.
std::int64_t window_of(const PickledModule& m, bool& shifted) {
  const std::vector<std::int64_t> window = bounded(m, "window_size", 2, 1, 256);
  const std::vector<std::int64_t> shift = bounded(m, "shift_size", 2, 0, 256);
  shifted = shift[0] > 0;
  if (window[0] != window[1] || shift[0] != shift[1] || (shifted && shift[0] != window[0] / 2)) {
    m.refuse("has windows that are not square, or not shifted by half of one; export the model with torch.jit.trace");
  }
  return window[0];
}

// [1, heads, tokens, tokens]
Value bias_of(ModuleWriter& w, const PickledModule& m, std::int64_t tokens, bool second) {
  GraphBuilder& g = w.graph();
  const Value index = w.parameter(m, "relative_position_index", 1);
  if (!second) return position_bias(g, w.parameter(m, "relative_position_bias_table", 2), index, tokens);
  const Value table = w.forward(m.child("cpb_mlp"), w.parameter(m, "relative_coords_table", 4));
  const Value rows = g.op("aten::flatten.using_ints", {table, std::int64_t{0}, std::int64_t{2}});
  return g.mul(g.sigmoid(position_bias(g, rows, index, tokens)), g.constant(16.0));
}

Value attention(ModuleWriter& w, const PickledModule& m, Value x, bool second) {
  GraphBuilder& g = w.graph();
  bool shifted = false;
  const WindowGrid grid = window_grid(g, x, window_of(m, shifted));
  const PickledModule qkv = m.child("qkv");
  const std::int64_t channels = qkv.weights().size("weight", 1);
  const std::int64_t heads = bounded(m, "num_heads", 1, 1, 1 << 16)[0];
  if (channels < heads || channels % heads != 0) m.fail("has channels that its heads do not divide");
  const Value bias = bias_of(w, m, grid.window * grid.window, second);
  const Value mask = window_mask(g, grid, bias, heads, g.size(x, 0), shifted);
  Value y = to_windows(g, grid, x, channels, shifted);
  if (second) {
    Argument no_keys = w.optional_parameter(qkv, "bias", 1);
    if (const Value* given = std::get_if<Value>(&no_keys)) no_keys = without_key_bias(g, *given, channels);
    y = g.op("aten::linear", {y, w.parameter(qkv, "weight", 2), no_keys});
    y = cosine_attention(g, y, w.parameter(m, "logit_scale", 3), heads, channels, mask);
  } else {
    y = self_attention(g, w.forward(qkv, y), heads, channels, {.mask = mask, .scale = {}});
  }
  return from_windows(g, grid, w.forward(m.child("proj"), y), channels, shifted);
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

Value merging_1(ModuleWriter& w, const PickledModule& m, Value x) {
  return chain(w, m, merge_neighbours(w.graph(), x), {"norm", "reduction"});
}

Value merging_2(ModuleWriter& w, const PickledModule& m, Value x) {
  return chain(w, m, merge_neighbours(w.graph(), x), {"reduction", "norm"});
}

// torchvision 0.13 had no modules for permuting and flattening.
Value swin(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  x = chain(w, m, x, {"features", "norm"});
  const auto permute = m.find("permute");
  x = w.forward(m.child("avgpool"), permute ? w.forward(*permute, x) : g.permute(x, {0, 3, 1, 2}));
  const auto flatten = m.find("flatten");
  return w.forward(m.child("head"), flatten ? w.forward(*flatten, x) : g.flatten(x));
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
