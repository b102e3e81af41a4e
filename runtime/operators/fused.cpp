#include "operators/fused.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/kernels.h"
#include "operators/fused_layers.h"
#include "operators/parallel.h"

namespace ptrun {
namespace {

using kernels::Loops;

// A product of fewer rows takes as long: reading the weights does.
constexpr std::int64_t kFewRows = 16;
// Channels of an image whose means a thread takes together, so that one image keeps all threads busy.
constexpr std::size_t kTogether = 16;

std::size_t size_of(const at::Tensor& tensor, std::int64_t dimension) {
  return static_cast<std::size_t>(tensor.size(dimension));
}

at::Tensor packed_room(const at::Tensor& weight, at::ScalarType type) {
  return at::empty({(weight.size(0) + 7) / 8 * 8, weight.size(1)}, at::TensorOptions().dtype(type).device(at::kCPU));
}

at::Tensor pack_deep(const at::Tensor& dense, const kernels::DeepProduct* deep) {
  TORCH_CHECK(deep != nullptr && deep->fits(size_of(dense, 0), size_of(dense, 1)),
              "ptrun: there is no such deep product for weights ", dense.sizes());
  const auto size = static_cast<std::int64_t>(deep->part_size(size_of(dense, 0), size_of(dense, 1)));
  at::Tensor packed = at::empty({static_cast<std::int64_t>(deep->parts), size},
                                at::TensorOptions().dtype(type_of(deep->weights)).device(at::kCPU));
  deep->pack(dense.const_data_ptr(), size_of(dense, 0), size_of(dense, 1), packed.mutable_data_ptr());
  return packed;
}

at::Tensor pack_pointwise(const at::Tensor& weight, at::ScalarType type, std::int64_t parts) {
  TORCH_CHECK(weight.dim() == 2 && weight.scalar_type() == at::kFloat && weight.numel() > 0,
              "ptrun::pack_pointwise: weights are ", weight.sizes(), ", expected [columns, depth] of float32");
  TORCH_CHECK(type == at::kFloat || weight.size(1) % 2 == 0, "ptrun::pack_pointwise: the depth is odd");
  const Loops& loops = loops_for(type);
  const at::Tensor dense = weight.to(type).contiguous();
  if (parts != 0) return pack_deep(dense, deep_product(loops, parts));
  at::Tensor packed = packed_room(weight, type);
  kernels::pack_weights(loops, dense.const_data_ptr(), size_of(dense, 0), size_of(dense, 1), packed.mutable_data_ptr());
  return packed;
}

std::tuple<at::Tensor, at::Tensor> pack_integers(const at::Tensor& weight, bool deep) {
  TORCH_CHECK(weight.dim() == 2 && weight.scalar_type() == at::kFloat && weight.numel() > 0 && weight.size(1) % 2 == 0,
              "ptrun::pack_integers: weights are ", weight.sizes(), ", expected [columns, even depth] of float32");
  const Loops& loops = loops_for(at::kShort);
  TORCH_CHECK(!deep || loops.deep != nullptr, "ptrun: there is no deep product of integers");
  const at::Tensor dense = weight.contiguous();
  const at::Tensor integers = at::empty(weight.sizes(), at::kShort);
  at::Tensor scales = at::zeros({(weight.size(0) + 7) / 8 * 8}, at::kFloat);
  kernels::quantise_weights(dense.const_data_ptr<float>(), size_of(weight, 0), size_of(weight, 1),
                            integers.mutable_data_ptr<std::int16_t>(), scales.mutable_data_ptr<float>(),
                            deep ? loops.deep->largest_integer : kernels::kLargestWeight);
  if (deep) return {pack_deep(integers, loops.deep), scales};
  at::Tensor packed = packed_room(weight, at::kShort);
  kernels::pack_weights(loops, integers.const_data_ptr(), size_of(weight, 0), size_of(weight, 1),
                        packed.mutable_data_ptr());
  return {packed, scales};
}

// The rows that one thread takes, and the columns.
struct Part {
  std::int64_t first_row = 0, last_row = 0;
  std::size_t first_column = 0, last_column = 0;
};

// Splits a product between threads: rows in whole tiles, or of few rows the panels of weights, one after the other,
// with their tiles.
class Split {
 public:
  Split(const PointwiseLayer& layer, std::int64_t rows, std::int64_t threads)
      : rows_(rows),
        threads_(threads),
        panel_(layer.deep != nullptr ? layer.deep->columns : layer.loops->panel),
        columns_(layer.product.columns),
        panels_(rows >= 2 * kTile * threads ? 1 : static_cast<std::int64_t>((columns_ + panel_ - 1) / panel_)) {
    if (panels_ == 1) panel_ = columns_;
  }

