#include "graph/own_epilogue.h"

#include "graph/match.h"

namespace ptrun::jit {

std::optional<kernels::Epilogue> epilogue(const torch::jit::Node& node) {
  const auto found = activation(node);
  if (!found) return std::nullopt;
  kernels::Epilogue made;
  using kernels::Activation;
  if (found->name == "relu") {
    made.low = 0;
  } else if (found->name == "hardtanh") {
    made.low = static_cast<float>(found->scalars[0]);
    made.high = static_cast<float>(found->scalars[1]);
    if (!(made.low <= made.high)) return std::nullopt;
  } else if (found->name == "hardswish") {
    made.activation = Activation::hardswish;
  } else if (found->name == "hardsigmoid") {
    made.activation = Activation::hardsigmoid;
  } else if (found->name == "sigmoid") {
    made.activation = Activation::sigmoid;
  } else if (found->name == "swish") {
    made.activation = Activation::silu;
  } else if (found->name == "gelu") {
    made.activation = found->algorithm == "tanh" ? Activation::gelu_tanh : Activation::gelu;
  } else {
    return std::nullopt;
  }
  return made;
}

}  // namespace ptrun::jit
