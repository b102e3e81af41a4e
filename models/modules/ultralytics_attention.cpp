// Attention over feature maps in YOLOv10 (2405.14458), YOLO11, YOLO12 (2502.12524) and YOLO26. Shapes are read inside
// the graph: any height and width will do.
#include <cmath>

#include "modules/ultralytics.h"

namespace ptrun::models {
namespace {

using Sizes = std::vector<std::int64_t>;

Value flatten(ModuleWriter& w, Value x, std::int64_t from, std::int64_t to) {
  return w.graph().op("aten::flatten.using_ints", {x, from, to});
}
Value unflatten(ModuleWriter& w, Value x, std::int64_t dim, const Sizes& sizes) {
  return w.graph().op("aten::unflatten.int", {x, dim, sizes});
}
Value swap(ModuleWriter& w, Value x, std::int64_t a, std::int64_t b) {
  return w.graph().op("aten::transpose.int", {x, a, b});
}
Value part(ModuleWriter& w, Value x, std::int64_t dim, std::int64_t start, std::int64_t end) {
  return w.graph().slice(x, dim, start, end);
}
Value shaped_like(ModuleWriter& w, Value x, Value like) { return w.graph().op("aten::reshape_as", {x, like}); }

std::int64_t positive(const PickledModule& m, std::string_view name) {
  const std::int64_t value = m.integer(name);
  if (value < 1 || value > (std::int64_t{1} << 20U)) {
    m.fail("has " + std::string(name) + " " + std::to_string(value) + ", expected a small positive number");
  }
  return value;
}

// Values of the cells, mixed by how well their keys fit to the queries: softmax(q k^T) v, all [..., channels, cells].
Value attend(ModuleWriter& w, Value q, Value k, Value v, double scale) {
  GraphBuilder& g = w.graph();
  const Value scaled = g.op("aten::mul.Scalar", {q, scale});
  const Value fit = g.op("aten::matmul", {swap(w, scaled, -2, -1), k});
  return g.op("aten::matmul", {v, swap(w, g.softmax(fit, -1), -2, -1)});
}

// Self-attention of all cells, with a depthwise convolution of the values as position code.
Value attention(ModuleWriter& w, const PickledModule& m, Value x) {
  const std::int64_t heads = positive(m, "num_heads");
  const std::int64_t key = positive(m, "key_dim");
  const std::int64_t head = positive(m, "head_dim");
  const Value qkv = flatten(w, unflatten(w, w.forward(m.child("qkv"), x), 1, {heads, 2 * key + head}), 3, -1);
  const Value v = part(w, qkv, 2, 2 * key, 2 * key + head);
  const Value mixed = attend(w, part(w, qkv, 2, 0, key), part(w, qkv, 2, key, 2 * key), v, m.real("scale"));
  const Value place = w.forward(m.child("pe"), shaped_like(w, flatten(w, v, 1, 2), x));
  const Value y = w.graph().add(shaped_like(w, flatten(w, mixed, 1, 2), x), place);
  return w.forward(m.child("proj"), y);
}

// The same inside each of `area` bands of cells.
Value area_attention(ModuleWriter& w, const PickledModule& m, Value x) {
  const std::int64_t area = positive(m, "area");
  const std::int64_t heads = positive(m, "num_heads");
  const std::int64_t head = positive(m, "head_dim");
  Value qkv = swap(w, flatten(w, w.forward(m.child("qkv"), x), 2, -1), 1, 2);  // [N, cells, 3 C]
  if (area > 1) qkv = flatten(w, unflatten(w, qkv, 1, {area, -1}), 0, 1);      // [N area, cells / area, 3 C]
  qkv = w.graph().permute(unflatten(w, qkv, 2, {heads, 3 * head}), {0, 2, 3, 1});
  const Value v = part(w, qkv, 2, 2 * head, 3 * head);
  const Value mixed = attend(w, part(w, qkv, 2, 0, head), part(w, qkv, 2, head, 2 * head), v,
                             1.0 / std::sqrt(static_cast<double>(head)));
  const auto as_map = [&](Value y) {
    y = flatten(w, w.graph().permute(y, {0, 3, 1, 2}), 2, 3);  // [N area, cells / area, C]
    if (area > 1) y = flatten(w, unflatten(w, y, 0, {-1, area}), 1, 2);
    return shaped_like(w, swap(w, y, 1, 2), x);
  };
  const Value y = w.graph().add(as_map(mixed), w.forward(m.child("pe"), as_map(v)));
  return w.forward(m.child("proj"), y);
}

Value residual(ModuleWriter& w, const PickledModule& m, std::string_view child, Value x, bool add = true) {
  const Value y = w.forward(m.child(child), x);
  return add ? w.graph().add(x, y) : y;
}

Value psa_block(ModuleWriter& w, const PickledModule& m, Value x) {
  const bool add = m.boolean("add", true);
  return residual(w, m, "ffn", residual(w, m, "attn", x, add), add);
}

Value area_block(ModuleWriter& w, const PickledModule& m, Value x) {
  return residual(w, m, "mlp", residual(w, m, "attn", x));
}

Value psa(ModuleWriter& w, const PickledModule& m, Value x) {
  std::vector<Value> parts = halves(w, m, w.forward(m.child("cv1"), x));
  parts[1] = residual(w, m, "ffn", residual(w, m, "attn", parts[1]));
  return w.forward(m.child("cv2"), w.graph().cat(parts, 1));
}

// Keeps every block's result; large YOLO12 models scale the sum by a learned factor a channel.
Value a2_c2f(ModuleWriter& w, const PickledModule& m, Value x) {
  std::vector<Value> parts = {w.forward(m.child("cv1"), x)};
  for (const PickledModule& block : list_of(m, "m")) parts.push_back(w.forward(block, parts.back()));
  const Value y = w.forward(m.child("cv2"), w.graph().cat(parts, 1));
  if (!m.has("gamma")) return y;
  const Value gamma = unflatten(w, w.parameter(m, "gamma", 1), 0, {-1, 1, 1});
  return w.graph().add(x, w.graph().mul(gamma, y));
}

}  // namespace

Rules ultralytics_attention() {
  return {
      {{PTRUN_ULTRALYTICS("block", "Attention")}, one_tensor<attention>},
      {{PTRUN_ULTRALYTICS("block", "AAttn")}, one_tensor<area_attention>},
      {{PTRUN_ULTRALYTICS("block", "PSABlock")}, one_tensor<psa_block>},
      {{PTRUN_ULTRALYTICS("block", "ABlock")}, one_tensor<area_block>},
      {{PTRUN_ULTRALYTICS("block", "PSA")}, one_tensor<psa>},
      {{PTRUN_ULTRALYTICS("block", "A2C2f")}, one_tensor<a2_c2f>},
  };
}

}  // namespace ptrun::models
