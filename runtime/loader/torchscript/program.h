// The compiled program of a TorchScript module, looked at and made ready before its first run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "loader/torchscript/allow.h"
#include "ptrun/device.h"

namespace torch::jit {
struct Graph;
struct Module;
}  // namespace torch::jit

namespace ptrun::torchscript {

// Holds every function and method that the module could call, whether or not a branch is taken, against the allow-list
// and the caps on nodes and folded text. Throws Error(unsupported) naming the operator, its function, its module and
// --trust, or limit_exceeded.
void check_program(const torch::jit::Module& module, const std::string& subject, const AllowRule& rule);

// Refuses tensors that `graph` (inlined) would make out of constants alone and that take more than 1 GiB each, whether
// they were folded or run. Throws Error(limit_exceeded).
void check_allocations(const torch::jit::Graph& graph, const std::string& subject);

// What prepare_program changed.
struct Preparation {
  bool devices = false;         // constants of another device now name the target
  bool half_precision = false;  // float16 and bfloat16 became float32
  bool messages = false;        // print and warn are gone
};

// Before the first run, in place: device constants and attributes name `device`, float16 and bfloat16 weights,
// constants and dtype arguments become float32, print, warn and set_grad_enabled vanish (the library never prints).
// Weights that shared a tensor share its float32 form. Throws Error(limit_exceeded) when those forms take more than
// `memory_limit` bytes.
Preparation prepare_program(torch::jit::Module& module, const Device& device, const std::string& subject,
                            std::uint64_t memory_limit);

// The same for the constants of one graph.
bool retarget_devices(torch::jit::Graph& graph, const Device& device);

// forward as one flat graph over its tensor inputs, attributes as constants; null with a reason in `why_not` when the
// module changes its attributes or calls through an interface. Runs no operator on tensors, so nothing is allocated.
std::shared_ptr<torch::jit::Graph> freeze_forward(const torch::jit::Module& module, std::string& why_not);

}  // namespace ptrun::torchscript
