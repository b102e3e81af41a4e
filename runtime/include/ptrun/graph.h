// Writing a network as a graph. No LibTorch type appears here: a file in models/ includes this and nothing else.
//
//   Value head(GraphBuilder& g, Weights w, Value x) {
//     return g.linear(w / "fc", g.flatten(g.mean(x, {2, 3})));
//   }
//
// Values and weights belong to the builder that made them and are cheap to copy. One builder, one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "ptrun/export.h"
#include "ptrun/signature.h"

namespace ptrun {

class GraphBuilder;
class WeightTable;

// A tensor, list or scalar inside the graph under construction.
class Value {
 public:
  Value() = default;
  explicit operator bool() const noexcept { return handle_ != nullptr; }  // False for None.

 private:
  friend class GraphBuilder;
  explicit Value(void* handle) : handle_(handle) {}
  void* handle_ = nullptr;
};

// A view of a file's named tensors below one dotted prefix. Structure is read from which names exist.
class PTRUN_API Weights {
 public:
  // All names of the table that begin with `prefix` and a dot.
  explicit Weights(const WeightTable& table, std::string prefix = {});

  // The view below `name`: (w / "layer1")["0.conv1.weight"] is "layer1.0.conv1.weight".
  Weights operator/(std::string_view name) const;
  // True when the tensor `name`, or any tensor below it, exists.
  bool has(std::string_view name) const;
  // Sizes of tensor `name`, or nothing when the file lacks it.
  std::optional<std::vector<std::int64_t>> shape(std::string_view name) const;
  // Size `dimension` of tensor `name`; 0 when the tensor or the dimension is missing.
  std::int64_t size(std::string_view name, std::size_t dimension) const;
  DType dtype(std::string_view name) const;  // unknown when missing.
  // Direct children by name: those with number names in numeric order, then the others in file order.
  std::vector<std::string> child_names() const;
  // Views of the children with number names, in numeric order: for (Weights block : (w / "layer1").items()).
  std::vector<Weights> items() const;
  // Number of items().
  std::size_t count() const;
  // Last component of the prefix ("0" for "layer1.0"), and the whole prefix.
  std::string_view name() const noexcept;
  const std::string& prefix() const noexcept { return prefix_; }  // "layer1.0"
  const WeightTable& table() const noexcept { return *table_; }   // What the view looks at.

 private:
  const WeightTable* table_;
  std::string prefix_;
};

// Height and width of a stride or padding; one number stands for both.
struct Extent2d {
  // One number for both.
  constexpr Extent2d(std::int64_t both) : height(both), width(both) {}  // NOLINT(google-explicit-constructor)
  // Height, then width.
  constexpr Extent2d(std::int64_t h, std::int64_t w) : height(h), width(w) {}
  std::int64_t height;
  std::int64_t width;
};

// torch.nn.Conv2d's arguments that the weights do not say.
struct Conv2dOptions {
  Extent2d stride = 1;
  Extent2d padding = 0;
  Extent2d dilation = 1;
  std::int64_t groups = 0;       // 0: from the weight's shape and the channels of the input
  std::int64_t in_channels = 0;  // needed when groups is 0 and the input does not come from a layer of this builder
};
// torch.nn.MaxPool2d's and AvgPool2d's arguments.
struct Pool2dOptions {
  std::int64_t kernel = 2;
  std::int64_t stride = 0;  // 0: equal to kernel
  std::int64_t padding = 0;
  bool ceil_mode = false;
  bool count_include_pad = true;  // average pooling only
};
// How GraphBuilder::attention weighs its values.
struct AttentionOptions {
  Value mask = {};              // float, added to the scores; broadcast to [N, heads, queries, keys]
  std::optional<double> scale;  // of the scores; nothing: 1 / sqrt(channels of a head)
};

// An argument of GraphBuilder::op. An empty Argument is None. Several Values are a list of tensors, or of integers
// where the first is one (aten::size.int, constant()).
using Argument = std::variant<std::monostate, Value, std::int64_t, double, bool, std::string, std::vector<std::int64_t>,
                              std::vector<double>, std::vector<Value>, DType>;

// One size of a shape: a number (-1 where LibTorch infers it) or a scalar of the graph.
using Size = std::variant<std::int64_t, Value>;

// Writes one flat graph with the weights as constants. A weight that is missing or has another shape than its layer
// needs does not stop the writing: all of them are named together, as bad_model, when the loader ends the graph.
// A wrong schema or argument throws Error(internal).
class PTRUN_API GraphBuilder {
 public:
  explicit GraphBuilder(const WeightTable& table);  // The table must outlive the builder.
  ~GraphBuilder();
  GraphBuilder(GraphBuilder&&) noexcept;             // The other one is empty then.
  GraphBuilder& operator=(GraphBuilder&&) noexcept;  // The same.