  // What the threads [first, last) take: the rest of a panel, whole panels, the front of another one; some are empty.
  std::array<Part, 3> parts(std::int64_t first, std::int64_t last) const {
    const auto [from, from_row] = cut(first);
    const auto [to, to_row] = cut(last);
    if (from == to) return {part(from, from + 1, from_row, to_row), Part{}, Part{}};
    const std::int64_t whole = from_row == 0 ? from : from + 1;
    return {part(from, whole, from_row, rows_), part(whole, to, 0, rows_), part(to, to + 1, 0, to_row)};
  }

 private:
  static constexpr std::int64_t kTile = 14;

  // Where the part of a thread begins: a panel and a row of it.
  std::pair<std::int64_t, std::int64_t> cut(std::int64_t thread) const {
    const std::int64_t place = panels_ * rows_ * thread / threads_;
    const std::int64_t panel = place / rows_;
    const std::int64_t row = (place % rows_ + kTile / 2) / kTile * kTile;
    return row < rows_ ? std::pair(panel, row) : std::pair(panel + 1, std::int64_t{0});
  }

  Part part(std::int64_t panel, std::int64_t end, std::int64_t row, std::int64_t end_row) const {
    const auto column = [&](std::int64_t of) { return std::min(static_cast<std::size_t>(of) * panel_, columns_); };
    return {row, end_row, column(panel), column(end)};
  }

