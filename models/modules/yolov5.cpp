// The heads of the YOLOv5 repository. One tensor [N, A, 5 + classes + masks] comes out: centre x, centre y, width,
// height in pixels of the input, objectness, a probability a class, mask coefficients. Anchors of fixed sizes at each
// cell, as YOLOv2 and v3 (1804.02767), with twice the sigmoid as range.
#include "modules/ultralytics.h"

namespace ptrun::models {
namespace {

using Sizes = std::vector<std::int64_t>;

struct Anchors {
  std::int64_t count = 0;    // a cell
  std::int64_t numbers = 0;  // an anchor: 5 + classes + masks
  std::int64_t masks = 0;
  std::vector<double> sizes;  // width, height in cells, of all levels
  std::vector<double> strides;
};

Anchors anchors_of(ModuleWriter& w, const PickledModule& m, std::size_t levels) {
  Anchors anchors;
  anchors.count = m.integer("na");
  anchors.numbers = m.integer("no");
  anchors.masks = m.integer("nm", 0);
  anchors.sizes = w.numbers(m, "anchors");
  anchors.strides = w.numbers(m, "stride");
  const bool sound = anchors.count >= 1 && anchors.count <= 100 && anchors.masks >= 0 &&
                     anchors.numbers > 5 + anchors.masks && anchors.numbers <= 100'000 &&
                     anchors.strides.size() == levels &&
                     anchors.sizes.size() == levels * static_cast<std::size_t>(anchors.count) * 2;
  if (!sound) {
    m.fail("has anchors (" + std::to_string(anchors.count) + " of " + std::to_string(anchors.numbers) +
           " numbers a cell, " + std::to_string(anchors.sizes.size()) + " sizes, " +
           std::to_string(anchors.strides.size()) + " strides) that do not fit " + std::to_string(levels) +
           " feature maps");
  }
  return anchors;
}

// One level: [N, anchors * numbers, H, W] -> [N, anchors * H * W, numbers].
Value level(ModuleWriter& w, const Anchors& anchors, std::size_t at, Value x) {
  GraphBuilder& g = w.graph();
  const CellGrid grid = cell_grid(w, x);
  const auto part = [&](Value y, std::int64_t start, std::int64_t end) { return g.slice(y, 2, start, end); };
  // [N, anchors, numbers, cells]
  const Value rows = g.flatten(g.op("aten::unflatten.int", {x, std::int64_t{1}, Sizes{anchors.count, -1}}), 3);
  const std::int64_t sigmoid_end = anchors.numbers - anchors.masks;
  const Value all = g.sigmoid(part(rows, 0, sigmoid_end));
  const double stride = anchors.strides[at];
  // Twice the sigmoid reaches half a cell beyond the cell: from its corner, one half less.
  const Value corner = g.op("aten::sub.Scalar", {grid.centres, 1.0});
  const Value place = g.mul(g.add(g.mul(part(all, 0, 2), g.constant(2.0)), corner), g.constant(stride));
  std::vector<Value> sizes;
  for (std::int64_t anchor = 0; anchor < anchors.count; ++anchor) {
    for (std::size_t side = 0; side < 2; ++side) {
      const std::size_t index =
          (at * static_cast<std::size_t>(anchors.count) + static_cast<std::size_t>(anchor)) * 2 + side;
      sizes.push_back(g.mul(grid.ones, g.constant(anchors.sizes[index] * stride)));
    }
  }
  const Value anchor_sizes = g.op("aten::unflatten.int", {g.cat(sizes, 1), std::int64_t{1}, Sizes{anchors.count, 2}});
  const Value twice = g.mul(part(all, 2, 4), g.constant(2.0));
  const Value size = g.mul(g.mul(twice, twice), anchor_sizes);
  std::vector<Value> parts = {place, size, part(all, 4, sigmoid_end)};
  if (anchors.masks > 0) parts.push_back(part(rows, sigmoid_end, anchors.numbers));
  const Value columns = g.transpose(g.cat(parts, 2), 2, 3);
  return g.op("aten::flatten.using_ints", {columns, std::int64_t{1}, std::int64_t{2}});
}

Value boxes(ModuleWriter& w, const PickledModule& m, const Values& in) {
  const std::vector<PickledModule> convolutions = list_of(m, "m");
  if (convolutions.empty() || convolutions.size() != in.items.size()) {
    m.fail("has " + std::to_string(convolutions.size()) + " convolutions for " + std::to_string(in.items.size()) +
           " feature maps");
  }
  const Anchors anchors = anchors_of(w, m, in.items.size());
  std::vector<Value> levels;
  for (std::size_t i = 0; i < in.items.size(); ++i) {
    levels.push_back(level(w, anchors, i, w.forward(convolutions[i], in.items[i])));
  }
  return w.graph().cat(levels, 1);
}

Values detect(ModuleWriter& w, const PickledModule& m, const Values& in) {
  Values result{boxes(w, m, in)};
  result.names = {"anchors"};
  return result;
}

Values segment(ModuleWriter& w, const PickledModule& m, const Values& in) {
  Values result{boxes(w, m, in), w.forward(m.child("proto"), in.items.front())};
  result.names = {"anchors", "proto"};
  return result;
}

}  // namespace

Rules yolov5() {
  return {
      {{"models.yolo.Detect", "yolov5.models.yolo.Detect"}, detect},
      {{"models.yolo.Segment", "yolov5.models.yolo.Segment"}, segment},
  };
}

}  // namespace ptrun::models
