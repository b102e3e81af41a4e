#include "support/tiny_model.h"

#include "archive/weight_table.h"
#include "graph/builder_impl.h"
#include "loader/model_impl.h"

namespace ptrun::test {
namespace {

template <typename Write>
Model built(const char* name, int classes, Write write) {
  const WeightTable no_weights;
  GraphBuilder builder = make_builder(no_weights, [](const WeightTable::Entry&) { return at::Tensor(); });
  builder.output(write(builder, builder.input("x")));
  auto impl = std::make_shared<Model::Impl>();
  impl->path = name;
  impl->kind = "test";
  impl->module = finish(builder);
  impl->labels.names = {"red", "green", "blue"};
  impl->labels.names.resize(static_cast<std::size_t>(classes));
  PresetLayer layer;
  layer.source = "test";
  layer.input_height = layer.input_width = 8;
  layer.resize_size = 8;
  layer.mean = {0, 0, 0};
  layer.std = {1, 1, 1};
  impl->preset = resolve_preset({layer});
  return Model(std::move(impl));
}

}  // namespace

Model mean_colour_model() {
  return built("mean_colour", 3, [](GraphBuilder& g, Value x) { return g.mean(x, {2, 3}); });
}

Model model_that_throws_on_white() {
  return built("throws_on_white", 2, [](GraphBuilder& g, Value x) {
    const Value brightness = g.op("aten::mul.Scalar", {g.mean(x, {1, 2, 3}), 2.0});
    const Value index = g.op("aten::to.dtype", {brightness, DType::int64});
    return g.op("aten::to.dtype", {g.op("aten::one_hot", {index, std::int64_t{2}}), DType::float32});
  });
}

Model model_that_is_infinite_on_black() {
  return built("infinite_on_black", 3, [](GraphBuilder& g, Value x) { return g.op("aten::log", {g.mean(x, {2, 3})}); });
}

}  // namespace ptrun::test