  std::int64_t rows_, threads_;
  std::size_t panel_, columns_;
  std::int64_t panels_;
};

// One part of a product. Where there is a gate, the weights are scaled for each image if they are far fewer than its
// pixels, else the rows, as many at a time as stay in the second cache beside the weights.
void run_part(const PointwiseLayer& given, const Part& part, const at::Tensor& input,
              const std::optional<at::Tensor>& gate, const at::Tensor* other, at::Tensor& out) {
  PointwiseLayer layer = given;
  const std::size_t size = layer.element_size;
  const std::size_t depth = layer.product.depth;
  const std::size_t columns = layer.product.columns;
  const auto* in_bytes = static_cast<const char*>(input.const_data_ptr());
  const auto* other_bytes = other == nullptr ? nullptr : static_cast<const char*>(other->const_data_ptr());
  auto* out_bytes = static_cast<char*>(out.mutable_data_ptr());
  const std::int64_t pixels = gate ? input.size(2) * input.size(3) : part.last_row;
  const bool scales_weights = gate && layer.deep == nullptr && layer.loops->element != kernels::Element::int16 &&
                              pixels > static_cast<std::int64_t>(3 * columns);
  const bool gates = gate && layer.deep != nullptr && layer.deep->gates;
  const bool scales_rows = gate && !scales_weights && !gates;
  const std::int64_t most = scales_rows ? static_cast<std::int64_t>(prepared_rows(layer)) : pixels;
  at::Tensor scaled;
  if (scales_rows) scaled = at::empty({std::min(most, pixels), static_cast<std::int64_t>(depth)}, input.options());
  if (scales_weights) {
    scaled = at::empty({static_cast<std::int64_t>((columns + 7) / 8 * 8 * depth)}, input.options());
    layer.product.weights = scaled.const_data_ptr();
  }
  PointwiseRun run(layer);
  std::int64_t ready = -1;  // the image that the weights are scaled for
  for (std::int64_t row = part.first_row; row < part.last_row;) {
    const std::int64_t image = gate ? row / pixels : 0;
    const std::int64_t last = std::min({row + most, gate ? (image + 1) * pixels : part.last_row, part.last_row});
    const auto count = static_cast<std::size_t>(last - row);
    const void* rows = in_bytes + static_cast<std::size_t>(row) * depth * size;
    const void* factors =
        gate ? static_cast<const char*>(gate->const_data_ptr()) + static_cast<std::size_t>(image) * depth * size
             : nullptr;
    if (scales_rows) {
      loops_for(layer.type).scale(rows, factors, count, depth, scaled.mutable_data_ptr());
      rows = scaled.const_data_ptr();
    }
    if (gates) layer.product.gate = static_cast<const float*>(factors);
    if (scales_weights && ready != image) {
      kernels::scale_weights(*layer.loops, given.product.weights, factors, columns, depth, scaled.mutable_data_ptr());
      ready = image;
    }
    const std::size_t at = static_cast<std::size_t>(row) * columns * size;
    run(rows, count, other_bytes == nullptr ? nullptr : other_bytes + at, out_bytes + at, part.first_column,
        part.last_column);
    row = last;
  }
}

at::Tensor pointwise(const at::Tensor& given, const std::optional<at::Tensor>& given_gate, const at::Tensor& weight,
                     const std::optional<at::Tensor>& scales, const at::Tensor& bias,
                     const std::optional<at::Tensor>& given_other, std::int64_t columns, bool pixels,
                     std::int64_t activation, double low, double high, bool after_addition) {
  TORCH_CHECK(given.dim() >= 1 && (!pixels || given.dim() == 4), "ptrun::pointwise: the input is ", given.sizes());
  const auto format = pixels ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  const at::Tensor input = given.contiguous(format);
  std::vector<std::int64_t> sizes = input.sizes().vec();
  const std::int64_t depth = pixels ? sizes[1] : sizes.back();
  (pixels ? sizes[1] : sizes.back()) = columns;
  const PointwiseLayer layer = pointwise_layer(weight, scales, bias, columns, depth, input.scalar_type(),
                                               epilogue_of(activation, low, high, after_addition));
  std::optional<at::Tensor> gate;
  if (given_gate) {
    TORCH_CHECK(
        pixels && given_gate->numel() == input.size(0) * depth && given_gate->scalar_type() == input.scalar_type(),
        "ptrun::pointwise: the gate does not fit");
    gate = given_gate->contiguous();
  }
  TORCH_CHECK(!given_other ||
                  (given_other->sizes() == at::IntArrayRef(sizes) && given_other->scalar_type() == input.scalar_type()),
              "ptrun::pointwise: the summand is ", given_other ? given_other->sizes() : at::IntArrayRef(),
              ", expected ", at::IntArrayRef(sizes));
  // The sums of parts of the depth wait where the results will be.
  const bool waits = layer.deep != nullptr && layer.deep->waits(layer.product.depth);
  at::Tensor out = waits ? at::empty(sizes, input.options(), format) : results(sizes, input, given_other, format);
  std::optional<at::Tensor> other;
  if (given_other) other = given_other->contiguous(format);
  if (out.numel() == 0) return out;
  const std::int64_t rows = out.numel() / columns;
  const at::Tensor* added = other ? &*other : nullptr;
  const std::int64_t threads =
      threads_for(static_cast<double>(std::max(rows, kFewRows) * columns * depth), input.scalar_type());
  const Split split(layer, rows, threads);
  parallel_for(0, threads, 1, [&](std::int64_t first, std::int64_t last) {
    for (const Part& part : split.parts(first, last)) {
      if (part.first_row < part.last_row && part.first_column < part.last_column) {
        run_part(layer, part, input, gate, added, out);
      }
    }
  });
  return out;
}

at::Tensor depthwise(const at::Tensor& given, const at::Tensor& weight, const at::Tensor& bias, std::int64_t kernel,
                     std::int64_t stride, std::int64_t padding, std::int64_t activation, double low, double high) {
  TORCH_CHECK(given.dim() == 4, "ptrun::depthwise: the input is ", given.sizes(), ", expected [N, C, H, W]");
  const Loops& loops = loops_for(given.scalar_type());
  const at::Tensor input = given.contiguous(at::MemoryFormat::ChannelsLast);
  const kernels::Depthwise layer = depthwise_layer(weight, bias, kernel, stride, padding, input.size(1), input.size(2),
                                                   input.size(3), epilogue_of(activation, low, high, false));
  at::Tensor out = at::empty({input.size(0), input.size(1), static_cast<std::int64_t>(layer.out_height),
                              static_cast<std::int64_t>(layer.out_width)},
                             input.options(), at::MemoryFormat::ChannelsLast);
  if (out.numel() == 0) return out;
  const std::size_t size = input.dtype().itemsize();
  const std::int64_t height = out.size(2);
  const std::int64_t rows = out.size(0) * height;
  const auto* in_bytes = static_cast<const char*>(input.const_data_ptr());
  auto* out_bytes = static_cast<char*>(out.mutable_data_ptr());
  // Each product loads a number of its own, which takes about as long as four of a matrix.
  const std::int64_t threads =
      threads_for(4.0 * static_cast<double>(out.numel() * kernel * kernel), input.scalar_type());
  parallel_for(0, rows, (rows + threads - 1) / threads, [&](std::int64_t first, std::int64_t last) {
    kernels::Depthwise piece = layer;
    for (std::int64_t row = first; row < last;) {
      const std::int64_t image = row / height;
      const std::int64_t end = std::min(last, (image + 1) * height);
      const auto index = static_cast<std::size_t>(image);
      piece.in = in_bytes + index * layer.height * layer.width * layer.channels * size;
      piece.out = out_bytes + index * layer.out_height * layer.out_width * layer.channels * size;
      loops.depthwise(piece, static_cast<std::size_t>(row - image * height),
                      static_cast<std::size_t>(end - image * height));
      row = end;
    }
  });
  return out;
}

at::Tensor attention(const at::Tensor& given_query, const at::Tensor& given_key, const at::Tensor& given_value,
                     double scale) {
  const auto close = [](const at::Tensor& tensor) {
    return tensor.dim() == 4 && tensor.stride(3) != 1 ? tensor.contiguous() : tensor;
  };
  const at::Tensor query = close(given_query);
  const at::Tensor key = close(given_key);
  const at::Tensor value = close(given_value);
  TORCH_CHECK(query.dim() == 4 && key.sizes() == value.sizes() && key.dim() == 4 && query.size(0) == key.size(0) &&
                  query.size(1) == key.size(1) && query.size(3) == key.size(3) &&
                  key.scalar_type() == query.scalar_type() && value.scalar_type() == query.scalar_type(),
              "ptrun::attention: ", query.sizes(), ", ", key.sizes(), " and ", value.sizes(), " do not fit");
  const Loops& loops = loops_for(query.scalar_type());
  TORCH_CHECK(query.scalar_type() == at::kFloat || query.size(3) % 2 == 0, "ptrun::attention: the width is odd");
  // Heads of a token side by side, as the layer behind wants them.
  at::Tensor out = at::empty({query.size(0), query.size(2), query.size(1), query.size(3)}, query.options());
  out = out.transpose(1, 2);
  if (out.numel() == 0 || key.numel() == 0) return out.zero_();
  kernels::Attention head;
  head.query_stride = static_cast<std::size_t>(query.stride(2));
  head.key_stride = static_cast<std::size_t>(key.stride(2));
  head.value_stride = static_cast<std::size_t>(value.stride(2));
  head.out_stride = static_cast<std::size_t>(out.stride(2));
  head.query_count = size_of(query, 2);
  head.key_count = size_of(key, 2);
  head.width = size_of(query, 3);
  head.scale = static_cast<float>(scale);
  const auto size = static_cast<std::int64_t>(query.dtype().itemsize());
  const kernels::AttentionRoom room(head, query.dtype().itemsize());
  const std::int64_t heads = query.size(1);
  const std::int64_t all = query.size(0) * heads;
  const std::int64_t threads = at::get_num_threads();
  parallel_for(0, all, (all + threads - 1) / threads, [&](std::int64_t first, std::int64_t last) {
    const at::Tensor scratch = at::empty({static_cast<std::int64_t>(room.size)}, at::kFloat);
    for (std::int64_t i = first; i < last; ++i) {
      const auto of = [&](const at::Tensor& tensor) {
        return static_cast<const char*>(tensor.const_data_ptr()) +
               (i / heads * tensor.stride(0) + i % heads * tensor.stride(1)) * size;
      };
      kernels::Attention piece = head;
      piece.queries = of(query);
      piece.keys = of(key);
      piece.values = of(value);
      piece.out =
          static_cast<char*>(out.mutable_data_ptr()) + (i / heads * out.stride(0) + i % heads * out.stride(1)) * size;
      piece.scratch = scratch.mutable_data_ptr<float>();
      loops.attention(piece);
    }
  });
  return out;
}

at::Tensor global_mean(const at::Tensor& given) {
  TORCH_CHECK(given.dim() == 4 && given.size(2) > 0 && given.size(3) > 0, "ptrun::global_mean: the input is ",
              given.sizes(), ", expected [N, C, H, W]");
  const Loops& loops = loops_for(given.scalar_type());
  const at::Tensor input = given.contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor out = at::empty({input.size(0), input.size(1), 1, 1}, input.options(), at::MemoryFormat::ChannelsLast);
  const std::size_t channels = size_of(input, 1);
  const std::size_t pixels = size_of(input, 2) * size_of(input, 3);
  const std::size_t size = input.dtype().itemsize();
  const std::size_t groups = (channels + kTogether - 1) / kTogether;
  const std::int64_t all = input.size(0) * static_cast<std::int64_t>(groups);
  // Adding a number takes as long as about twelve products.
  const std::int64_t threads = threads_for(12.0 * static_cast<double>(input.numel()), input.scalar_type());
  parallel_for(0, all, (all + threads - 1) / threads, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> sums(channels);
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end);) {
      const std::size_t image = i / groups;
      const std::size_t next = std::min((image + 1) * groups, static_cast<std::size_t>(end));
      const std::size_t first = (i - image * groups) * kTogether;
      const std::size_t last = std::min((next - image * groups) * kTogether, channels);
      loops.mean(static_cast<const char*>(input.const_data_ptr()) + (image * pixels * channels + first) * size, pixels,
                 channels, last - first, sums.data(),
                 static_cast<char*>(out.mutable_data_ptr()) + (image * channels + first) * size);
      i = next;
    }
  });
  return out;
}

}  // namespace

