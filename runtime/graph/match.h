// What passes over graphs ask of a node.
#pragma once

#include <ATen/core/ivalue.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace torch::jit {
struct Node;
struct Value;
}  // namespace torch::jit

namespace ptrun::jit {

bool is(const torch::jit::Node& node, const char* kind);

// The argument `name` of an aten node, null when its schema has none.
const torch::jit::Value* argument(const torch::jit::Node& node, const char* name);

// Its value where that is known.
std::optional<c10::IValue> constant(const torch::jit::Node& node, const char* name);
std::optional<double> number(const torch::jit::Node& node, const char* name);

// A list of two numbers that are constant; a list of one stands for both.
std::optional<std::vector<std::int64_t>> pair(const torch::jit::Node& node, const char* name);

// Whether a weight is one that oneDNN and our own operators take.
bool fits(const at::Tensor& tensor, std::int64_t dimensions);

// An activation as oneDNN's operators name it.
struct Activation {
  std::string name = "none";
  std::vector<double> scalars;
  std::string algorithm;
};
std::optional<Activation> activation(const torch::jit::Node& node);

// The one node that uses `value`, null when there are several or it stands in another block.
torch::jit::Node* only_user(const torch::jit::Value* value);

}  // namespace ptrun::jit
