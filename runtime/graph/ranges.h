// Which values the tensors of a graph take on real images: what eight bits of an activation have to cover.
#pragma once

#include <ATen/core/ivalue.h>

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace torch::jit {
struct Graph;
struct Value;
}  // namespace torch::jit

namespace ptrun::jit {

struct TensorRange {
  std::string made_by;  // the operator, "aten::conv2d"; "input" for the graph's inputs
  float low = 0;
  float high = 0;  // low > high: none, no values were seen or they only go into an activation
  // Of each channel (second of four dimensions, else the last), where a convolution or linear layer reads the tensor.
  std::vector<float> means;
};

// Of the tensors of a folded graph, in the order of numbered_tensors().
using Ranges = std::vector<TensorRange>;

// The graph's inputs, then the results of the operators of its outermost block: float tensors all, in an order that
// the same model always has.
std::vector<const torch::jit::Value*> numbered_tensors(const torch::jit::Graph& graph);

// Collects ranges while a graph runs. One thread. Memory: 64 KB a tensor.
class RangeObserver {
 public:
  explicit RangeObserver(std::shared_ptr<torch::jit::Graph> graph);
  ~RangeObserver();
  RangeObserver(const RangeObserver&) = delete;
  RangeObserver& operator=(const RangeObserver&) = delete;

  // Runs the graph on one batch. Throws what LibTorch throws.
  void add(std::vector<c10::IValue> inputs);

  // The smallest and largest value of each tensor.
  Ranges extremes() const;
  // The values that `outside` (0..0.5) of all values lie below and above.
  Ranges percentiles(double outside) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A number that two graphs share when they are the same operators on the same weights: what ranges are bound to. Takes
// as long as reading the weights once.
std::uint64_t fingerprint(const torch::jit::Graph& graph);

}  // namespace ptrun::jit
