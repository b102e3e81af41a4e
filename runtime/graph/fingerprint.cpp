// A graph's content as one number.
#include <ATen/ATen.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <cstring>
#include <string_view>
#include <unordered_map>

#include "graph/ranges.h"

namespace ptrun::jit {
namespace {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Value;

// Mixes 64 bits at a time in four lanes: as fast as memory, and no protection against somebody who tries.
class Mixer {
 public:
  void add(std::uint64_t value) {
    lanes_[next_] = (lanes_[next_] ^ value) * 0x9E3779B97F4A7C15ULL;
    lanes_[next_] ^= lanes_[next_] >> 29U;
    next_ = (next_ + 1) % 4;
  }
  void add(std::string_view bytes) {
    add(bytes.size());
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data() + at, 8);
      add(word);
    }
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, bytes.size() - at);
    add(word);
  }
  std::uint64_t result() const {
    std::uint64_t mixed = 0;
    for (const std::uint64_t lane : lanes_) mixed = ((mixed ^ lane) * 0xD6E8FEB86659FD93ULL) ^ (mixed >> 32U);
    return mixed ^ (mixed >> 31U);
  }

 private:
  std::uint64_t lanes_[4] = {1, 2, 3, 4};
  std::size_t next_ = 0;
};

class Reader {
 public:
  // NOLINTNEXTLINE(misc-no-recursion): the depth is that of the graph's blocks.
  void read(const Block& block) {
    for (const Value* input : block.inputs()) number(input);
    for (const Node* node : block.nodes()) {
      mixer_.add(node->kind().toQualString());
      for (const Value* input : node->inputs()) mixer_.add(numbers_[input]);
      if (node->kind() == c10::prim::Constant) constant(*node);
      for (const Block* inner : node->blocks()) read(*inner);
      for (const Value* output : node->outputs()) number(output);
    }
    for (const Value* output : block.outputs()) mixer_.add(numbers_[output]);
  }
  std::uint64_t result() const { return mixer_.result(); }

 private:
  void number(const Value* value) { numbers_.emplace(value, numbers_.size() + 1); }

  void constant(const Node& node) {
    const auto value = torch::jit::toIValue(node.output());
    if (value && value->isTensor()) {
      tensor(value->toTensor());
    } else if (value && value->isTensorList()) {
      for (const at::Tensor& one : value->toTensorVector()) tensor(one);
    } else if (value && (value->isScalar() || value->isString() || value->isIntList() || value->isDoubleList() ||
                         value->isBoolList() || value->isNone())) {
      std::ostringstream text;
      text.precision(17);
      text << *value;
      mixer_.add(text.str());
    }
  }

  void tensor(const at::Tensor& given) {
    if (!given.defined()) return;
    mixer_.add(std::string_view(c10::toString(given.scalar_type())));
    for (const std::int64_t size : given.sizes()) mixer_.add(static_cast<std::uint64_t>(size));
    if (given.layout() != c10::kStrided) return;
    const at::Tensor dense = given.to(at::kCPU).contiguous();
    mixer_.add(std::string_view(static_cast<const char*>(dense.const_data_ptr()), dense.nbytes()));
  }

  Mixer mixer_;
  std::unordered_map<const Value*, std::uint64_t> numbers_;
};

}  // namespace

std::uint64_t fingerprint(const torch::jit::Graph& graph) {
  Reader reader;
  reader.read(*graph.block());
  return reader.result();
}

}  // namespace ptrun::jit
