// torchvision/models/maxvit.py. Tu et al. 2022 (2204.01697).
#include "architectures/blocks.h"
#include "architectures/windows.h"
#include "modules/modules.h"
#include "modules/rule_tools.h"

namespace ptrun::models {
namespace {

Value mb_conv(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().add(w.forward(m.child("proj"), x), chain(w, m, x, {"layers", "stochastic_depth"}));
}

// x [N, groups, tokens, channels]; each group attends to itself.
Value attention(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  const std::int64_t heads = bounded(m, "n_heads", 1, 1, 1 << 16)[0];
  const std::int64_t channels = heads * bounded(m, "head_dim", 1, 1, 1 << 16)[0];
  const std::int64_t tokens = bounded(m, "max_seq_len", 1, 1, 1 << 16)[0];
  const Value groups = g.size(x, 1);
  const Value bias = position_bias(g, w.parameter(m, "relative_position_bias_table", 2),
                                   w.parameter(m, "relative_position_index"), tokens);
  const Value qkv = w.forward(m.child("to_qkv"), g.reshape(x, {-1, tokens, channels}));
  const Value y = self_attention(g, qkv, heads, channels, {.mask = bias, .scale = m.real("scale_factor")});
  return w.forward(m.child("merge"), g.reshape(y, {-1, groups, tokens, channels}));
}

Value swap_axes(ModuleWriter& w, const PickledModule& m, Value x) {
  return w.graph().transpose(x, bounded(m, "a", 1, -4, 3)[0], bounded(m, "b", 1, -4, 3)[0]);
}

// Attention within windows of neighbours, or within grids of tokens that lie a whole part of the image apart.
Value partition(ModuleWriter& w, const PickledModule& m, Value x) {
  GraphBuilder& g = w.graph();
  const std::int64_t side = bounded(m, "p", 1, 1, 4096)[0];
  const std::vector<std::int64_t> size = bounded(m, "grid_size", 2, 1, 4096);
  const std::int64_t rows = size[0] / side;
  const std::int64_t columns = size[1] / side;
  if (rows * side != size[0] || columns * side != size[1]) m.fail("has a grid_size that p does not divide");
  const std::int64_t channels = m.weights().size("attn_layer.1.to_qkv.weight", 1);
  if (channels < 1) m.refuse("has an attn_layer without to_qkv at its place");
  const Value images = g.size(x, 0);
  x = g.permute(g.reshape(x, {images, channels, rows, side, columns, side}), {0, 2, 4, 3, 5, 1});
  x = w.forward(m.child("partition_swap"), g.reshape(x, {images, rows * columns, side * side, channels}));
  x = g.add(x, chain(w, m, x, {"attn_layer", "stochastic_dropout"}));
  x = g.add(x, chain(w, m, x, {"mlp_layer", "stochastic_dropout"}));
  x = w.forward(m.child("departition_swap"), x);
  x = g.permute(g.reshape(x, {images, rows, columns, side, side, channels}), {0, 5, 1, 3, 2, 4});
  return g.reshape(x, {images, channels, size[0], size[1]});
}

Value layers(ModuleWriter& w, const PickledModule& m, Value x) { return w.forward(m.child("layers"), x); }

Value block(ModuleWriter& w, const PickledModule& m, Value x) { return w.forward_all(m.child("layers"), x); }

Value maxvit(ModuleWriter& w, const PickledModule& m, Value x) {
  const PickledModule blocks = m.child("blocks");
  // The stem and the first block halve the image once each; its grid fixes the size.
  const std::vector<PickledModule> stages = blocks.children();
  if (stages.empty()) m.fail("has no blocks");
  const std::vector<std::int64_t> grid = bounded(stages.front(), "grid_size", 2, 1, 4096);
  PresetLayer& preset = w.facts().file_preset;
  preset.source = "grid_size inside the file";
  preset.input_height = static_cast<int>(4 * grid[0]);
  preset.input_width = static_cast<int>(4 * grid[1]);
  return w.forward(m.child("classifier"), w.forward_all(blocks, w.forward(m.child("stem"), x)));
}

}  // namespace

Rules torchvision_maxvit() {
  return {
      {{"torchvision.models.maxvit.MBConv"}, one_tensor<mb_conv>},
      {{"torchvision.models.maxvit.RelativePositionalMultiHeadAttention"}, one_tensor<attention>},
      {{"torchvision.models.maxvit.SwapAxes"}, one_tensor<swap_axes>},
      {{"torchvision.models.maxvit.PartitionAttentionLayer"}, one_tensor<partition>},
      {{"torchvision.models.maxvit.MaxVitLayer"}, one_tensor<layers>},
      {{"torchvision.models.maxvit.MaxVitBlock"}, one_tensor<block>},
      {{"torchvision.models.maxvit.MaxVit"}, one_tensor<maxvit>},
  };
}

}  // namespace ptrun::models
