#include "loader/torchscript/dict_output.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ptrun::torchscript {
namespace {

using torch::jit::Node;
using torch::jit::Value;

// Operators whose first input has the channels of their output.
constexpr std::array<std::string_view, 14> kSameChannels = {"aten::upsample_bilinear2d",
                                                            "aten::upsample_nearest2d",
                                                            "aten::upsample_bicubic2d",
                                                            "aten::add",
                                                            "aten::add_",
                                                            "aten::mul",
                                                            "aten::relu",
                                                            "aten::relu_",
                                                            "aten::to",
                                                            "aten::dropout",
                                                            "aten::softmax",
                                                            "aten::sigmoid",
                                                            "aten::contiguous",
                                                            "aten::clone"};

bool keeps_channels(std::string_view name) {
  for (const std::string_view known : kSameChannels) {
    if (name == known) return true;
  }
  return false;
}

std::int64_t channels_of(const Value* value, int& steps);

// Of the branches that a scripted interpolate leaves, one that can be followed says it.
std::int64_t channels_of_branches(const Node* node, std::size_t output, int& steps) {
  for (const torch::jit::Block* block : node->blocks()) {
    const std::int64_t found = channels_of(block->outputs().at(output), steps);
    if (found > 0) return found;
  }
  return -1;
}

// Channels of the convolution that `value` [N, channels, H, W] comes from; -1 where the graph does not say.
// NOLINTNEXTLINE(misc-no-recursion): bounded by `steps`, which all branches share.
std::int64_t channels_of(const Value* value, int& steps) {
  while (steps-- > 0) {
    const Node* node = value->node();
    const std::string_view name = node->kind().toQualString();
    if (name == "aten::conv2d" || name == "aten::_convolution") {
      const auto weight = torch::jit::toIValue(node->input(1));
      const bool known = weight.has_value() && weight->isTensor() && weight->toTensor().dim() == 4;
      // Of a transposed convolution the sizes stand the other way round.
      const bool plain = name == "aten::conv2d" || torch::jit::constant_as<bool>(node->input(6)) == false;
      return known && plain ? weight->toTensor().size(0) : -1;
    }
    if (node->kind() == c10::prim::If) return channels_of_branches(node, value->offset(), steps);
    if (!keeps_channels(name) || node->inputs().empty()) return -1;
    value = node->input(0);
  }
  return -1;
}

struct Entry {
  std::string key;
  const Value* value;
};

// What is put into the dict that `value` is; empty where a key is none that the graph knows.
std::vector<Entry> entries_of(const Value* value) {
  std::vector<Entry> entries;
  const auto add = [&](const Value* key, const Value* item) {
    const auto text = torch::jit::toIValue(key);
    if (!text.has_value() || !text->isString()) return false;
    entries.push_back({text->toStringRef(), item});
    return true;
  };
  const Node* made = value->node();
  for (std::size_t i = 0; i + 1 < made->inputs().size(); i += 2) {
    if (!add(made->input(i), made->input(i + 1))) return {};
  }
  // Entries that are set afterwards have no DictConstruct of their own.
  for (const auto& use : value->uses()) {
    if (use.user->kind() == c10::aten::_set_item && !add(use.user->input(1), use.user->input(2))) return {};
  }
  return entries;
}

}  // namespace

void name_dict_keys(OutputNode& node, const Value* value) {
  const Node* made = value->node();
  if (node.kind == OutputNode::Kind::tuple && made->kind() == c10::prim::TupleConstruct &&
      made->inputs().size() == node.children.size()) {
    for (std::size_t i = 0; i < node.children.size(); ++i) name_dict_keys(node.children[i], made->input(i));
    return;
  }
  // OrderedDict() of Python is an empty aten::dict.
  const bool empty = made->kind() == c10::aten::dict && made->inputs().empty();
  const bool written = made->kind() == c10::prim::DictConstruct || empty;
  if (node.kind != OutputNode::Kind::dict || !written || node.children.empty()) return;
  std::vector<Entry> entries = entries_of(value);
  if (entries.empty()) return;
  const OutputNode pattern = node.children[0];
  node.children.clear();
  for (Entry& entry : entries) {
    OutputNode& child = node.children.emplace_back(pattern);
    child.name = std::move(entry.key);
    int steps = 200;  // far more than a head has
    const std::int64_t channels = child.kind == OutputNode::Kind::tensor ? channels_of(entry.value, steps) : -1;
    if (channels <= 0) continue;
    child.spec.dimensions.resize(4);
    child.spec.dimensions[0].batch = true;
    child.spec.dimensions[1].size = channels;
  }
}

}  // namespace ptrun::torchscript