  // A new graph input; [N, 3, H, W] float32 for image networks.
  Value input(std::string_view name);
  // Adds outputs in order; a single one is returned as a tensor, several as a tuple.
  void output(Value value, std::string_view name = "output");

  // Tensor `name` of the file as a constant: float32 for every floating type, else in the file's dtype.
  Value weight(const Weights& w, std::string_view name);
  // The same; sizes other than `shape` (-1: any) are a difference that is named.
  Value weight(const Weights& w, std::string_view name, const std::vector<std::int64_t>& shape);
  Value constant(double value);        // A float of the graph.
  Value constant(std::int64_t value);  // An int of the graph.
  // Every tensor below `w` (and `w` itself) is known and not needed, such as an auxiliary head: not left over.
  void skip(const Weights& w);

  // Any operator by its exact schema name, for example op("aten::roll", {x, shifts, dims}); the overload goes
  // after a dot ("aten::add.Tensor"). Trailing defaults may be left out; `named` gives keyword arguments.
  Value op(std::string_view schema, const std::vector<Argument>& arguments,
           const std::vector<std::pair<std::string, Argument>>& named = {});
  // The same for an operator with several results.
  std::vector<Value> op_results(std::string_view schema, const std::vector<Argument>& arguments,
                                const std::vector<std::pair<std::string, Argument>>& named = {});

  // Layers: parameters are looked up under `w` by torch.nn's names (weight, bias, running_mean, ...).
  Value conv2d(const Weights& w, Value x, const Conv2dOptions& options = {});
  Value batch_norm(const Weights& w, Value x, double eps = 1e-5);  // In eval mode.
  // x times the transposed weight, plus the bias where there is one.
  Value linear(const Weights& w, Value x, std::string_view weight = "weight", std::string_view bias = "bias");
  Value layer_norm(const Weights& w, Value x, double eps = 1e-5);  // Over the last dimension.

  // Pure functions of tensors.
  Value relu(Value x);
  Value relu6(Value x);                                                              // min(max(x, 0), 6)
  Value silu(Value x);                                                               // x * sigmoid(x)
  Value hardswish(Value x);                                                          // x * relu6(x + 3) / 6
  Value hardsigmoid(Value x);                                                        // relu6(x + 3) / 6
  Value sigmoid(Value x);                                                            // 1 / (1 + exp(-x))
  Value tanh(Value x);                                                               // aten::tanh
  Value gelu(Value x);                                                               // the exact one, by erf
  Value softmax(Value x, std::int64_t dim);                                          // aten::softmax
  Value max_pool2d(Value x, const Pool2dOptions& options);                           // aten::max_pool2d
  Value avg_pool2d(Value x, const Pool2dOptions& options);                           // aten::avg_pool2d
  Value adaptive_avg_pool2d(Value x, std::int64_t height, std::int64_t width);       // aten::adaptive_avg_pool2d
  Value mean(Value x, const std::vector<std::int64_t>& dims, bool keepdim = false);  // aten::mean.dim
  Value flatten(Value x, std::int64_t start_dim = 1);                                // aten::flatten
  Value add(Value a, Value b);                                                       // a + b
  Value mul(Value a, Value b);                                                       // a * b
  Value cat(const std::vector<Value>& values, std::int64_t dim);                     // aten::cat
  // softmax(q k^T * scale + mask) v of [N, heads, tokens, channels]: aten::scaled_dot_product_attention.
  Value attention(Value q, Value k, Value v, const AttentionOptions& options = {});

  // Shapes. Dimensions count from 0, or from the end when negative.
  Value size(Value x, std::int64_t dim);                           // a scalar
  Value sizes(const std::vector<Size>& values);                    // int[] of numbers and scalars, an argument of op()
  Value reshape(Value x, const std::vector<Size>& shape);          // aten::reshape
  Value permute(Value x, const std::vector<std::int64_t>& dims);   // aten::permute
  Value transpose(Value x, std::int64_t dim0, std::int64_t dim1);  // aten::transpose
  Value contiguous(Value x);                                       // aten::contiguous
  Value select(Value x, std::int64_t dim, std::int64_t index);     // aten::select
  Value slice(Value x, std::int64_t dim, const Size& start, const Size& end, std::int64_t step = 1);  // aten::slice

  struct Impl;  // runtime/graph only
  Impl& impl() noexcept { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace ptrun
