// Which operators a TorchScript program may use. A seat belt, not a sandbox: names that image models use are allowed,
// everything else is refused before the first run; what is known to be dangerous has a reason of its own.
// Links no LibTorch.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ptrun::torchscript {

// True when operator `name` ("aten::conv2d", "prim::If", "torchvision::nms"; without overload) may run. An in-place
// form ("aten::relu_") is allowed where its plain form is. Any thread.
bool is_allowed(std::string_view name);

// True when some namespace has an allowed operator of this bare name ("relu" for a call written x.relu()).
bool is_allowed_method(std::string_view bare_name);

// What one load may use: the table, and what the caller adds.
struct AllowRule {
  bool trust = false;             // any operator
  std::vector<std::string> more;  // of libraries that the caller named with --op-library

  bool allows(std::string_view name) const;
};

// Those of `needed` that come from somebody's library of operators which is not in `rule`: their namespace is none of
// LibTorch's or ptrun's.
std::vector<std::string> missing_operators(const std::vector<std::string>& needed, const AllowRule& rule);

// Why `name` is refused, as the middle of a sentence ("writes files"); empty for one that is merely unknown.
std::string_view refusal_reason(std::string_view name);

// Every allowed name, for tests and documentation.
std::vector<std::string> allowed_operators();

}  // namespace ptrun::torchscript
