// ptrun::winograd: 3x3 convolutions of stride 1 in float32 by minimal filtering, a block of tiles at a time. What is
// multiplied stays in the second cache; the filters, four times as large as given, are read once for each block.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "operators/fused_layers.h"
#include "operators/parallel.h"

namespace ptrun {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{512} * 1024;
constexpr std::size_t kFewTiles = 28;   // rows of two tiles of a product
constexpr std::size_t kManyTiles = 64;  // of a block, where the filters come from memory
constexpr std::size_t kLargeFilters = std::size_t{4} * 1024 * 1024;

// How the work is shared: blocks of tiles times parts of the columns.
struct Shares {
  std::size_t tiles = 0, block = 0, blocks = 0;
  std::size_t columns = 0, part = 0, parts = 1;
};

// From row to row: rows a multiple of 4096 bytes apart would share places of the first cache.
std::size_t row_of(std::size_t channels) {
  const std::size_t whole =
      (channels + kernels::kWinogradLanes - 1) / kernels::kWinogradLanes * kernels::kWinogradLanes;
  return whole * sizeof(float) % 4096 == 0 ? whole + kernels::kWinogradLanes : whole;
}

// From position to position: one line of the cache further in each page.
std::size_t position_of(std::size_t rows, std::size_t row) { return (rows * row + 1023) / 1024 * 1024 + 16; }

Shares share(const kernels::Winograd& layer, std::size_t images, std::size_t panel, std::size_t threads) {
  Shares s;
  s.tiles = images * layer.tile_rows() * layer.tile_columns();
  s.columns = s.part = (layer.columns + 7) / 8 * 8;
  const std::size_t bytes = layer.positions() * (layer.in_row + row_of(s.columns)) * sizeof(float);
  const std::size_t filters = layer.positions() * layer.channels * s.columns * sizeof(float);
  std::size_t most =
      std::clamp(kBlockBytes / bytes, filters > kLargeFilters ? kManyTiles : kFewTiles, kernels::kProductRows);
  const std::size_t panels = (s.columns + panel - 1) / panel;
  if (s.tiles < kFewTiles * threads && panels >= threads) {
    // Each thread transforms all of the few tiles and makes some columns.
    s.part = (panels + threads - 1) / threads * panel;
    s.parts = (s.columns + s.part - 1) / s.part;
  } else {
    most = std::min(most, (s.tiles + threads - 1) / threads);
  }
  s.blocks = (s.tiles + most - 1) / most;
  s.blocks = (s.blocks + threads - 1) / threads * threads;
  if (s.parts > 1 || s.blocks > s.tiles) s.blocks = (s.tiles + most - 1) / most;
  s.block = (s.tiles + s.blocks - 1) / s.blocks;
  s.blocks = (s.tiles + s.block - 1) / s.block;
  return s;
}

// One for each thread.
class WinogradRun {
 public:
  WinogradRun(const kernels::Winograd& layer, const kernels::Loops& loops, const Shares& shares, const float* weights)
      : layer_(layer), loops_(loops), shares_(shares), weights_(weights) {
    const auto room = [&](std::size_t position) {
      return at::empty({static_cast<std::int64_t>(layer_.positions() * position)}, at::kFloat);
    };
    layer_.out_row = row_of(shares.part);
    layer_.in_position = position_of(shares.block, layer_.in_row);
    layer_.out_position = position_of(shares.block, layer_.out_row);
    transformed_ = room(layer_.in_position);
    products_ = room(layer_.out_position);
  }

  void operator()(std::size_t index) {
    const std::size_t first = index / shares_.parts * shares_.block;
    const std::size_t last = std::min(first + shares_.block, shares_.tiles);
    const std::size_t first_column = index % shares_.parts * shares_.part;
    const std::size_t last_column = std::min(first_column + shares_.part, shares_.columns);
    auto* transformed = transformed_.mutable_data_ptr<float>();
    auto* products = products_.mutable_data_ptr<float>();
    loops_.winograd_input(layer_, first, last, transformed);
    kernels::Product product;
    product.row_stride = layer_.in_row;
    product.row_count = last - first;
    product.depth = layer_.channels;
    product.columns = shares_.columns - first_column;
    product.last_column = last_column - first_column;
    product.bias = layer_.zeros;
    product.out_stride = layer_.out_row;
    product.scratch = scratch_;
    for (std::size_t position = 0; position < layer_.positions(); ++position) {
      product.rows = transformed + position * layer_.in_position;
      product.weights = weights_ + (position * shares_.columns + first_column) * layer_.channels;
      product.out = products + position * layer_.out_position;
      loops_.product(product);
    }
    loops_.winograd_output(layer_, first, last, first_column, std::min(last_column, layer_.columns), products);
  }

 private:
  kernels::Winograd layer_;
  const kernels::Loops& loops_;
  const Shares& shares_;
  const float* weights_;
  at::Tensor transformed_, products_;
  float scratch_[kernels::kProductScratch];  // NOLINT(modernize-avoid-c-arrays): left as it is, 28 KB
};

}  // namespace

