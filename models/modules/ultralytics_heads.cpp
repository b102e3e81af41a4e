// Heads of ultralytics models. One tensor [N, 4 + classes + extra, A] comes out: for each of the A cells of all levels
// the box (centre x, centre y, width, height in pixels of the input), a probability a class, then by head the mask
// coefficients, the keypoints or the angle. Boxes as distances to four sides with a distribution a side: generalized
// focal loss, 2006.04388. Heads marked end-to-end (YOLOv10, 2405.14458) give the best [N, max_det, 6 + extra]: corners,
// score, class, extra.
#include <cmath>

#include "modules/ultralytics.h"

namespace ptrun::models {
namespace {

using Sizes = std::vector<std::int64_t>;

// What one call of a head works on.
struct Head {
  ModuleWriter& w;
  const PickledModule& m;
  std::vector<Value> maps;  // a level each
  Value centres;            // [1, 2, A], in cells
  Value strides;            // [1, 1, A], pixels a cell
  bool one_to_one = false;  // the branch trained without duplicates
  bool end_to_end = false;  // the head itself keeps the best

  GraphBuilder& g() const { return w.graph(); }
  std::string branch(const std::string& name) const { return (one_to_one ? "one2one_" : "") + name; }
};

Value part(const Head& h, Value x, std::int64_t dim, std::int64_t start, std::int64_t end) {
  return h.g().slice(x, dim, start, end);
}

// Levels [N, C, H, W] in a row: [N, C, A].
Value joined(const Head& h, const std::vector<Value>& levels) {
  std::vector<Value> flat;
  flat.reserve(levels.size());
  for (const Value& level : levels) flat.push_back(h.g().flatten(level, 2));
  return h.g().cat(flat, -1);
}

// Each map through its own branch.
std::vector<Value> branches(const Head& h, const std::string& name, const std::vector<Value>& maps) {
  const std::vector<PickledModule> modules = list_of(h.m, h.branch(name));
  if (modules.size() != maps.size()) {
    h.m.fail("has " + std::to_string(modules.size()) + " branches " + name + " for " + std::to_string(maps.size()) +
             " feature maps");
  }
  std::vector<Value> results;
  for (std::size_t i = 0; i < maps.size(); ++i) results.push_back(h.w.forward(modules[i], maps[i]));
  return results;
}

Head make_head(ModuleWriter& w, const PickledModule& m, const Values& in) {
  Head head{w, m, in.items, {}, {}};
  const std::vector<double> strides = w.numbers(m, "stride");
  if (in.items.empty() || strides.size() != in.items.size()) {
    m.fail("has " + std::to_string(strides.size()) + " strides for " + std::to_string(in.items.size()) +
           " feature maps");
  }
  std::vector<Value> centres;
  std::vector<Value> scales;
  for (std::size_t i = 0; i < strides.size(); ++i) {
    if (!(strides[i] > 0)) m.fail("has a stride that is not positive");
    const CellGrid grid = cell_grid(w, in.items[i]);
    centres.push_back(grid.centres);
    scales.push_back(w.graph().mul(grid.ones, w.graph().constant(strides[i])));
  }
  head.centres = w.graph().cat(centres, -1);
  head.strides = w.graph().cat(scales, -1);
  // Two branches, but one-to-many with non-maximum suppression is what runs unless the file says otherwise.
  const bool two = m.find("one2one_cv2").has_value();
  head.end_to_end = two && m.boolean("_end2end", false);
  head.one_to_one = two && (head.end_to_end || !m.find("cv2"));
  if (head.one_to_one) head.end_to_end = true;
  return head;
}

// Distances to the four sides in cells, [N, 4, A].
Value distances(const Head& h) {
  const Value boxes = joined(h, branches(h, "cv2", h.maps));
  return h.w.forward(h.m.child("dfl"), boxes);
}

Value corners_or_centre(const Head& h, Value first, Value second, Value centre) {
  GraphBuilder& g = h.g();
  const Value low = g.op("aten::sub.Tensor", {centre, first});
  const Value high = g.add(centre, second);
  if (h.end_to_end) return g.cat({low, high}, 1);
  const Value middle = g.op("aten::div.Scalar", {g.add(low, high), 2.0});
  return g.cat({middle, g.op("aten::sub.Tensor", {high, low})}, 1);
}

Value boxes(const Head& h) {
  const Value sides = distances(h);
  const Value cells = corners_or_centre(h, part(h, sides, 1, 0, 2), part(h, sides, 1, 2, 4), h.centres);
  return h.g().mul(cells, h.strides);
}

// Boxes turned by `angle` [N, 1, A] around their centre: the centre moves along the turned axes.
Value rotated_boxes(const Head& h, Value angle) {
  GraphBuilder& g = h.g();
  const Value sides = distances(h);
  const Value first = part(h, sides, 1, 0, 2);
  const Value second = part(h, sides, 1, 2, 4);
  const Value cosine = g.op("aten::cos", {angle});
  const Value sine = g.op("aten::sin", {angle});
  const Value shift = g.op("aten::div.Scalar", {g.op("aten::sub.Tensor", {second, first}), 2.0});
  const Value x = part(h, shift, 1, 0, 1);
  const Value y = part(h, shift, 1, 1, 2);
  const Value turned_x = g.op("aten::sub.Tensor", {g.mul(x, cosine), g.mul(y, sine)});
  const Value turned_y = g.add(g.mul(x, sine), g.mul(y, cosine));
  const Value centre = g.add(g.cat({turned_x, turned_y}, 1), h.centres);
  return g.mul(g.cat({centre, g.add(first, second)}, 1), h.strides);
}

Value scores(const Head& h) { return h.g().sigmoid(joined(h, branches(h, "cv3", h.maps))); }

// Of all cells the max_det with the best class, of their scores the max_det best.
Value best(const Head& h, Value rows, std::int64_t classes) {
  GraphBuilder& g = h.g();
  const std::int64_t most = h.m.integer("max_det", 300);
  if (most < 1 || most > 100'000) h.m.fail("keeps " + std::to_string(most) + " detections, expected 1 to 100000");
  const Value cells = g.transpose(rows, 1, 2);
  const auto sorted = [&](Value x) { return g.op_results("aten::sort", {x, std::int64_t{1}, true}); };
  // The indices of the best cells, then everything of these cells.
  const Value all_scores = part(h, cells, 2, 4, 4 + classes);
  const Value top = sorted(g.op("aten::amax", {all_scores, Sizes{-1}, false}))[1];
  const Value chosen = g.op("aten::unsqueeze", {part(h, top, 1, 0, most), std::int64_t{-1}});
  const Value kept = g.op("aten::take_along_dim", {cells, chosen, std::int64_t{1}});
  const Value count = g.size(kept, 1);
  const std::vector<Value> ranked = sorted(g.flatten(part(h, kept, 2, 4, 4 + classes), 1));
  const auto first = [&](Value x) { return g.slice(x, 1, 0, count); };
  const Value index = g.op("aten::unsqueeze", {first(ranked[1]), std::int64_t{-1}});
  const Value row = g.op("aten::floor_divide.Scalar", {index, classes});
  const Value kind = g.op("aten::to.dtype", {g.op("aten::remainder.Scalar", {index, classes}), DType::float32});
  const Value final_rows = g.op("aten::take_along_dim", {kept, row, std::int64_t{1}});
  const Value score = g.op("aten::unsqueeze", {first(ranked[0]), std::int64_t{-1}});
  const Value extra = g.op("aten::slice.Tensor", {final_rows, std::int64_t{2}, 4 + classes, {}, std::int64_t{1}});
  return g.cat({part(h, final_rows, 2, 0, 4), score, kind, extra}, 2);
}

Value finished(const Head& h, const std::vector<Value>& parts) {
  const Value rows = h.g().cat(parts, 1);
  return h.end_to_end ? best(h, rows, h.m.integer("nc")) : rows;
}

// One output, under the name of its form.
Values named_rows(const Head& h, const std::vector<Value>& parts) {
  Values result{finished(h, parts)};
  result.names = {h.end_to_end ? "best" : "cells"};
  return result;
}

Values detect(ModuleWriter& w, const PickledModule& m, const Values& in) {
  const Head head = make_head(w, m, in);
  return named_rows(head, {boxes(head), scores(head)});
}

// Mask coefficients after the classes, and the prototypes [N, masks, H, W] as second output.
Values masks(const Head& head, Value prototypes) {
  const Value coefficients = joined(head, branches(head, "cv4", head.maps));
  Values result = named_rows(head, {boxes(head), scores(head), coefficients});
  result.items.push_back(prototypes);
  result.names.emplace_back("proto");
  return result;
}

Values segment(ModuleWriter& w, const PickledModule& m, const Values& in) {
  const Head head = make_head(w, m, in);
  return masks(head, w.forward(m.child("proto"), in.items.front()));
}

Values segment26(ModuleWriter& w, const PickledModule& m, const Values& in) {
  const Head head = make_head(w, m, in);
  const Values prototypes = w.forward(m.child("proto"), in);
  return masks(head, w.only(m, prototypes));
}

// x, y and, where the shape has three numbers, visibility of each keypoint: [N, points * numbers, A].
Value keypoints(const Head& h, Value raw, bool newer) {
  GraphBuilder& g = h.g();
  const Sizes shape = h.m.sizes("kpt_shape", 2);
  if (shape[0] < 1 || shape[0] > 10'000 || (shape[1] != 2 && shape[1] != 3)) {
    h.m.fail("has keypoints of an impossible shape");
  }
  h.w.facts().keypoint_shape = {shape[0], shape[1]};
  const Value points = g.op("aten::unflatten.int", {raw, std::int64_t{1}, shape});
  const Value place = part(h, points, 2, 0, 2);
  // YOLO26 measures from the cell's centre in cells, the others from its corner in half cells.
  const Value centre = newer ? h.centres : g.op("aten::sub.Scalar", {h.centres, 0.5});
  const Value moved = g.add(newer ? place : g.mul(place, g.constant(2.0)), centre);
  Value result = g.mul(moved, h.strides);
  if (shape[1] == 3) result = g.cat({result, g.sigmoid(part(h, points, 2, 2, 3))}, 2);
  return g.op("aten::flatten.using_ints", {result, std::int64_t{1}, std::int64_t{2}});
}

Values pose(ModuleWriter& w, const PickledModule& m, const Values& in) {
  const Head head = make_head(w, m, in);
  const Value raw = joined(head, branches(head, "cv4", head.maps));
  return named_rows(head, {boxes(head), scores(head), keypoints(head, raw, false)});
}

// The features go on to a convolution of their own; another one and a flow model serve training alone.
Values pose26(ModuleWriter& w, const PickledModule& m, const Values& in) {
  const Head head = make_head(w, m, in);
  const Value raw = joined(head, branches(head, "cv4_kpts", branches(head, "cv4", head.maps)));
  return named_rows(head, {boxes(head), scores(head), keypoints(head, raw, true)});
}

// The angle in radians comes last.
Values oriented(const Head& head, Value angle) {
  head.w.facts().rotated_boxes = true;
  return named_rows(head, {rotated_boxes(head, angle), scores(head), angle});
}

Values obb(ModuleWriter& w, const PickledModule& m, const Values& in) {
  const Head head = make_head(w, m, in);
  const Value raw = joined(head, branches(head, "cv4", head.maps));
  const Value turn = w.graph().op("aten::sub.Scalar", {w.graph().sigmoid(raw), 0.25});
  return oriented(head, w.graph().mul(turn, w.graph().constant(M_PI)));
}

Values obb26(ModuleWriter& w, const PickledModule& m, const Values& in) {
  const Head head = make_head(w, m, in);
  return oriented(head, joined(head, branches(head, "cv4", head.maps)));
}

// One logit a class and cell of the finest level, [N, classes, H / 8, W / 8]; the other branch serves training alone.
Values semantic(ModuleWriter& w, const PickledModule& m, const Values& in) {
  if (in.items.empty()) m.refuse("is given no tensor");
  return w.forward(m.child("classifier"), in.items.front());
}

// Expectation of each side's distribution: the convolution's weights are 0, 1, 2, ...
Value dfl(ModuleWriter& w, const PickledModule& m, Value x) {
  const std::int64_t bins = m.integer("c1", 16);
  if (bins < 1 || bins > 1024) m.fail("has " + std::to_string(bins) + " bins, expected 1 to 1024");
  GraphBuilder& g = w.graph();
  x = g.op("aten::unflatten.int", {x, std::int64_t{1}, Sizes{4, bins}});
  x = g.softmax(g.transpose(x, 2, 1), 1);
  return g.op("aten::squeeze.dim", {w.forward(m.child("conv"), x), std::int64_t{1}});
}

// Logits; the probabilities are the task's.
Values classify(ModuleWriter& w, const PickledModule& m, const Values& in) {
  Value x = in.items.size() == 1 ? in.items.front() : w.graph().cat(in.items, 1);
  x = w.graph().flatten(w.forward(m.child("pool"), w.forward(m.child("conv"), x)));
  return w.forward(m.child("linear"), x);
}

}  // namespace

CellGrid cell_grid(ModuleWriter& w, Value x) {
  GraphBuilder& g = w.graph();
  const auto first = [&](Value y, std::int64_t dim) {
    return g.op("aten::slice.Tensor", {y, dim, std::int64_t{0}, std::int64_t{1}, std::int64_t{1}});
  };
  const Value ones = g.op("aten::ones_like", {first(first(x, 0), 1)}, {{"dtype", DType::float32}});
  const auto centre = [&](std::int64_t dim) {
    return g.op("aten::sub.Scalar", {g.flatten(g.op("aten::cumsum", {ones, dim}), 2), 0.5});
  };
  return {g.cat({centre(3), centre(2)}, 1), g.flatten(ones, 2)};
}

Rules ultralytics_heads() {
  return {
      {{PTRUN_ULTRALYTICS("head", "Detect"), PTRUN_ULTRALYTICS("head", "v10Detect")}, detect},
      {{PTRUN_ULTRALYTICS("head", "Segment")}, segment},
      {{PTRUN_ULTRALYTICS("head", "Segment26")}, segment26},
      {{PTRUN_ULTRALYTICS("head", "Pose")}, pose},
      {{PTRUN_ULTRALYTICS("head", "Pose26")}, pose26},
      {{PTRUN_ULTRALYTICS("head", "OBB")}, obb},
      {{PTRUN_ULTRALYTICS("head", "OBB26")}, obb26},
      {{PTRUN_ULTRALYTICS("head", "SemanticSegment")}, semantic},
      {{PTRUN_ULTRALYTICS("head", "Classify"), PTRUN_YOLOV5("Classify")}, classify},
      {{PTRUN_ULTRALYTICS("block", "DFL")}, one_tensor<dfl>},
  };
}

}  // namespace ptrun::models