void register_fused_operators() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Never destroyed: a library that goes takes its operators with it, while models may still run at exit.
    static auto* const library =
        new torch::Library(torch::Library::FRAGMENT, "ptrun", std::nullopt, __FILE__, __LINE__);
    library->def("pack_pointwise(Tensor weight, ScalarType type, int parts=0) -> Tensor");
    library->def("pack_integers(Tensor weight, bool deep=False) -> (Tensor, Tensor)");
    library->impl("pack_integers", torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(pack_integers)));
    library->def(
        "pointwise(Tensor input, Tensor? gate, Tensor weight, Tensor? scales, Tensor bias, Tensor? other, int columns, "
        "bool pixels, "
        "int activation, float low, float high, bool after_addition) -> Tensor");
    library->def(
        "depthwise(Tensor input, Tensor weight, Tensor bias, int kernel, int stride, int padding, int activation, "
        "float low, float high) -> Tensor");
    library->def(
        "strips(Tensor input, Tensor? expand_weight, Tensor? expand_scales, Tensor? expand_bias, int expand_columns, "
        "float[] expand_epilogue, Tensor taps, Tensor bias, int kernel, int stride, int padding, float[] epilogue, "
        "Tensor? project_weight, Tensor? project_scales, Tensor? project_bias, Tensor? other, int project_columns, "
        "float[] project_epilogue) -> Tensor");
    library->def(
        "convolution(Tensor input, Tensor weight, Tensor? scales, Tensor bias, Tensor? other, int columns, int[] "
        "kernel, "
        "int stride, int padding, float[] epilogue) -> Tensor");
    library->impl("convolution", torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(convolution)));
    library->def("pack_dense(Tensor weight, ScalarType type, int parts) -> Tensor");
    library->impl("pack_dense", torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(pack_dense)));
    library->def(
        "dense(Tensor input, Tensor weight, Tensor bias, Tensor? other, int columns, int[] kernel, int padding, "
        "float[] epilogue) -> Tensor");
    library->impl("dense", torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(dense)));
    library->def("pack_winograd(Tensor weight, int edge) -> Tensor");
    library->impl("pack_winograd", torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(pack_winograd)));
    library->def(
        "winograd(Tensor input, Tensor weight, Tensor bias, Tensor? other, int columns, int padding, float[] epilogue) "
        "-> Tensor");
    library->impl("winograd", torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(winograd)));
    library->impl("strips", torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(strips)));
    library->def("attention(Tensor query, Tensor key, Tensor value, float scale) -> Tensor");
    library->impl("attention", torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(attention)));
    library->def("global_mean(Tensor input) -> Tensor");
    library->impl("pack_pointwise", torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(pack_pointwise)));
    library->impl("pointwise", torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(pointwise)));
    library->impl("depthwise", torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(depthwise)));
    library->impl("global_mean", torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(global_mean)));
  });
}

}  // namespace ptrun