at::Tensor pack_winograd(const at::Tensor& weight, std::int64_t edge) {
  TORCH_CHECK(weight.dim() == 4 && weight.size(2) == 3 && weight.size(3) == 3 && weight.numel() > 0 &&
                  weight.scalar_type() == at::kFloat && (edge == 2 || edge == 4),
              "ptrun::pack_winograd: weights are ", weight.sizes(), ", expected [columns, channels, 3, 3] of float32");
  const at::Tensor dense = weight.contiguous();
  at::Tensor packed = at::empty({(edge + 2) * (edge + 2), (weight.size(0) + 7) / 8 * 8, weight.size(1)}, at::kFloat);
  kernels::winograd_weights(loops_for(at::kFloat), static_cast<std::size_t>(edge), dense.const_data_ptr<float>(),
                            static_cast<std::size_t>(weight.size(0)), static_cast<std::size_t>(weight.size(1)),
                            packed.mutable_data_ptr<float>());
  return packed;
}

at::Tensor winograd(const at::Tensor& given, const at::Tensor& weight, const at::Tensor& bias,
                    const std::optional<at::Tensor>& given_other, std::int64_t columns, std::int64_t padding,
                    at::ArrayRef<double> epilogue) {
  TORCH_CHECK(given.dim() == 4 && given.scalar_type() == at::kFloat && (padding == 0 || padding == 1),
              "ptrun::winograd: the input is ", given.sizes(), " of ", given.scalar_type(), ", the padding ", padding);
  TORCH_CHECK(given.size(2) + 2 * padding >= 3 && given.size(3) + 2 * padding >= 3, "ptrun::winograd: the input of ",
              given.sizes(), " is smaller than the filter");
  TORCH_CHECK(weight.dim() == 3 && (weight.size(0) == 16 || weight.size(0) == 36) && columns > 0 &&
                  weight.size(1) == (columns + 7) / 8 * 8 && weight.size(2) == given.size(1) &&
                  weight.scalar_type() == at::kFloat && weight.is_contiguous(),
              "ptrun::winograd: weights ", weight.sizes(), " do not fit an input of ", given.sizes());
  TORCH_CHECK(bias.numel() == weight.size(1) && bias.scalar_type() == at::kFloat && bias.is_contiguous(),
              "ptrun::winograd: the bias does not fit");
  const at::Tensor input = given.contiguous(at::MemoryFormat::ChannelsLast);
  const std::vector<std::int64_t> sizes = {input.size(0), columns, input.size(2) + 2 * padding - 2,
                                           input.size(3) + 2 * padding - 2};
  TORCH_CHECK(
      !given_other || (given_other->sizes() == at::IntArrayRef(sizes) && given_other->scalar_type() == at::kFloat),
      "ptrun::winograd: the summand is ", given_other ? given_other->sizes() : at::IntArrayRef(), ", expected ",
      at::IntArrayRef(sizes));
  at::Tensor out = results(sizes, input, given_other, at::MemoryFormat::ChannelsLast);
  kernels::Winograd layer;
  at::Tensor other;
  if (given_other) {
    other = given_other->contiguous(at::MemoryFormat::ChannelsLast);
    layer.other = other.const_data_ptr<float>();
  }
  if (out.numel() == 0) return out;
  const at::Tensor zeros = at::zeros({std::max(weight.size(1), weight.size(2))}, at::kFloat);
  layer.edge = weight.size(0) == 36 ? 4 : 2;
  layer.in = input.const_data_ptr<float>();
  layer.height = static_cast<std::size_t>(input.size(2));
  layer.width = static_cast<std::size_t>(input.size(3));
  layer.channels = static_cast<std::size_t>(input.size(1));
  layer.padding = static_cast<std::size_t>(padding);
  layer.zeros = zeros.const_data_ptr<float>();
  layer.bias = bias.const_data_ptr<float>();
  layer.out = out.mutable_data_ptr<float>();
  layer.out_height = static_cast<std::size_t>(sizes[2]);
  layer.out_width = static_cast<std::size_t>(sizes[3]);
  layer.columns = static_cast<std::size_t>(columns);
  layer.epilogue = epilogue_of(epilogue);
  layer.in_row = row_of(layer.channels);
  const std::size_t tiles = static_cast<std::size_t>(sizes[0]) * layer.tile_rows() * layer.tile_columns();
  const std::int64_t threads =
      threads_for(static_cast<double>(tiles) * static_cast<double>(weight.numel()), at::kFloat);
  const kernels::Loops& loops = loops_for(at::kFloat);
  const Shares shares =
      share(layer, static_cast<std::size_t>(sizes[0]), loops.panel, static_cast<std::size_t>(threads));
  const auto all = static_cast<std::int64_t>(shares.blocks * shares.parts);
  parallel_for(0, all, (all + threads - 1) / threads, [&](std::int64_t begin, std::int64_t end) {
    WinogradRun run(layer, loops, shares, weight.const_data_ptr<float>());
    for (std::int64_t i = begin; i < end; ++i) run(static_cast<std::size_t>(i));
  });
  return out;
}

}  // namespace ptrun
